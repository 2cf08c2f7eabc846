"""Classes of video files."""

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.engines.scores import scores_of
from keras_acl.system import html
from keras_acl.video.clips import read_uniform_clips
from keras_acl.video.frame_table import probe
from keras_acl.video.held import HeldVideo, name_of, on_disk
from keras_acl.video.read import read_frames
from keras_acl.video.read_ahead import read_ahead
from keras_acl.video.video import DecodingError, Video, VideoSource, as_video

if TYPE_CHECKING:
    import keras

    from keras_acl.engines import InferenceModel

TOP = 3  # classes shown of each video
THRESHOLD = 0.5  # from which score on one of several labels is said
SIDE = 72  # pixels of the short side of its frame


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A model's answer for one video. A notebook shows it as bars beside a frame.

    Args:
        path: The file.
        scores: Of each class, averaged over the clips, (L,); `None` if the file cannot be read.
        problem: Why it cannot be read; `None` if it can.
        labels: Class names, L; empty where they are not known.
    """

    path: str
    scores: np.ndarray | None = None
    problem: str | None = None
    labels: tuple[str, ...] = ()

    def top(self, count: int) -> list[tuple[int, float]]:
        """Best classes and their scores, best first; empty for an unreadable file."""
        if self.scores is None:
            return []
        order = np.argsort(-self.scores, kind="stable")[:count]
        return [(int(index), float(self.scores[index])) for index in order]

    def above(self, threshold: float = THRESHOLD) -> list[tuple[int, float]]:
        """Classes with at least such a score, best first: what a multi-label model says."""
        found = self.top(0 if self.scores is None else len(self.scores))
        return [(index, score) for index, score in found if score >= threshold]

    def _repr_html_(self) -> str:
        return Predictions([self])._repr_html_()

    def _cells(self) -> tuple[object, ...]:
        """Picture, file name and best classes."""
        try:
            middle = probe(self.path).seconds / 2
            frame = html.picture(read_frames(self.path, [middle], SIDE)[0])
        except DecodingError:  # the file may have gone since
            frame = ""
        names = dict(enumerate(self.labels))
        found = [
            html.bar(score, f"{names.get(index, f'class {index}')} {score:.0%}")
            for index, score in self.top(TOP)
        ]
        problem = f"cannot be read: {self.problem}"
        return frame, Path(self.path).name, html.lines(found) if found else problem


class Predictions(list[Prediction]):
    """A list of predictions that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        rows = [prediction._cells() for prediction in self[: html.MOST_ROWS]]
        return html.table(("", "video", "best classes"), rows, len(self))


def predict_videos(
    model: "keras.Model | InferenceModel",
    paths: Sequence[VideoSource | HeldVideo],
    clips: int = 3,
    progress: Callable[[int, int], object] | None = None,
    workers: int | None = None,
) -> Predictions:
    """Classify video files: uniform clips, centre crop, scores averaged over the clips.

    Files are decoded ahead while the model computes.

    Args:
        model: A classifier of this package, also an exported one.
        paths: Video files, folders of numbered pictures, http(s) URLs, or `Video`s; or videos as
            bytes or file objects.
        clips: Clips per video, spread over its length.
        progress: Called as `progress(done, total)` after each file.
        workers: Files decoded at a time. None: as many as CPU cores, 16 at most.

    Returns:
        A list with a prediction for each path, in order. A file that cannot be read has a problem,
        not scores.

    Raises:
        ValueError: If `clips` or `workers` is not positive.
    """
    names = [name_of(path) for path in paths]
    found: dict[int, Prediction] = {}
    with contextlib.ExitStack() as held:
        videos = [as_video(held.enter_context(on_disk(path))) for path in paths]
        read = held.enter_context(
            contextlib.closing(clips_ahead(videos, model.clip, clips, workers))
        )
        for place, batch in read:
            scores = problem = None
            if isinstance(batch, DecodingError):
                problem = batch.reason
            else:
                logits = model.predict_on_batch(batch)
                scores = scores_of(logits, model.multi_label).mean(axis=0)
            found[place] = Prediction(names[place], scores, problem, model.class_names)
            if progress is not None:
                progress(len(found), len(videos))
    return Predictions(found[place] for place in range(len(videos)))


def clips_ahead(
    videos: Sequence[Video], clip: ClipSpec, count: int, workers: int | None = None
) -> Generator[tuple[int, np.ndarray | DecodingError], None, None]:
    """Yield the place of each video with what `read_uniform_clips` reads of it, or its error.

    In the order in which they become ready; see `read_ahead`.
    """
    return read_ahead(videos, lambda video: [read_uniform_clips(video, clip, count)], workers)
