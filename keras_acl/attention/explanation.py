"""A video with attention laid over it, and a contact sheet of it (Figures 1, 4)."""

import dataclasses
import difflib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_acl.attention.along_video import VideoAttention, parts_of
from keras_acl.attention.overlay import Section, save_sections, stream_names
from keras_acl.attention.panels import PANEL, check_ending, overlay_writer, panels, strip
from keras_acl.clip import ClipSpec
from keras_acl.engines.naming import model_name
from keras_acl.system import html
from keras_acl.system.atomic_write import written_whole
from keras_acl.video.crop import seen_corner
from keras_acl.video.frame_table import probe
from keras_acl.video.held import HeldVideo, name_of, on_disk
from keras_acl.video.read import read_squares
from keras_acl.video.video import VideoSource, as_video

if TYPE_CHECKING:
    import keras

    from keras_acl.engines.inference_model import InferenceModel

COLUMNS = 6  # columns of the contact sheet
MOST_BYTES = 5_000_000  # of a film inside a notebook
AT_ONCE = 64  # frames decoded for display at a time


@dataclasses.dataclass(frozen=True)
class Explanation:
    """The class and the files of an explanation. A notebook shows both, the film if it is short.

    Args:
        path: The video.
        label: Name of the class whose attention is shown: predicted, or asked for.
        score: Score of that class, averaged over clips.
        predicted: Name of the predicted class.
        compared: Label, score and predicted class of the second model, or `None`.
        video: The mp4 or GIF that was written.
        sheet: The contact sheet that was written.
    """

    path: str
    label: str
    score: float
    predicted: str
    compared: tuple[str, float, str] | None
    video: Path
    sheet: Path

    def _repr_html_(self) -> str:
        shown: list[str] = []
        if self.sheet.is_file():
            shown.append(html.image(self.sheet.read_bytes(), "png"))
        if self.video.is_file() and self.video.stat().st_size <= MOST_BYTES:
            form = html.image if self.video.suffix.lower() == ".gif" else html.video
            shown.append(form(self.video.read_bytes(), self.video.suffix.lower().lstrip(".")))
        return html.lines([*shown, f"{self.label} {self.score:.0%}: {self.video}"])


def explain(
    model: "keras.Model | InferenceModel",
    video: VideoSource | HeldVideo,
    out: str | os.PathLike,
    label: str | int | None = None,
    strength: float = 0.5,
    clips: int | None = None,
    compare: "keras.Model | InferenceModel | None" = None,
) -> Explanation:
    """Write a video that shows where each stream looks, and a contact sheet beside it.

    Frame, spatial overlay and temporal overlay stand side by side (no temporal one for a
    `SlowClassifier`), with the class and its score above. Clips are laid end to end over the whole
    video and one is in memory at a time; each map is stretched to [0, 1] over its own clip. What is
    shown is what the model sees, the square in the centre; the rest of a wide frame is cut off. The
    score is that of `predict_videos`. What `optimize` returns may be given, too.

    Args:
        model: A classifier of this package, also one exported with its maps.
        video: File to look at, folder of numbered pictures, http(s) URL, or `Video` (all of its
            file); or bytes, or a file object.
        out: File to write, .mp4 (H.264) or .gif. The contact sheet gets the ending .png.
        label: Name or index of the class whose attention is shown, by default the predicted one.
        strength: How soon colour covers the frame, see `overlay`.
        clips: Number of clips shown, spread over the video; all of it by default.
        compare: Second model, whose panels stand below, at the same moments. Its class is its own
            prediction, or `label`. It may eat other clips.

    Returns:
        An `Explanation`.

    Raises:
        DecodingError: If the video cannot be read.
        OSError: If the files cannot be written. What stood there is left as it was.
        ValueError: If the ending or the label is unknown, or `out` is the video itself.
    """
    file = Path(out)
    check_ending(file)
    with on_disk(video) as source:
        found = _explained(model, source, file, label, strength, clips, compare)
    return dataclasses.replace(found, path=name_of(video))


def _explained(
    model,
    source: VideoSource,
    file: Path,
    label: str | int | None,
    strength: float,
    clips: int | None,
    compare,
) -> Explanation:
    path, sheet = as_video(source).path, file.with_suffix(".png")
    if file.exists() and Path(path).exists() and file.samefile(path):
        raise ValueError(f"{file} is the video itself. Give `out` another name.")
    models = [model] if compare is None else [model, compare]
    classes = [find_class(one, label) for one in models]
    parts = parts_of(probe(source).seconds, model.clip, clips)
    _check_folder(file.parent)
    with written_whole(sheet) as sheet_beside, written_whole(file) as beside:
        followed = [
            VideoAttention(one, source, parts, chosen, PANEL)
            for one, chosen in zip(models, classes, strict=True)
        ]
        titles = _titles(followed)
        shown = _write_video(beside, source, followed, titles, strength)
        _write_sheet(sheet_beside, Path(path).name, titles, shown)
    label, score, predicted = _found(followed[0])
    compared = None if compare is None else _found(followed[1])
    return Explanation(path, label, score, predicted, compared, file, sheet)


def _found(one: VideoAttention) -> tuple[str, float, str]:
    """Label, score and predicted label."""
    score = float(one.scores[one.chosen])
    return one.model.class_names[one.chosen], score, one.model.class_names[one.predicted]


def find_class(model, label: str | int | None) -> int | None:
    """Index of a class given by name or index.

    Raises:
        ValueError: If the model has no such class.
    """
    if label is None:
        return None
    labels = model.labels or ()
    if label in labels:
        return labels.index(label)
    if str(label).isdecimal() and int(label) < model.num_classes:
        return int(label)
    if not labels:
        expected = f"an index from 0 to {model.num_classes - 1}; the model has no class names"
    elif close := difflib.get_close_matches(str(label), labels, n=3, cutoff=0.5):
        expected = f"one of the model's classes. Nearest: {', '.join(close)}"
    else:
        expected = f"one of {', '.join(labels[:5])}{', ...' if len(labels) > 5 else ''}"
    raise ValueError(f"Unknown class {label!r}. Expected {expected}.")


def _check_folder(folder: Path) -> None:
    """Before minutes of work: can the folder be made and written to?"""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"The folder {folder} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"The folder {folder} cannot be written to.")


def _write_video(file: Path, source: VideoSource, followed, titles, strength: float) -> list:
    """Encode frame by frame; return what the contact sheet shows: clock and panels per model."""
    clip, name = followed[0].model.clip, _shortened(Path(as_video(source).path).name)
    times = np.array(list(followed[0].seconds()))
    shown: dict[int, tuple] = {}  # of each sixth of the video the moment of most attention
    with overlay_writer(file, clip.frames / clip.seconds) as add:
        for number, (second, frame) in enumerate(_frames_at(source, times, clip)):
            moments = [one.at(second) for one in followed]
            pictures = [panels(frame, one.spatial, one.temporal, strength) for one in moments]
            columns, clock = max(map(len, pictures)), _clock(second)
            corners = [f"{name}   {clock}", *[""] * (len(pictures) - 1)]
            rows = [
                strip(row, columns, title, corner)
                for row, title, corner in zip(pictures, titles, corners, strict=True)
            ]
            add(np.concatenate(rows))
            column, first = number * COLUMNS // len(times), moments[0]
            strongest = 0.0 if first.temporal is None else float(first.temporal.max())
            if column not in shown or strongest > shown[column][0]:
                shown[column] = strongest, clock, pictures
    return [moment[1:] for moment in shown.values()]


def _frames_at(
    source: VideoSource, times: np.ndarray, clip: ClipSpec
) -> Iterator[tuple[float, np.ndarray]]:
    """What the model sees at these times, but PANEL pixels a side."""
    info = probe(source)
    zoom = PANEL / clip.size
    top, left = (round(place * zoom) for place in seen_corner(info.height, info.width, clip))
    short_side = round(clip.test_size * zoom)
    for first in range(0, len(times), AT_ONCE):
        part = times[first : first + AT_ONCE]
        frames = read_squares(source, part, short_side, PANEL, lambda *_: (top, left))
        yield from zip(part.tolist(), frames, strict=True)


def _write_sheet(file: Path, name: str, titles: list[str], shown: list) -> None:
    sections = []
    for index, title in enumerate(titles):
        pictures = [rows[index] for _, rows in shown]
        names = ("frames", *stream_names(len(pictures[0]) - 1))
        rows: dict[str, Sequence[np.ndarray]] = dict(
            zip(names, zip(*pictures, strict=True), strict=True)
        )
        if index:  # the frames stand above
            del rows["frames"]
        heading = title if index else f"{name}: {title}"
        clocks = ["" if index else clock for clock, _ in shown]
        sections.append(Section(heading, clocks, rows))
    save_sections(file, sections)


def _titles(followed: list[VideoAttention]) -> list[str]:
    """The line above each model's panels: class, score, and which model if there are two."""
    titles = []
    for one in followed:
        title = f"{one.model.class_names[one.chosen]} {one.scores[one.chosen]:.0%}"
        if one.chosen != one.predicted:
            best = one.model.class_names[one.predicted]
            title += f" (predicted: {best} {one.scores[one.predicted]:.0%})"
        titles.append(title)
    if len(followed) == 1:
        return titles
    names = [model_name(one.model) for one in followed]
    if names[0] == names[1]:
        names = [f"{name} {number}" for number, name in enumerate(names, 1)]
    return [f"{name}: {title}" for name, title in zip(names, titles, strict=True)]


def _shortened(name: str, length: int = 30) -> str:
    return name if len(name) <= length else f"{name[: length // 2]}…{name[-length // 2 + 1 :]}"


def _clock(second: float) -> str:
    tenths = round(second * 10)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"
