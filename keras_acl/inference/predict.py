"""Load a trained model; predictions for video files."""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.video.crop import centre_crop
from keras_acl.video.frame_table import probe
from keras_acl.video.read import part_of, read_frames
from keras_acl.video.sampling import grid_length, uniform_clips
from keras_acl.video.video import DecodingError, Video


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a model says of one video.

    Args:
        path: The file.
        scores: Softmax averaged over the clips, (L,); `None` if the file cannot be read.
        problem: Why it cannot be read; `None` if it can.
    """

    path: str
    scores: np.ndarray | None = None
    problem: str | None = None

    def top(self, count: int) -> list[tuple[int, float]]:
        """Best classes and their scores, best first; empty for an unreadable file."""
        if self.scores is None:
            return []
        order = np.argsort(-self.scores, kind="stable")[:count]
        return [(int(index), float(self.scores[index])) for index in order]


def predict_videos(
    model: keras.Model,
    paths: Sequence[str],
    clips: int = 3,
    progress: Callable[[int, int], object] | None = None,
) -> list[Prediction]:
    """Classify video files: uniform clips, centre crop, softmax averaged over the clips.

    Args:
        model: A classifier of this package.
        paths: Video files.
        clips: Clips a video, spread over its length.
        progress: Called as `progress(done, total)` after each file.

    Returns:
        One prediction a path, in order. A file that cannot be read has a problem, not scores.

    Raises:
        ValueError: If `clips` is not positive.
    """
    predictions = []
    for done, path in enumerate(paths, 1):
        try:
            batch = read_uniform_clips(Video(str(path)), model.clip, clips)
        except DecodingError as error:
            predictions.append(Prediction(str(path), problem=error.reason))
        else:
            logits = model.predict_on_batch(batch)
            scores = keras.ops.convert_to_numpy(keras.ops.softmax(logits)).mean(axis=0)
            predictions.append(Prediction(str(path), scores=scores))
        if progress is not None:
            progress(done, len(paths))
    return predictions


def read_uniform_clips(video: Video, clip: ClipSpec, count: int) -> np.ndarray:
    """Read clips spread over a video in one pass: short side `clip.test_size`, centre crop.

    Returns:
        uint8 RGB, (count, frames, size, size, 3).

    Raises:
        DecodingError: If the file cannot be read.
    """
    start, seconds = part_of(video, probe(video.path))
    numbers = uniform_clips(grid_length(seconds, clip), clip, count)
    frames = read_frames(video.path, start + numbers.ravel() / clip.fps, clip.test_size)
    frames = centre_crop(frames, clip.size)
    return frames.reshape(count, clip.frames, *frames.shape[1:])  # (V, T, size, size, 3)
