"""Pictures of attention: maps laid over frames."""

import dataclasses
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from keras_acl.attention.maps import AttentionMaps
from keras_acl.system.figures import save_figure

# From black over red to pale yellow: brighter is always more. (The papers' jet is darkest where a
# map is strongest.)
COLORMAP = "inferno"
DIMMED = 0.7  # share of a frame's brightness: a white wall must not outshine attention
CELL = 1.6  # inches per picture in a contact sheet
STREAMS = ("spatial stream", "temporal stream")


@dataclasses.dataclass(frozen=True)
class Section:
    """Pictures of one clip in a contact sheet.

    Args:
        title: Line above the pictures.
        columns: Text above each column, or nothing ("").
        rows: Name of each row and its pictures, uint8 (H, W, 3), one for each column.
    """

    title: str
    columns: Sequence[str]
    rows: dict[str, Sequence[np.ndarray]]


def overlay(frames: np.ndarray, maps: np.ndarray, strength: float = 0.5) -> np.ndarray:
    """Lay maps over dimmed frames as colours.

    The more attention, the brighter and the more opaque the colour; where a map is 1 it hides the
    frame. So whatever the frames show, the brightest pixel is where the map is strongest.

    Args:
        frames: (..., H, W, 3) uint8.
        maps: (..., H, W) in [0, 1].
        strength: How soon the colour covers the frame. At 0.5 its opacity is the map, at 0.25 the
            map's cube, at 1 there is colour only.

    Returns:
        (..., H, W, 3) uint8.

    Raises:
        ValueError: If `strength` is not above 0 and at most 1.
    """
    if not 0 < strength <= 1:
        raise ValueError(f"Expected 0 < strength <= 1. Received: strength={strength}")
    table = matplotlib.colormaps[COLORMAP](np.arange(256))[:, :3].astype(np.float32) * 255
    maps = np.asarray(maps, np.float32)
    opacity = maps[..., None] ** (1 / strength - 1)
    colours = table[np.round(maps * 255).astype(np.uint8)]
    return np.round(frames * ((1 - opacity) * DIMMED) + colours * opacity).astype(np.uint8)


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
        maps: Maps of the clips.
        labels: Class names.
        titles: Line above each clip, before the class and its score.
        columns: Number of frames shown of each clip: of as many equal parts of it the frame with
            the strongest place of the temporal map; without a temporal stream evenly spaced ones.
    """
    streams = [maps.spatial, maps.temporal][: 1 if maps.temporal is None else 2]
    sections = []
    for index, clip in enumerate(clips):
        shown = _frames_to_show(
            len(clip), None if maps.temporal is None else maps.temporal[index], columns
        )
        rows = {"frames": clip[shown]}
        for name, stream in zip(STREAMS, streams, strict=False):
            stream = stream[index] if stream.ndim == 3 else stream[index, shown]
            rows[name] = overlay(clip[shown], np.broadcast_to(stream, rows["frames"].shape[:3]))
        sections.append(
            Section(
                _title(maps, index, labels, titles), [f"frame {frame}" for frame in shown], rows
            )
        )
    save_sections(file, sections)


def save_sections(file, sections: Sequence[Section]) -> None:
    """Write a contact sheet, one section under the other.

    Args:
        file: Picture to write; its ending chooses the format. Written beside, then renamed.
        sections: Sections, all with the same number of columns.
    """
    columns = len(sections[0].columns)
    heights = [CELL * len(section.rows) + 0.45 for section in sections]
    engine = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.05, wspace=0, hspace=0)
    figure = Figure(figsize=(CELL * columns + 0.25, sum(heights)), layout=engine)
    parts = figure.subfigures(len(sections), 1, squeeze=False, height_ratios=heights)[:, 0]
    for section, part in zip(sections, parts, strict=True):
        part.suptitle(section.title, fontsize=10, x=0.01, ha="left", parse_math=False)
        axes = part.subplots(len(section.rows), columns, squeeze=False)
        for row, (name, pictures) in zip(axes, section.rows.items(), strict=True):
            row[0].set_ylabel(name, fontsize=9, parse_math=False)
            for axis, picture in zip(row, pictures, strict=True):
                axis.imshow(picture)
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
        for axis, name in zip(axes[0], section.columns, strict=True):
            if name:
                axis.set_title(name, fontsize=8, parse_math=False)
    save_figure(figure, file)


def _frames_to_show(count: int, temporal: np.ndarray | None, columns: int) -> np.ndarray:
    """Frame numbers; a temporal map that lights up for a moment must not fall between them."""
    columns = min(columns, count)
    if temporal is None:
        return np.linspace(0, count - 1, columns).astype(int)
    parts = np.array_split(temporal.max(axis=(1, 2)), columns)
    begins = np.cumsum([0, *(len(part) for part in parts[:-1])])
    return begins + np.array([part.argmax() for part in parts])


def _title(maps: AttentionMaps, index: int, labels, titles) -> str:
    chosen = maps.classes[index]
    name = labels[chosen] if labels else f"class {chosen}"
    line = f"attention for {name} ({maps.scores[index, chosen]:.0%})"
    return f"{titles[index]}: {line}" if titles else line
