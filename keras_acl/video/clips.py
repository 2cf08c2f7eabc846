"""Clips of videos, which are many frames of one part. Seconds count from the first frame shown."""

import functools
from collections.abc import Sequence

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.video.crop import centre_corner, resized
from keras_acl.video.frame_table import VideoInfo, probe
from keras_acl.video.modality import read_modality
from keras_acl.video.read import read_frames, read_squares
from keras_acl.video.sampling import grid_length, random_clip, uniform_clips
from keras_acl.video.video import DecodingError, Video, VideoSource


def read_seen(
    source: VideoSource, times: Sequence[float] | np.ndarray, clip: ClipSpec
) -> np.ndarray:
    """Read what a model sees in prediction: short side `clip.test_size`, centre crop.

    Args:
        source: Path or `Video`, as in `read_frames`.
        times: Seconds from the first frame, as in `read_frames`.
        clip: Clip that the model takes.

    Returns:
        uint8, upright, shape (len(times), size, size, 3), see `ClipSpec.modality`.

    Raises:
        DecodingError: If the file cannot be read up to the last wanted frame.
    """
    corner = functools.partial(centre_corner, size=clip.size)

    def read(source: VideoSource) -> np.ndarray:
        return read_squares(source, times, clip.test_size, clip.size, corner)

    return read_modality(source, clip, read)


def read_uniform_clips(video: Video, clip: ClipSpec, count: int) -> np.ndarray:
    """Read clips spread over a video in one pass, as a model sees them (`read_seen`).

    A single clip is the one in the middle.

    Args:
        video: Video to read, from its `start` to its `end`.
        clip: Clip that the model takes.
        count: Number of clips (V).

    Returns:
        uint8, shape (V, frames, size, size, 3), see `ClipSpec.modality`.

    Raises:
        DecodingError: If the file cannot be read.
    """
    start, seconds = part_of(video, probe(video))
    numbers = uniform_clips(grid_length(seconds, clip), clip, count)
    frames = read_seen(video, start + numbers.ravel() / clip.fps, clip)
    return frames.reshape(count, clip.frames, *frames.shape[1:])  # (V, T, size, size, 3)


def read_clip(
    video: Video,
    clip: ClipSpec,
    rng: np.random.Generator | None = None,
    short_side: int | None = None,
) -> np.ndarray:
    """Read one clip of a video: a random one with `rng`, else the centre one.

    Args:
        video: Video to read, from its `start` to its `end`.
        clip: Clip that the model takes.
        rng: Random generator; see `sampling.record_rng`.
        short_side: Pixels to resize the shorter side to.

    Returns:
        RGB frames, uint8, upright, shape (frames, height, width, 3); flow as `ClipSpec.modality`
        has it, resized to the size of the frames.

    Raises:
        DecodingError: If the file cannot be read, or ends before the video's `start`.
    """
    times, info = clip_times(video, clip, rng), probe(video)
    size = info.height, info.width
    if short_side is not None:
        size = resized(*size, short_side)
    return read_modality(video, clip, lambda source: read_frames(source, times, size=size))


def clip_times(video: Video, clip: ClipSpec, rng: np.random.Generator | None = None) -> np.ndarray:
    """Times of the frames of one clip of a video: a random clip with `rng`, else the centre one.

    Args:
        video: Video to read, from its `start` to its `end`.
        clip: Clip that the model takes.
        rng: Random generator.

    Returns:
        Seconds from the file's first frame, ascending, shape (frames,).

    Raises:
        DecodingError: If the file cannot be measured, or ends before the video's `start`.
    """
    start, seconds = part_of(video, probe(video))
    total = grid_length(seconds, clip)
    numbers = uniform_clips(total, clip, 1)[0] if rng is None else random_clip(total, clip, rng)
    return start + numbers / clip.fps


def part_of(video: Video, info: VideoInfo) -> tuple[float, float]:
    """First second and length of a video within its file.

    Args:
        video: Video with its `start` and `end`.
        info: Result of `probe` for its file.

    Returns:
        First second and length in seconds.

    Raises:
        DecodingError: If the file ends before the video's `start`.
    """
    start = video.start or 0.0
    end = info.seconds if video.end is None else min(video.end, info.seconds)
    if end <= start:
        raise DecodingError(
            video.path,
            f"it ends after {info.seconds:.2f} s, but the part that counts begins at {start:.2f} s",
        )
    return start, end - start
