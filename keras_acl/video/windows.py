"""Sliding windows over a long recording, in one forward pass and constant memory.

The frames of a window are on the grid of `sampling`: number n is the frame that is shown at second
n / clip.fps. A window equals what `read_seen` returns for the same seconds.
"""

import contextlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple, TypeVar

import av
import av.error
import numpy as np
from av.container import InputContainer

from keras_acl.clip import ClipSpec
from keras_acl.video.container import (
    TOLERANCE,
    frame_rate,
    is_cut_short,
    open_video,
    timed_frames,
    too_long,
)
from keras_acl.video.crop import centre_corner
from keras_acl.video.cutter import Squares
from keras_acl.video.flow import flow_of
from keras_acl.video.sampling import frame_offsets, grid_length
from keras_acl.video.video import DecodingError, VideoSource, as_video, decoding_errors

LONGEST_STILL = 3600.0  # seconds: no frame is shown for longer, whatever damaged timestamps say
T = TypeVar("T")


class Window(NamedTuple):
    """One clip of a recording.

    Args:
        start: Second at which the clip begins.
        end: Second at which it ends; in a recording shorter than a clip, the recording's end.
        clip: Frames, uint8 RGB, (frames, size, size, 3).
    """

    start: float
    end: float
    clip: np.ndarray


def slide(items: Iterable[T], span: int, stride: int) -> Iterator[tuple[int, int, list[T]]]:
    """Yield windows of `span` successive items, `stride` apart; at most `span` items are held.

    The last window ends with the last item, so that every item is in a window; it may begin less
    than a stride after the one before. Fewer than `span` items make one window, in which the last
    item is repeated.

    Args:
        items: Items in order.
        span: Items per window, 1 or more.
        stride: Items from the beginning of a window to that of the next, 1 to `span`.

    Yields:
        Number of the first item, number after the last item, and the items.
    """
    held: deque[T] = deque(maxlen=span)
    count, covered, start = 0, 0, 0
    for item in items:
        held.append(item)
        count += 1
        if count == start + span:
            yield start, count, list(held)
            covered, start = count, start + stride
    if covered < count:
        missing = max(span - count, 0)
        yield max(count - span, 0), count, list(held) + [held[-1]] * missing


def stride_frames(clip: ClipSpec, stride: float | None) -> int:
    """Convert a stride from seconds to a whole number of frames of the grid, at least one.

    Args:
        clip: Clip that the model takes.
        stride: Stride in seconds; None is half a clip.

    Raises:
        ValueError: If the stride is not positive, or longer than a clip, which would leave gaps.
    """
    if stride is None:
        return max(clip.span // 2, 1)
    if not 0 < stride <= clip.seconds + TOLERANCE:
        raise ValueError(
            "Windows follow each other without a gap: expected a stride above 0 and up to the "
            f"clip's {clip.seconds:.2f} s. Received: stride={stride}"
        )
    return min(max(round(stride * clip.fps), 1), clip.span)


def stated_seconds(source: VideoSource) -> float | None:
    """Length of a video by its header, which may be missing (None) or wrong.

    Raises:
        DecodingError: If the file cannot be opened.
    """
    with open_video(source) as (container, _):
        return _stated_seconds(container)


def read_windows(
    source: VideoSource, clip: ClipSpec, stride: int, faults: list[str]
) -> Generator[Window, None, None]:
    """Read a recording in windows, as a model sees it: short side `clip.test_size`, centre crop.

    As much of a damaged file is read as possible: in place of frames that cannot be decoded the
    frame before them is repeated, and a file that is cut short is read up to its end.

    Args:
        source: Path or `Video`.
        clip: Clip that the model takes; a window covers `clip.span` frames of its grid.
        stride: Frames of the grid from a window to the next, see `stride_frames`.
        faults: List to which what is wrong with the file is added by the end.

    Yields:
        The windows in order; none if no frame can be read.
    """
    offsets = frame_offsets(clip)
    with contextlib.closing(grid_frames(source, clip, faults)) as frames:
        for start, stop, held in slide(frames, clip.span, stride):
            images = np.stack([held[offset] for offset in offsets])  # (T, size, size, 3)
            yield Window(start / clip.fps, stop / clip.fps, images)


def grid_frames(
    source: VideoSource, clip: ClipSpec, faults: list[str]
) -> Generator[np.ndarray, None, None]:
    """Yield what a model sees of a video at 0, 1, 2, ... / clip.fps seconds.

    A frame that is shown longer is repeated as the same array; one that falls between the times is
    not converted.

    Yields:
        uint8, (size, size, clip.channels), see `ClipSpec.modality`.
    """
    if clip.modality == "rgb":
        yield from _pictures(source, clip, faults)
        return
    with contextlib.closing(_pictures(flow_of(source), clip, faults)) as flows:
        if clip.modality == "flow":
            yield from (flow[..., :2] for flow in flows)
            return
        with contextlib.closing(_pictures(source, clip, faults)) as pictures:
            for picture, flow in zip(pictures, flows, strict=False):  # one may end a frame earlier
                yield np.concatenate([picture, flow[..., :2]], axis=-1)


def _pictures(
    source: VideoSource, clip: ClipSpec, faults: list[str]
) -> Generator[np.ndarray, None, None]:
    """Frames of a video, or of its flow, on the grid, uint8 RGB (size, size, 3)."""
    number = 0
    # Frames one by one, as streams may change their size.
    cut = Squares(
        clip.test_size,
        clip.size,
        lambda height, width: [centre_corner(height, width, clip.size)],
        follow=True,
    )
    with decoding_errors(source), contextlib.closing(_spans(source, faults)) as spans:
        for frame, until, is_last in spans:
            image = None
            last = grid_length(until, clip) if is_last else 0
            while number < last or (not is_last and number / clip.fps < until - TOLERANCE):
                if image is None:
                    image = cut(frame)[0].copy()  # a view would hold the whole picture
                yield image
                number += 1


def _spans(
    source: VideoSource, faults: list[str]
) -> Generator[tuple[av.VideoFrame, float, bool], None, None]:
    """Each frame, the second until which it is shown, and whether it is the last one."""
    with contextlib.closing(_readable_frames(source, faults)) as frames:
        current, shown, end = None, 0.0, 0.0
        for second, duration, frame in frames:
            if current is not None and second - shown > LONGEST_STILL:
                faults.append(f"its timestamps jump from {shown:.2f} s to {second:.2f} s")
                break
            if second > as_video(source).limits.seconds:
                faults.append(too_long(source).reason)
                break
            if current is not None:
                yield current, second, False
            current, shown, end = frame, second, max(end, second + duration)
        if current is not None:
            yield current, end, True


def _readable_frames(
    source: VideoSource, faults: list[str]
) -> Generator[tuple[float, float, av.VideoFrame], None, None]:
    """Second, duration and frame of all that can be decoded."""
    origin, end = None, 0.0
    damage: list[float] = []  # seconds of what cannot be decoded
    try:
        with open_video(source) as (container, stream):
            step, tick = 1 / frame_rate(stream), stream.time_base or Fraction(1)
            note = lambda: damage.append(end)  # noqa: E731
            for second, frame in timed_frames(source, container, stream, note):
                origin = second if origin is None else origin
                shown = float(second - origin)
                if frame.is_corrupt:
                    damage.append(shown)
                duration = float(frame.duration * tick or step)
                end = max(end, shown + duration)
                yield shown, duration, frame
            begin = float(max(origin or 0, 0))
            cut_short = is_cut_short(container, stream, 0, end, begin)
        if damage:
            faults.append(f"damaged frames: {len(damage)}, the first at {damage[0]:.2f} s")
        if cut_short:
            faults.append(f"it breaks off after {end:.2f} s, far from its stated end")
    except DecodingError as error:
        faults.append(error.reason if origin is None else f"after {end:.2f} s: {error.reason}")
    if origin is None and not faults:
        faults.append("no frame of it can be decoded")


def _stated_seconds(container: InputContainer) -> float | None:
    return container.duration / av.time_base if container.duration else None
