"""Pictures of attention: maps laid over frames."""

import dataclasses
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_acl.attention.maps import AttentionMaps
from keras_acl.system.figures import save_figure
from keras_acl.video.modality import to_picture

# From black over red to pale yellow: brighter is always more. (The papers' jet is darkest where a
# map is strongest.)
COLORMAP = "inferno"
DIMMED = 0.7  # share of a frame's brightness: a white wall must not outshine attention
# Inches in a contact sheet: a picture with the gap around it, the margin, a title, other lines.
CELL, GAP, LEFT, TITLE, LINE = 1.6, 0.05, 0.25, 0.3, 0.14
STREAMS = ("spatial stream", "temporal stream")


def stream_names(count: int) -> tuple[str, ...]:
    """What the maps of so many streams are called."""
    return STREAMS if count > 1 else ("class map",)


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
        clips: (B, T, H, W, C) uint8; flow is shown as red and green, beside colours not at all.
        maps: Maps of the clips.
        labels: Class names.
        titles: Line above each clip, before the class and its score.
        columns: Number of frames shown of each clip: of as many equal parts of it the frame with
            the strongest place of the temporal map; without a temporal stream evenly spaced ones.
    """
    streams = [maps.spatial, maps.temporal][: 1 if maps.temporal is None else 2]
    sections = []
    for index, clip in enumerate(to_picture(clips)):
        shown = _frames_to_show(
            len(clip), None if maps.temporal is None else maps.temporal[index], columns
        )
        rows = {"frames": clip[shown]}
        for name, stream in zip(stream_names(len(streams)), streams, strict=True):
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
    heads = [
        TITLE + LINE * max(len(name.splitlines()) for name in section.columns)
        for section in sections
    ]
    width = LEFT + CELL * len(sections[0].columns)
    height = sum(heads) + CELL * sum(len(section.rows) for section in sections)
    figure = Figure(figsize=(width, height))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    top = height  # of what is still free; places are inches
    for section, head in zip(sections, heads, strict=True):
        _write(axis, 0.08, top - TITLE / 2, section.title, 10)
        for column, name in enumerate(section.columns):
            middle = LEFT + CELL * (column + 0.5)
            _write(axis, middle, top - head + 0.03, name, 8, ha="center", va="bottom")
        top -= head
        for name, pictures in section.rows.items():
            top -= CELL
            _write(axis, LEFT / 2, top + CELL / 2, name, 9, ha="center", rotation=90)
            for column, picture in enumerate(pictures):
                _place(axis, picture, LEFT + CELL * column, top)
    axis.set(xlim=(0, width), ylim=(0, height))
    save_figure(figure, file)


def _write(axis: Axes, x: float, y: float, text: str, size: float, **style) -> None:
    axis.text(x, y, text, fontsize=size, parse_math=False, **{"va": "center", **style})


def _place(axis: Axes, picture: np.ndarray, left: float, bottom: float) -> None:
    """Draw a picture as large as a cell allows, in its middle."""
    sides = np.array(picture.shape[1::-1])  # width, height
    sides = sides / sides.max() * (CELL - GAP)
    left, bottom = np.array([left, bottom]) + (CELL - sides) / 2
    extent = (left, left + sides[0], bottom, bottom + sides[1])
    axis.imshow(picture, extent=extent, aspect="auto")


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
