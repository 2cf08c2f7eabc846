"""Which frames make a clip: index arithmetic only, no files.

Frame numbers count on a grid of `clip.fps` frames per second that starts with the video's first
frame: number n is the frame shown at second n / clip.fps, whatever the file's own rate. `total` is
the length of a video on that grid, floor(seconds * clip.fps), at least 1.

A clip that is longer than its video starts at the first frame and repeats the last one. Clips of
segments (`ClipSpec(segments=True)`) cover every video whole, and repeat frames of a short one.
"""

import math

import numpy as np

from keras_acl.clip import ClipSpec


def grid_length(seconds: float, clip: ClipSpec) -> int:
    """Number of frames of a video on the `clip.fps` grid.

    floor(seconds * fps), at least 1, with a tolerance of a twentieth of a frame, as many containers
    round timestamps to milliseconds.

    Args:
        seconds: Length of the video in seconds.
        clip: Clip that the model takes.
    """
    return max(math.floor(seconds * clip.fps + 0.05), 1)


def frame_offsets(clip: ClipSpec) -> np.ndarray:
    """Frame numbers of a clip relative to its first one.

    Evenly spread over the span, both ends included and truncated to integers, as PySlowFast's
    `temporal_sampling` does: 32 of 64 frames are 0, 2, 4, ..., 58, 60, 63. Of segments: the middle
    of each.

    Args:
        clip: Clip that the model takes.

    Returns:
        Integers, shape (frames,), from 0 to span - 1.
    """
    if clip.segments:
        return _in_segments(clip.span, clip, 0.5)
    return _truncated(np.linspace(0, clip.span - 1, clip.frames))


def random_clip(total: int, clip: ClipSpec, rng: np.random.Generator) -> np.ndarray:
    """Frame numbers of one clip at a random place: training.

    The start is uniform over every place where the whole span fits, both ends included. Of segments
    each frame is uniform over its own.

    Args:
        total: Number of frames of the video on the `clip.fps` grid.
        clip: Clip that the model takes.
        rng: Random generator; see `record_rng`.

    Returns:
        Integers, shape (frames,), between 0 and total - 1.

    Raises:
        ValueError: If `total` is not positive.
    """
    _check_total(total)
    if clip.segments:
        return _in_segments(total, clip, rng.random(clip.frames // clip.stack))
    start = int(rng.integers(0, max(total - clip.span, 0), endpoint=True))
    return np.minimum(start + frame_offsets(clip), total - 1)


def uniform_clips(total: int, clip: ClipSpec, count: int) -> np.ndarray:
    """Frame numbers of `count` clips spread over the video: testing.

    Clip i starts at delta * i / count with delta = max(total - span, 0), and its numbers are
    truncated last, as in PySlowFast's 10 test clips; so the very end of a video is not seen. A
    single clip is the centre one, at delta / 2. Of segments, clip i has the frames at
    (i + 1/2) / count of each; a single clip the middle ones, as TSN's test.

    Args:
        total: Number of frames of the video on the `clip.fps` grid.
        clip: Clip that the model takes.
        count: Number of clips.

    Returns:
        Integers, shape (count, frames), between 0 and total - 1.

    Raises:
        ValueError: If `total` or `count` is not positive.
    """
    _check_total(total)
    if count < 1:
        raise ValueError(f"A video has at least one clip. Received: count={count}")
    if clip.segments:
        return np.stack([_in_segments(total, clip, (i + 0.5) / count) for i in range(count)])
    delta = max(total - clip.span, 0)
    starts = np.array([delta / 2]) if count == 1 else delta * np.arange(count) / count
    offsets = np.linspace(0, clip.span - 1, clip.frames)
    return _truncated(np.minimum(starts[:, None] + offsets, total - 1))


def record_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """Random generator of one record in one epoch.

    The same three numbers give the same clip and the same crop, in whatever order, thread or
    process records are read; any other three give an independent generator.

    Args:
        seed: Seed of the run, 0 or more.
        epoch: Epoch, 0 or more.
        index: Index of the record in its list, 0 or more.

    Raises:
        ValueError: If a number is negative.
    """
    if min(seed, epoch, index) < 0:
        raise ValueError(
            "A record's random stream needs numbers of 0 or more. "
            f"Received: seed={seed}, epoch={epoch}, index={index}"
        )
    return np.random.default_rng(np.random.SeedSequence((seed, epoch, index)))


def _in_segments(total: int, clip: ClipSpec, place: float | np.ndarray) -> np.ndarray:
    """Frame numbers at a place, from 0 to below 1, of each of the equal segments.

    A stack of them begins there, and the last one ends with the video, as in TSN's code.
    """
    segments, starts = clip.frames // clip.stack, max(total - clip.stack + 1, 1)
    numbers = _truncated((np.arange(segments) + place) * (starts / segments))
    return np.minimum(np.add.outer(numbers, np.arange(clip.stack)).ravel(), total - 1)


def _truncated(numbers: np.ndarray) -> np.ndarray:
    return np.floor(numbers + 1e-6).astype(np.int64)  # 23.4 + 0.6 is 24, not 23.999...


def _check_total(total: int) -> None:
    if total < 1:
        raise ValueError(
            f"A video has at least one frame on the clip's grid. Received: total={total}"
        )
