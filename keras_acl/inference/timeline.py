"""What happens when in a long recording: sliding windows, segments, their files."""

import contextlib
import csv
import dataclasses
import io
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.engines.inference_model import InferenceModel
from keras_acl.engines.scores import scores_of
from keras_acl.system import html
from keras_acl.system.atomic_write import written_whole
from keras_acl.video.read_ahead import read_ahead
from keras_acl.video.video import DecodingError, VideoSource, as_video
from keras_acl.video.windows import Window, read_windows, stated_seconds, stride_frames

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class Segment:
    """A stretch of a recording in which one class is the best, or one of several labels is said.

    Args:
        start: Second at which it begins.
        end: Second at which it ends.
        label: Name of the class.
        score: Mean score of the class over the stretch.
    """

    start: float
    end: float
    label: str
    score: float


@dataclasses.dataclass(frozen=True)
class Timeline:
    """A model's scores of every window of a recording. A notebook shows the plot and the segments.

    Args:
        path: The file.
        times: (W, 2) seconds at which each window begins and ends, in order.
        scores: (W, L) float32, of each window.
        labels: Class names, L.
        problem: What is wrong with the file; `None` if nothing is. The windows cover all that could
            be read.
        multi_label: Whether a moment may have several classes, or none.
    """

    path: str
    times: np.ndarray
    scores: np.ndarray
    labels: tuple[str, ...]
    problem: str | None = None
    multi_label: bool = False

    def moments(self, smoothing: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Scores of every moment: the mean of the windows that cover it.

        Windows overlap, so a moment belongs to several; between two neighbouring beginnings or ends
        of windows these are the same.

        Args:
            smoothing: Number of neighbouring windows, an odd one, over which each window's scores
                are averaged first; 1 leaves them as they are.

        Returns:
            Edges (M + 1,) in seconds and scores (M, L) of the stretches between them.

        Raises:
            ValueError: If `smoothing` is not a positive odd number.
        """
        if smoothing < 1 or smoothing % 2 == 0:
            raise ValueError(
                "Scores are smoothed over a window and as many before it as behind it: expected a "
                f"positive odd number. Received: smoothing={smoothing}"
            )
        count = len(self.times)
        numbers = np.arange(count)
        smoothed = _range_means(
            self.scores,
            np.maximum(numbers - smoothing // 2, 0),
            np.minimum(numbers + smoothing // 2 + 1, count),
        )
        edges = np.unique(self.times)
        middles = (edges[:-1] + edges[1:]) / 2
        first = np.searchsorted(self.times[:, 1], middles)  # windows are in order, so those that
        behind = np.searchsorted(self.times[:, 0], middles)  # cover a moment are neighbours
        return edges, _range_means(smoothed, first, behind)

    def segments(
        self, smoothing: int = 3, threshold: float | None = None, minimum: float = 0.0
    ) -> list[Segment]:
        """Stretches in which one class is the best, in order.

        Neighbouring moments (see `moments`) of the same best class become one segment. Of a
        multi-label model, those of each class whose score reaches the threshold: segments of
        different classes may overlap.

        Args:
            smoothing: Number of neighbouring windows over which scores are averaged, see `moments`.
            threshold: Least score of a moment in a segment; by default 0.3, of a multi-label model
                0.5.
            minimum: Least length of a segment in seconds.

        Raises:
            ValueError: If `smoothing` is not a positive odd number.
        """
        edges, scores = self.moments(smoothing)
        if threshold is None:
            threshold = 0.5 if self.multi_label else 0.3
        said = scores >= threshold  # (M, L)
        if not self.multi_label:
            said &= np.arange(len(self.labels)) == scores.argmax(axis=1)[:, None]
        found = []
        for label in np.flatnonzero(said.any(axis=0)).tolist():
            for is_said, group in itertools.groupby(range(len(said)), said[:, label].__getitem__):
                moments = list(group)
                start, end = edges[moments[0]], edges[moments[-1] + 1]
                if is_said and end - start >= minimum - 1e-9:
                    lengths = np.diff(edges)[moments]
                    score = float(np.average(scores[moments, label], weights=lengths))
                    found.append(Segment(float(start), float(end), self.labels[label], score))
        return sorted(found, key=lambda segment: (segment.start, segment.end))

    def _repr_html_(self) -> str:
        from keras_acl.inference.timeline_plot import minutes, timeline_figure

        segments = self.segments()
        rows = [
            (minutes(s.start, 1), minutes(s.end, 1), s.label, f"{s.score:.0%}") for s in segments
        ]
        table = html.table(("start", "end", "class", "score"), rows[: html.MOST_ROWS], len(rows))
        return html.figure(timeline_figure(self, segments)) + table

    def to_dict(self, segments: Sequence[Segment] | None = None, windows: bool = True) -> dict:
        """Plain lists, dicts and numbers, for JSON.

        Args:
            segments: Segments to write, by default those of `segments()`.
            windows: Whether to add the times and the scores of every window.
        """
        chosen = self.segments() if segments is None else segments
        content = {
            "path": self.path,
            "problem": self.problem,
            "seconds": round(float(self.times[-1, 1]), 3),
            "segments": [_rounded(segment) for segment in chosen],
        }
        if windows:
            content["labels"] = list(self.labels)
            content["times"] = [[round(float(t), 3) for t in pair] for pair in self.times]
            content["scores"] = [[round(float(s), 6) for s in row] for row in self.scores]
        return content

    def to_json(self, file: str | Path, segments: Sequence[Segment] | None = None) -> None:
        """Write segments and the scores of every window; see `to_dict`."""
        with written_whole(file) as beside:
            beside.write_text(json.dumps(self.to_dict(segments)) + "\n", encoding="utf-8")

    def to_csv(self, file: str | Path, segments: Sequence[Segment] | None = None) -> None:
        """Write the segments, `start,end,label,score`, times in seconds; see `to_dict`."""
        chosen = self.segments() if segments is None else segments
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(Segment)])
        writer.writeheader()
        writer.writerows(_rounded(segment) for segment in chosen)
        with written_whole(file) as beside:
            beside.write_text(text.getvalue(), encoding="utf-8", newline="")


def predict_timeline(
    model: "keras.Model | InferenceModel",
    video: VideoSource,
    stride: float | None = None,
    batch_size: int = 4,
    progress: Callable[[float, float | None], object] | None = None,
) -> Timeline:
    """Classify every part of a long recording, in windows as long as the model's clip.

    The file is read once, forward; the memory does not grow with its length.

    Args:
        model: A classifier of this package, also an exported one.
        video: File to read, folder of numbered pictures, http(s) URL, or `Video` (all of its file).
        stride: Seconds from a window to the next, up to a clip's length; half of it by default.
            Rounded to whole frames of the clip's grid. The last window ends with the recording.
        batch_size: Windows computed at once.
        progress: Called as `progress(done, total)` after each batch, in seconds of the recording;
            `total` is what the file's header says, or `None`.

    Returns:
        A `Timeline`. A damaged spot, or an end that is missing, is its `problem`.

    Raises:
        DecodingError: If no frame can be read.
        ValueError: If `stride` or `batch_size` is out of its range.

    Example:
        >>> timeline = keras_acl.predict_timeline(model, "match.mp4")
        >>> timeline.segments(threshold=0.5, minimum=1.0)
    """
    if batch_size < 1:
        raise ValueError(f"A batch has at least one window. Received: batch_size={batch_size}")
    frames = stride_frames(model.clip, stride)
    total = stated_seconds(video)
    faults: list[str] = []
    times: list[tuple[float, float]] = []
    scores: list[np.ndarray] = []
    batches = read_ahead(
        [video], lambda file: _batches(file, model.clip, frames, faults, batch_size), 1, ahead=1
    )
    with contextlib.closing(batches):
        for _, batch in batches:
            if isinstance(batch, DecodingError):
                raise batch
            # The first batch may be the only one; the last is filled up to the size of the others.
            scores.append(_scores(model, batch, batch_size if times else len(batch)))
            times += [(window.start, window.end) for window in batch]
            if progress is not None:
                progress(times[-1][1], total)
    if not times:
        raise DecodingError(as_video(video).path, "; ".join(faults))
    return Timeline(
        path=as_video(video).path,
        times=np.array(times),
        scores=np.concatenate(scores),
        labels=model.class_names,
        problem="; ".join(faults) or None,
        multi_label=model.multi_label,
    )


def _scores(model, windows: Sequence[Window], size: int) -> np.ndarray:
    """Scores of some windows, (B, L), computed `size` at a time."""
    clips = np.stack([window.clip for window in windows])  # (B, T, size, size, 3)
    if isinstance(model, InferenceModel):
        return model.scores(model.outputs_of(clips, size)["logits"])
    from keras_acl.models.compiled_call import predict_padded

    return scores_of(predict_padded(model, clips, size), model.multi_label)


def _batches(
    video: VideoSource, clip: ClipSpec, stride: int, faults: list[str], size: int
) -> Iterator[list[Window]]:
    with contextlib.closing(read_windows(video, clip, stride, faults)) as windows:
        while batch := list(itertools.islice(windows, size)):
            yield batch


def _range_means(values: np.ndarray, first: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Means of values[first[i] : behind[i]], (len(first), L)."""
    sums = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, dtype=np.float64, out=sums[1:])
    return (sums[behind] - sums[first]) / (behind - first)[:, None]


def _rounded(segment: Segment) -> dict:
    return {
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "label": segment.label,
        "score": round(segment.score, 6),
    }
