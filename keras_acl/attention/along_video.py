"""A model's maps along a whole video, clip after clip, one clip in memory at a time."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from keras_acl.attention.maps import attention_maps
from keras_acl.clip import ClipSpec
from keras_acl.video.clips import read_seen
from keras_acl.video.frame_table import probe
from keras_acl.video.sampling import frame_offsets, grid_length, uniform_clips
from keras_acl.video.video import VideoSource

PREDICTION_CLIPS = 3  # as `predict_videos`, so that both say the same


class ClipPart(NamedTuple):
    """A clip and the part of the video that it answers for, in numbers of the `clip.fps` grid."""

    numbers: np.ndarray  # the clip's frames, (T,)
    begin: int
    end: int


class Moment(NamedTuple):
    """What a model attends to at one moment."""

    spatial: np.ndarray  # (H, W)
    temporal: np.ndarray | None  # (H, W)


def lay_clips(begin: int, end: int, total: int, clip: ClipSpec) -> list[ClipPart]:
    """Clips end to end over a part of a video.

    The last one is moved back to end with the part, and answers for what is left. A video shorter
    than a clip gets one, which ends in repeats of its last frame, as in training.

    Args:
        begin: First frame number of the part, on the `clip.fps` grid.
        end: Frame number behind its last one.
        total: Number of frames that the video has on that grid.
        clip: What the model eats.
    """
    clip_parts = []
    while begin < end:
        start = max(min(begin, end - clip.span), 0)
        numbers = np.minimum(start + frame_offsets(clip), total - 1)
        clip_parts.append(ClipPart(numbers, begin, min(begin + clip.span, end)))
        begin += clip.span
    return clip_parts


def parts_of(seconds: float, clip: ClipSpec, clips: int | None) -> list[tuple[float, float]]:
    """The parts of a video to show: all of it, or as many clips as given, spread over it.

    Args:
        seconds: Length of the video.
        clip: What the model eats.
        clips: Number of clips; `None` is all of the video.

    Returns:
        Seconds at which each part begins and ends; no two overlap.

    Raises:
        ValueError: If `clips` is not positive.
    """
    total = grid_length(seconds, clip)
    if clips is not None and clips < 1:
        raise ValueError(f"A video has at least one clip. Received: clips={clips}")
    if clips is None or clips * clip.span >= total:
        return [(0.0, total / clip.fps)]
    windows = dataclasses.replace(clip, segments=False)
    starts = uniform_clips(total, windows, clips)[:, 0]
    return [(start / clip.fps, (start + clip.span) / clip.fps) for start in starts.tolist()]


class VideoAttention:
    """A model's maps of one class along a video, computed in the order of time.

    Args:
        model: A classifier of this package.
        path: The video.
        parts: Parts to show, see `parts_of`.
        chosen: Index of the class, by default the one predicted for the video.
        size: Height and width of the maps.

    Attributes:
        scores: Of every class, averaged over the clips that `predict_videos` takes, (L,).
        predicted: Index of the class with the highest score.
        chosen: Index of the class whose maps are shown.

    Raises:
        DecodingError: If the video cannot be read.
    """

    def __init__(
        self, model, path: VideoSource, parts: Sequence[tuple[float, float]], chosen, size: int
    ):
        self.model, self.path, self.size = model, path, size
        total = grid_length(probe(path).seconds, model.clip)
        self.clip_parts: list[ClipPart] = []
        for begin, end in parts:
            numbers = round(begin * model.clip.fps), min(round(end * model.clip.fps), total)
            self.clip_parts += lay_clips(*numbers, total, model.clip)
        clips = uniform_clips(total, model.clip, PREDICTION_CLIPS)
        self.scores = np.mean([self._maps(numbers, None).scores[0] for numbers in clips], axis=0)
        self.predicted = int(self.scores.argmax())
        self.chosen = self.predicted if chosen is None else chosen
        self._current, self._shown = -1, None

    def seconds(self) -> Iterator[float]:
        """Times of the frames that this model sees in the parts that are shown, none twice."""
        for part in self.clip_parts:
            for number in np.unique(part.numbers):
                if part.begin <= number < part.end:
                    yield float(number / self.model.clip.fps)

    def at(self, second: float) -> Moment:
        """Maps of the last frame that the model saw by that time.

        Args:
            second: Second of the video, no earlier than in the call before.
        """
        number = second * self.model.clip.fps + 1e-6
        last = len(self.clip_parts) - 1
        index = max(self._current, 0)
        while index < last and number >= self.clip_parts[index].end:
            index += 1
        if index != self._current or self._shown is None:
            self._shown = self._maps(self.clip_parts[index].numbers, self.chosen)
            self._current = index
        maps, numbers = self._shown, self.clip_parts[index].numbers
        frame = max(int(np.searchsorted(numbers, number, side="right")) - 1, 0)
        return Moment(maps.spatial[0], None if maps.temporal is None else maps.temporal[0, frame])

    def _maps(self, numbers: np.ndarray, chosen: int | None):
        clip = self.model.clip
        batch = read_seen(self.path, numbers / clip.fps, clip)[None]  # (1, T, size, size, 3)
        classes = None if chosen is None else [chosen]
        return attention_maps(self.model, batch, classes, size=(self.size, self.size))
