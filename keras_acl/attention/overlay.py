"""Pictures of attention: maps laid over frames."""

import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_acl.attention.maps import AttentionMaps

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
    streams = [("frames", None), ("spatial stream", maps.spatial)]
    if maps.temporal is not None:
        streams.append(("temporal stream", maps.temporal))
    shown = np.linspace(0, clips.shape[1] - 1, columns).astype(int)
    rows = len(clips) * len(streams)
    figure = Figure(figsize=(1.5 * columns, 1.55 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for index, clip in enumerate(clips):
        for row, (name, stream) in enumerate(streams):
            for column, frame in enumerate(shown):
                axis = axes[index * len(streams) + row, column]
                axis.imshow(_picture(clip, stream, index, frame))
                axis.set(xticks=[], yticks=[])
                if column == 0:
                    axis.set_ylabel(name, fontsize=8)
                if row == 0 and column == 0:
                    axis.set_title(_title(maps, index, labels, titles), loc="left", fontsize=9)
                elif row == 0:
                    axis.set_title(f"frame {frame}", fontsize=7, loc="right")
    save_figure(figure, file)


def save_figure(figure: Figure, file) -> None:
    """Write a figure beside its place, then rename: a picture that exists is whole."""
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.part")
    figure.savefig(beside, format=file.suffix.lstrip(".") or "png", dpi=110)
    os.replace(beside, file)


def _picture(clip, stream, index: int, frame: int):
    if stream is None:
        return clip[frame]
    attention = stream[index] if stream.ndim == 3 else stream[index, frame]
    return overlay(clip[frame], attention)


def _title(maps: AttentionMaps, index: int, labels, titles) -> str:
    chosen = maps.classes[index]
    name = labels[chosen] if labels else f"class {chosen}"
    line = f"{name} ({maps.scores[index, chosen]:.0%})"
    return f"{titles[index]}: {line}" if titles else line
