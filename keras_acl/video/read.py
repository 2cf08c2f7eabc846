"""Frames of video files. Seconds count from the first frame that is shown."""

import contextlib
import itertools
import math
from collections.abc import Callable, Generator, Sequence

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from keras_acl.video.container import (
    TOLERANCE,
    check_size,
    shown_frames,
    to_rgb,
    upright_size,
)
from keras_acl.video.crop import Crop, resized
from keras_acl.video.cutter import Cutter, Squares
from keras_acl.video.frame_table import remembered
from keras_acl.video.held import HeldVideo, on_disk
from keras_acl.video.seek import LostFrameError, decode_frames, numbers_at
from keras_acl.video.video import (
    VideoSource,
    as_video,
    decoding_errors,
)


def read_frames(
    source: VideoSource | HeldVideo,
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
        source: Path or URL, `Video` (whose start and end are ignored here), bytes, or a file
            object.
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
    with on_disk(source) as path:
        return _filled(path, order, stream_frames(path, wanted[order], short_side, size))


def stream_frames(
    source: VideoSource,
    times: Sequence[float] | np.ndarray,
    short_side: int | None = None,
    size: tuple[int, int] | None = None,
) -> Generator[np.ndarray, None, None]:
    """Yield the frames of `read_frames` one by one, for times in ascending order.

    One frame is held at a time. Close the generator (`contextlib.closing`) where reading may stop
    early.

    Args:
        source: Path or `Video`; of the latter, start and end are ignored here.
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
    with decoding_errors(source), contextlib.closing(_frames_of(source, wanted)) as frames:
        for frame, count in frames:
            if not height:  # all frames get the first one's size, should it change in the file
                height, width = _target_size(upright_size(frame), short_side, size)
                check_size(as_video(source), height, width, "resized to")
            yield from itertools.repeat(to_rgb(frame, height, width, reformatter), count)


def read_crops(source: VideoSource, times: Sequence[float] | np.ndarray, crop: Crop) -> np.ndarray:
    """Read the same crop of the frames that are shown at the given times.

    The result is a crop of what `read_frames` returns, but only the crop is resized; see `Cutter`
    for what that changes.

    Args:
        source: Path or `Video`; of the latter, start and end are ignored here.
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
    with decoding_errors(source), contextlib.closing(_frames_of(source, wanted)) as frames:
        for frame, count in frames:
            cutter(frame, clip[filled])
            clip[filled + 1 : filled + count] = clip[filled]
            filled += count
    return clip


def read_squares(
    source: VideoSource,
    times: Sequence[float] | np.ndarray,
    short_side: int,
    size: int,
    corner: Callable[[int, int], tuple[int, int]],
) -> np.ndarray:
    """Read a square of the frames that are shown at the given times.

    It is cut out of what `read_frames` returns, but of a long strip only the square is resized.

    Args:
        source: Path or `Video`, as in `read_frames`.
        times: Seconds from the first frame, in any order; repeats are allowed.
        short_side: Pixels to resize the shorter side to.
        size: Side of the square.
        corner: Function of the resized height and width that returns the square's (top, left).

    Returns:
        RGB frames, uint8, upright, shape (len(times), size, size, 3).

    Raises:
        DecodingError: If the file cannot be read up to the last wanted frame.
        ValueError: If `times` is empty or not finite.
    """
    wanted = _checked_times(times)
    order = np.argsort(wanted, kind="stable")
    cut = Squares(short_side, size, lambda height, width: [corner(height, width)])
    streamed = stream_squares(source, wanted[order], cut)
    return _filled(source, order, (square for (square,) in streamed))


def stream_squares(
    source: VideoSource, times: Sequence[float] | np.ndarray, cut: Squares
) -> Generator[list[np.ndarray], None, None]:
    """Yield the squares of the frames shown at the given times, in ascending order.

    Args:
        source: Path or `Video`, as in `read_frames`.
        times: Seconds from the first frame, ascending; repeats are allowed.
        cut: What is cut out of each frame.

    Yields:
        The squares of a frame, uint8 RGB, each (size, size, 3); the same arrays for repeats.

    Raises:
        DecodingError: If the file cannot be read up to the last wanted frame.
        ValueError: If `times` is empty, not finite or not ascending.
    """
    wanted = _ascending(times)
    with decoding_errors(source), contextlib.closing(_frames_of(source, wanted)) as frames:
        for frame, count in frames:
            yield from itertools.repeat(cut(frame), count)


def _filled(
    source: VideoSource, order: np.ndarray, frames: Generator[np.ndarray, None, None]
) -> np.ndarray:
    """Frames in one array, each at its place of `order`, (len(order), H, W, 3)."""
    clip = np.empty(0, np.uint8)
    with decoding_errors(source), contextlib.closing(frames):
        for place, frame in zip(order, frames, strict=True):
            if not clip.size:
                clip = np.empty((len(order), *frame.shape), np.uint8)
            clip[place] = frame
    return clip


def _frames_of(
    source: VideoSource, wanted: np.ndarray
) -> Generator[tuple[av.VideoFrame, int], None, None]:
    """Each frame that is shown at wanted seconds, and at how many of them."""
    filled, table = 0, remembered(source)
    # Making a table is not worth it here: that reads the whole file.
    if table is not None and table.stamps.size:
        numbers, counts = np.unique(numbers_at(table, wanted), return_counts=True)
        try:
            with contextlib.closing(decode_frames(source, table, numbers)) as frames:
                for frame, count in zip(frames, counts.tolist(), strict=True):
                    yield frame, count
                    filled += count
            return
        except LostFrameError:
            pass
    with contextlib.closing(_spans(source, float(wanted[filled]))) as spans:
        for frame, until in spans:
            due = int(np.searchsorted(wanted, until - TOLERANCE))
            if due > filled:
                yield frame, due - filled
                filled = due
            if filled == len(wanted):
                return


def _spans(
    source: VideoSource, earliest: float
) -> Generator[tuple[av.VideoFrame, float], None, None]:
    """Each frame and the second at which the next one replaces it."""
    with contextlib.closing(shown_frames(source, earliest)) as frames:
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
