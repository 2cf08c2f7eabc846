"""Frames and clips of video files. Seconds count from the first frame that is shown."""

import contextlib
import itertools
import math
from collections.abc import Generator, Sequence
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from keras_acl.clip import ClipSpec
from keras_acl.video.container import TOLERANCE, shown_frames, to_rgb, upright_size
from keras_acl.video.crop import Crop, centre_crop, resized
from keras_acl.video.cutter import Cutter
from keras_acl.video.frame_table import VideoInfo, probe, remembered
from keras_acl.video.sampling import grid_length, random_clip, uniform_clips
from keras_acl.video.seek import LostFrameError, decode_frames, numbers_at
from keras_acl.video.video import DecodingError, Video


def read_frames(
    path: str | Path,
    times: Sequence[float] | np.ndarray,
    short_side: int | None = None,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Read the frames that are shown at the given times.

    A time belongs to the last frame shown at or before it; beyond the end that is the last frame.
    The file is read forward once, from a key frame before the first wanted time to the last wanted
    time. Only wanted frames are converted, and FFmpeg resizes them (bilinear).

    A file that is damaged before the last wanted frame is an error, even if most of the clip can be
    read: repeated frames in place of missing ones would teach a model nonsense.

    Args:
        path: Path of the file.
        times: Seconds from the first frame, in any order; repeats are allowed.
        short_side: Pixels to resize the shorter side to; the longer one follows, rounded down as in
            PySlowFast.
        size: (height, width) to resize to instead.

    Returns:
        RGB frames, uint8, upright, shape (len(times), height, width, 3).

    Raises:
        DecodingError: If the file cannot be read up to the last wanted frame.
        ValueError: If `times` is empty or not finite, or the wanted size makes no sense.
    """
    wanted = _checked_times(times)
    order = np.argsort(wanted, kind="stable")
    clip = np.empty(0, np.uint8)
    with contextlib.closing(stream_frames(path, wanted[order], short_side, size)) as frames:
        for place, frame in zip(order, frames, strict=True):
            if not clip.size:
                clip = np.empty((len(wanted), *frame.shape), np.uint8)
            clip[place] = frame
    return clip


def stream_frames(
    path: str | Path,
    times: Sequence[float] | np.ndarray,
    short_side: int | None = None,
    size: tuple[int, int] | None = None,
) -> Generator[np.ndarray, None, None]:
    """Yield the frames of `read_frames` one by one, for times in ascending order.

    One frame is held at a time. Close the generator (`contextlib.closing`) where reading may stop
    early.

    Args:
        path: Path of the file.
        times: Seconds from the first frame, ascending; repeats are allowed.
        short_side: Pixels of the shorter side, as in `read_frames`.
        size: (height, width), as in `read_frames`.

    Yields:
        RGB, uint8, upright, shape (height, width, 3); the same array for repeats.

    Raises:
        DecodingError: If the file cannot be read up to the last wanted frame.
        ValueError: If `times` is empty, not finite or not ascending, or the wanted size makes no
            sense.
    """
    wanted = _ascending(times)
    _check_size(short_side, size)
    reformatter = VideoReformatter()
    height = width = 0
    with contextlib.closing(_frames_of(path, wanted)) as frames:
        for frame, count in frames:
            if not height:  # all frames get the first one's size, should it change in the file
                height, width = _target_size(upright_size(frame), short_side, size)
            yield from itertools.repeat(to_rgb(frame, height, width, reformatter), count)


def read_crops(path: str | Path, times: Sequence[float] | np.ndarray, crop: Crop) -> np.ndarray:
    """Read the same crop of the frames that are shown at the given times.

    The result is a crop of what `read_frames` returns, but only the crop is resized; see `Cutter`
    for what that changes.

    Args:
        path: Path of the file.
        times: Seconds from the first frame, ascending; repeats are allowed.
        crop: The crop.

    Returns:
        RGB frames, uint8, upright, shape (len(times), size, size, 3).

    Raises:
        DecodingError: If the file cannot be read up to the last wanted frame.
        ValueError: If `times` is empty, not finite or not ascending.
    """
    wanted = _ascending(times)
    clip = np.empty((len(wanted), crop.size, crop.size, 3), np.uint8)
    cutter, filled = Cutter(crop), 0
    with contextlib.closing(_frames_of(path, wanted)) as frames:
        for frame, count in frames:
            cutter(frame, clip[filled])
            clip[filled + 1 : filled + count] = clip[filled]
            filled += count
    return clip


def read_seen(path: str | Path, times: Sequence[float] | np.ndarray, clip: ClipSpec) -> np.ndarray:
    """Read what a model sees in prediction: short side `clip.test_size`, centre crop.

    Args:
        path: Path of the file.
        times: Seconds from the first frame, as in `read_frames`.
        clip: Clip that the model takes.

    Returns:
        uint8 RGB, upright, shape (len(times), size, size, 3).

    Raises:
        DecodingError: If the file cannot be read up to the last wanted frame.
    """
    return centre_crop(read_frames(path, times, clip.test_size), clip.size)


def read_uniform_clips(video: Video, clip: ClipSpec, count: int) -> np.ndarray:
    """Read clips spread over a video in one pass, as a model sees them (`read_seen`).

    A single clip is the one in the middle.

    Args:
        video: Video to read, from its `start` to its `end`.
        clip: Clip that the model takes.
        count: Number of clips (V).

    Returns:
        uint8 RGB, shape (V, frames, size, size, 3).

    Raises:
        DecodingError: If the file cannot be read.
    """
    start, seconds = part_of(video, probe(video.path))
    numbers = uniform_clips(grid_length(seconds, clip), clip, count)
    frames = read_seen(video.path, start + numbers.ravel() / clip.fps, clip)
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
        RGB frames, uint8, upright, shape (frames, height, width, 3).

    Raises:
        DecodingError: If the file cannot be read, or ends before the video's `start`.
    """
    return read_frames(video.path, clip_times(video, clip, rng), short_side)


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
    start, seconds = part_of(video, probe(video.path))
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


def _frames_of(
    path: str | Path, wanted: np.ndarray
) -> Generator[tuple[av.VideoFrame, int], None, None]:
    """Each frame that is shown at wanted seconds, and at how many of them."""
    filled, table = 0, remembered(path)
    # Making a table is not worth it here: that reads the whole file.
    if table is not None and table.stamps.size:
        numbers, counts = np.unique(numbers_at(table, wanted), return_counts=True)
        try:
            with contextlib.closing(decode_frames(path, table, numbers)) as frames:
                for frame, count in zip(frames, counts.tolist(), strict=True):
                    yield frame, count
                    filled += count
            return
        except LostFrameError:
            pass
    with contextlib.closing(_spans(path, float(wanted[filled]))) as spans:
        for frame, until in spans:
            due = int(np.searchsorted(wanted, until - TOLERANCE))
            if due > filled:
                yield frame, due - filled
                filled = due
            if filled == len(wanted):
                return


def _spans(path: str | Path, earliest: float) -> Generator[tuple[av.VideoFrame, float], None, None]:
    """Each frame and the second at which the next one replaces it."""
    with contextlib.closing(shown_frames(path, earliest)) as frames:
        _, current = next(frames)
        for second, frame in frames:
            yield current, second
            current = frame
        yield current, math.inf


def _target_size(
    upright: tuple[int, int], short_side: int | None, size: tuple[int, int] | None
) -> tuple[int, int]:
    if size is not None:
        return size
    return upright if short_side is None else resized(*upright, short_side)


def _ascending(times: Sequence[float] | np.ndarray) -> np.ndarray:
    wanted = _checked_times(times)
    if np.any(np.diff(wanted) < 0):
        raise ValueError("`times` must ascend: a file is read forward. Sort them.")
    return wanted


def _checked_times(times: Sequence[float] | np.ndarray) -> np.ndarray:
    wanted = np.asarray(times, dtype=np.float64)
    if wanted.ndim != 1 or not wanted.size or not np.all(np.isfinite(wanted)):
        raise ValueError(
            f"`times` must be a list of at least one second, all finite. Received: times={times!r}"
        )
    return wanted


def _check_size(short_side: int | None, size: tuple[int, int] | None) -> None:
    if short_side is not None and size is not None:
        raise ValueError(
            "Frames are resized by `short_side` or to `size`, not by both. "
            f"Received: short_side={short_side}, size={size}"
        )
    sides = size or (1 if short_side is None else short_side,)
    if min(sides) < 1:
        raise ValueError(
            f"A frame has at least one pixel a side. Received: short_side={short_side}, size={size}"
        )
