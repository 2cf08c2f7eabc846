"""How much of a model's attention falls where the action is, video by video."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_acl.attention.boxes import Marked, box_masks, figure_masks, read_boxes
from keras_acl.attention.maps import attention_maps
from keras_acl.attention.measures import measure
from keras_acl.data.tables import class_index
from keras_acl.moving_figures.dataset import read_mask
from keras_acl.system import html
from keras_acl.video.clips import read_seen
from keras_acl.video.files import find_videos
from keras_acl.video.frame_table import VideoInfo, probe
from keras_acl.video.sampling import frame_offsets, grid_length
from keras_acl.video.video import DecodingError


@dataclasses.dataclass(frozen=True)
class Measured:
    """Measures of attention in one video.

    Args:
        path: The file.
        label: Name of the class whose maps were measured.
        values: Measures by name, see `measure`; `None` if there is a problem.
        problem: Why there are no values; `None` if there are.
    """

    path: str
    label: str | None = None
    values: dict[str, float] | None = None
    problem: str | None = None


@dataclasses.dataclass(frozen=True)
class MeasuredBoxes:
    """Measures of attention in many videos. A notebook shows a table of them.

    Args:
        rows: Measures of each video, in order.
        mean: Mean of each measure over the videos that could be measured; empty if none could.
    """

    rows: tuple[Measured, ...]
    mean: dict[str, float]

    def _repr_html_(self) -> str:
        rows: list[tuple[object, ...]] = []
        if self.mean:
            rows.append(("mean", "", *(f"{value:.3f}" for value in self.mean.values())))
        for row in self.rows[: html.MOST_ROWS]:
            values = [row.problem] if row.values is None else row.values.values()
            numbers = (value if isinstance(value, str) else f"{value:.3f}" for value in values)
            rows.append((Path(row.path).name, row.label or "", *numbers))
        columns = ("video", "class", *(name.replace("_", " ") for name in self.mean))
        return html.table(columns, rows, len(self.rows) + bool(self.mean))


def measure_boxes(
    model, source: str | Path, progress: Callable[[int, int], object] | None = None
) -> MeasuredBoxes:
    """Measure how much of a model's attention falls where the action is.

    One clip of each video counts: around the middle of what is marked, short side
    `clip.test_size`, centre crop. The maps are those of the class that the file names, else of the
    predicted one.

    Args:
        model: A classifier of this package.
        source: CSV file, see `read_boxes`; or a folder that `MovingFigures.write` wrote, where the
            folders name the classes if the model has them.
        progress: Called as `progress(done, total)` after each video.

    Returns:
        A `MeasuredBoxes`. A video that cannot be read or has no box on a frame that the model sees
        has a problem, and does not count in the mean.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If the CSV is wrong, or the folder holds no video; the line is named.
    """
    source = Path(source)
    marked = _figures(source, model) if source.is_dir() else read_boxes(source)
    classes = [_class_of(one, model) for one in marked]  # a wrong name is found before the work
    rows = []
    for done, (one, chosen) in enumerate(zip(marked, classes, strict=True), 1):
        try:
            rows.append(_measured(model, one, chosen))
        except DecodingError as error:
            rows.append(Measured(one.path, problem=error.reason))
        except FileNotFoundError as error:  # of a mask
            rows.append(Measured(one.path, problem=str(error)))
        if progress is not None:
            progress(done, len(marked))
    values = [row.values for row in rows if row.values is not None]
    mean = (
        {name: float(np.mean([one[name] for one in values])) for name in values[0]}
        if values
        else {}
    )
    return MeasuredBoxes(tuple(rows), mean)


def _measured(model, one: Marked, chosen: int | None) -> Measured:
    clip, info = model.clip, probe(one.path)
    problem = _outside(one, info)
    if problem is not None:
        return Measured(one.path, problem=problem)
    total = grid_length(info.seconds, clip)
    start = round(_middle(one, info) * clip.fps - clip.span / 2)
    start = min(max(start, 0), max(total - clip.span, 0))
    times = np.minimum(start + frame_offsets(clip), total - 1) / clip.fps
    if one.boxes is None:
        masks = figure_masks(read_mask(one.path), times, clip)
    else:
        masks = box_masks(one.boxes, times, info.height, info.width, clip)
    if not masks.any():
        problem = "nothing that is marked lies in the centre crop of the frames that are seen"
        return Measured(one.path, problem=problem)
    frames = read_seen(one.path, times, clip)
    maps = attention_maps(model, frames[None], None if chosen is None else [chosen])
    values = {name: float(value[0]) for name, value in measure(maps, masks[None]).items()}
    index = int(maps.classes[0])
    return Measured(one.path, model.class_names[index], values)


def _outside(one: Marked, info: VideoInfo) -> str | None:
    """What is wrong with a box that lies beyond the end or the edges of its video."""
    for box in one.boxes or ():
        if box.start >= info.seconds or box.left >= info.width or box.top >= info.height:
            return (
                f"{box.where}: the box lies outside the video, which has {info.seconds:.2f} s of "
                f"{info.width}x{info.height} pixels"
            )
    return None


def _middle(one: Marked, info: VideoInfo) -> float:
    """The second in the middle of what is marked."""
    if one.boxes is None:
        return info.seconds / 2
    end = min(max(box.end for box in one.boxes), info.seconds)
    return (min(box.start for box in one.boxes) + end) / 2


def _figures(folder: Path, model) -> list[Marked]:
    paths = find_videos(folder)
    if not paths:
        raise ValueError(f"There is no video file in {folder}")
    read_mask(paths[0])  # is it a folder of figures at all?
    names = [Path(path).parent.name for path in paths]
    known = model.labels or ()
    return [
        Marked(path, None, name if name in known else "", path)
        for path, name in zip(paths, names, strict=True)
    ]


def _class_of(one: Marked, model) -> int | None:
    if not one.label:
        return None
    labels = model.labels or [str(index) for index in range(model.num_classes)]
    return class_index(one.label, {name: index for index, name in enumerate(labels)}, one.where)
