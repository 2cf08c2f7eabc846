"""Where the action is, as a user knows it: boxes in a CSV, or the masks of moving figures."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.data.tables import Row, read_table
from keras_acl.moving_figures.dataset import FPS
from keras_acl.video.crop import resized, seen_corner

COLUMNS = ("path", "start", "end", "left", "top", "right", "bottom")


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle in which the action is for a while.

    Args:
        start: Second at which it begins; 0 is the first frame.
        end: Second at which it ends; `inf` is the end of the video.
        left: First column, in pixels of the upright video; edges may lie between pixels.
        top: First row.
        right: End of its columns.
        bottom: End of its rows.
        where: File and line that it was read from, for errors.
    """

    start: float
    end: float
    left: float
    top: float
    right: float
    bottom: float
    where: str = ""


@dataclasses.dataclass(frozen=True)
class Marked:
    """A video and the boxes in it.

    Args:
        path: The file.
        boxes: Boxes, at least one; `None` where a mask of `MovingFigures` lies beside the video.
        label: Name or index of its class, as the file says; empty where the file says nothing.
        where: File and line of its first box.
    """

    path: str
    boxes: tuple[Box, ...] | None
    label: str = ""
    where: str = ""


def read_boxes(file: str | Path) -> list[Marked]:
    """Read boxes from a CSV with the columns path, start, end, left, top, right, bottom.

    Seconds and pixels of the upright video; an empty start is its beginning, an empty end its end.
    A video may have several rows; rows that overlap in time add up. A column `label` may name the
    class. Paths are relative to the CSV.

    Args:
        file: CSV file with a header line.

    Returns:
        The videos in the order of their first rows.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing or a row makes no sense; the line is named.
    """
    file = Path(file)
    found: dict[str, list[Box]] = {}
    labels: dict[str, str] = {}
    for row in read_table(file, COLUMNS):
        if not row.cells["path"]:
            raise ValueError(f"{row.where}: the path is empty.")
        path = str(file.parent / row.cells["path"])
        found.setdefault(path, []).append(_box(row))
        label = row.cells.get("label", "")
        if labels.setdefault(path, label) != label:
            raise ValueError(
                f"{row.where}: {row.cells['path']} was {labels[path]!r} above. Expected one class "
                f"per video. Received: {label!r}"
            )
    return [
        Marked(path, tuple(boxes), labels[path], boxes[0].where) for path, boxes in found.items()
    ]


def box_masks(
    boxes: Sequence[Box], times: np.ndarray, height: int, width: int, clip: ClipSpec
) -> np.ndarray:
    """Masks of what boxes cover of the frames that a model sees.

    Args:
        boxes: Boxes in pixels of the upright video.
        times: Seconds of the frames, (T,).
        height: Height of the upright video.
        width: Width of the upright video.
        clip: What the model eats; short side and centre crop are those of prediction.

    Returns:
        bool (T, size, size): true where a pixel's centre lies in a box of that time.
    """
    rows, columns = _seen(height, width, clip)
    masks = np.zeros((len(times), len(rows), len(columns)), bool)
    for box in boxes:
        inside = np.outer(
            (box.top <= rows) & (rows < box.bottom), (box.left <= columns) & (columns < box.right)
        )
        masks[(box.start <= times) & (times < box.end)] |= inside
    return masks


def figure_masks(mask: np.ndarray, times: np.ndarray, clip: ClipSpec) -> np.ndarray:
    """The actor's mask on the frames that a model sees.

    Args:
        mask: (frames, H, W) bool, as `read_mask` returns it.
        times: Seconds of the frames, (T,).
        clip: What the model eats.

    Returns:
        bool (T, size, size).
    """
    _, height, width = mask.shape
    rows, columns = (np.floor(places).astype(int) for places in _seen(height, width, clip))
    frames = np.clip(np.floor(times * FPS + 1e-6).astype(int), 0, len(mask) - 1)
    return mask[frames][:, rows][:, :, columns]


def _seen(height: int, width: int, clip: ClipSpec) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the video at the centres of the pixels that the model sees."""
    sizes = resized(height, width, clip.test_size)
    rows, columns = (
        (first + np.arange(clip.size) + 0.5) * side / new
        for first, side, new in zip(
            seen_corner(height, width, clip), (height, width), sizes, strict=True
        )
    )
    return rows, columns


def _box(row: Row) -> Box:
    numbers = {}
    for name in COLUMNS[1:]:
        text = row.cells[name]
        try:
            numbers[name] = float(text) if text else {"start": 0.0, "end": math.inf}[name]
        except (ValueError, KeyError):
            raise ValueError(f"{row.where}: {name} is no number. Received: {text!r}") from None
    box = Box(**numbers, where=row.where)
    sides = (box.left, box.top, box.right, box.bottom)
    sound = box.left < box.right and box.top < box.bottom and 0 <= box.start < box.end
    if (
        not sound
        or not all(math.isfinite(side) for side in sides)
        or box.right <= 0
        or box.bottom <= 0
    ):
        raise ValueError(
            f"{row.where}: expected left < right, top < bottom and 0 <= start < end, the first "
            f"pixel being 0. Received: {','.join(row.cells[name] for name in COLUMNS[1:])}"
        )
    return box
