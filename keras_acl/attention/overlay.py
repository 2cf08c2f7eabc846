"""Pictures of attention: maps laid over frames."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_acl.attention.maps import AttentionMaps
from keras_acl.writing import written_whole

COLORMAP = "jet"  # the papers' habit: blue is little, red is much


def overlay(frames: np.ndarray, maps: np.ndarray, strength: float = 0.5) -> np.ndarray:
    """Lay maps over frames as colours.

    Args:
        frames: (..., H, W, 3) uint8.
        maps: (..., H, W) in [0, 1].
        strength: Share of the colour in the result.

    Returns:
        (..., H, W, 3) uint8.
    """
    colours = matplotlib.colormaps[COLORMAP](maps)[..., :3] * 255
    return np.round(frames * (1 - strength) + colours * strength).astype(np.uint8)


def save_contact_sheet(
    file,
    clips: np.ndarray,
    maps: AttentionMaps,
    labels: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
    columns: int = 4,
) -> None:
    """Draw frames of each clip, with the spatial and the temporal map over them (Figures 1, 4).

    Args:
        file: Picture to write; its ending chooses the format. Written beside, then renamed.
        clips: (B, T, H, W, 3) uint8.
        maps: Their maps.
        labels: Class names.
        titles: A line over each clip, before the class and its score.
        columns: Frames shown of each clip.
    """
    streams = {"frames": None, "spatial stream": maps.spatial, "temporal stream": maps.temporal}
    if maps.temporal is None:
        del streams["temporal stream"]
    shown = np.linspace(0, clips.shape[1] - 1, columns).astype(int)
    height = 1.62 * len(streams) + 0.3
    figure = Figure(figsize=(1.6 * columns, height * len(clips)), layout="constrained")
    for index, part in enumerate(figure.subfigures(len(clips), 1, squeeze=False)[:, 0]):
        part.suptitle(_title(maps, index, labels, titles), fontsize=10, x=0.02, ha="left")
        axes = part.subplots(len(streams), columns, squeeze=False)
        for row, (name, stream) in zip(axes, streams.items(), strict=True):
            row[0].set_ylabel(name, fontsize=9)
            for axis, frame in zip(row, shown, strict=True):
                axis.imshow(_picture(clips[index], stream, index, frame))
                axis.set(xticks=[], yticks=[])
        for axis, frame in zip(axes[0], shown, strict=True):
            axis.set_title(f"frame {frame}", fontsize=8)
    save_figure(figure, file)


def save_figure(figure: Figure, file) -> None:
    """Write a figure; a picture that exists is whole."""
    with written_whole(file) as beside:
        figure.savefig(beside, format=Path(file).suffix.lstrip(".") or "png", dpi=110)


def _picture(clip, stream, index: int, frame: int):
    if stream is None:
        return clip[frame]
    attention = stream[index] if stream.ndim == 3 else stream[index, frame]
    return overlay(clip[frame], attention)


def _title(maps: AttentionMaps, index: int, labels, titles) -> str:
    chosen = maps.classes[index]
    name = labels[chosen] if labels else f"class {chosen}"
    line = f"attention for {name} ({maps.scores[index, chosen]:.0%})"
    return f"{titles[index]}: {line}" if titles else line
