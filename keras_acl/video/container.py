"""A video file that is open, and a walk through its frames (FFmpeg, through PyAV).

Timestamps decide, never the counters of a file's header, which may be absent or wrong. Pixels are
taken as square, as the reference loaders take them.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from itertools import chain

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.frame import PictureType
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from keras_acl.video.open import opened
from keras_acl.video.video import DecodingError, Video, VideoSource, as_video, decoding_errors

# Containers round timestamps (Matroska to whole milliseconds): the frame stored at 0.067 s is the
# one that is shown at 2/30 s.
TOLERANCE = 1.5e-3
# Far from the start, reading begins at a key frame SEEK_MARGIN seconds before the first wanted
# frame: longer than encoders reorder frames by.
SEEK_BEYOND = 2.0
SEEK_MARGIN = 1.0
LARGEST = 2**31 - 1  # pixels that FFmpeg can count
COMPLETE = 0.9  # share of what the header promises; less is a file cut short
# Without the two flags FFmpeg's colours come out 1 to 2 levels too dark, but only at even widths.
SCALING = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND


@contextlib.contextmanager
def open_video(source: VideoSource) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file at its main video stream, and close it at the end.

    Args:
        source: Path or `Video`.

    Raises:
        DecodingError: If FFmpeg cannot open the file, or raises an error while it is read, or its
            frames are larger than the limits.
    """
    video = as_video(source)
    with decoding_errors(video), opened(video) as container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise DecodingError(video.path, "it holds no video stream")
        context = stream.codec_context
        if context is None:
            raise DecodingError(video.path, "FFmpeg has no decoder for its video stream")
        check_size(video, context.height, context.width)
        # The decoder's own limit, should frames be larger than the header says. It counts rows
        # that are filled up to whole blocks.
        context.options = {"max_pixels": str(min(2 * video.limits.pixels, LARGEST))}
        # Many videos are decoded at a time: one thread for each is most efficient.
        context.thread_count = 1
        yield container, stream


def check_size(video: Video, height: int, width: int, made: str = "of") -> None:
    """Refuse frames that are larger than a video's limits.

    Args:
        video: The video.
        height: Height of a frame.
        width: Width of a frame.
        made: What became of the frames, for the message.

    Raises:
        DecodingError: If they are too large.
    """
    limits = video.limits
    if max(height, width) > limits.side or height * width > limits.pixels:
        raise DecodingError(
            video.path,
            f"frames {made} {width}x{height} are larger than the limits, a side of {limits.side} "
            f"and {limits.pixels} pixels (`VideoLimits` raises them)",
        )


def packets(
    source: VideoSource, container: InputContainer, stream: VideoStream
) -> Generator[av.Packet, None, None]:
    """Yield the packets of a stream in the order of the file; the last one is empty.

    Raises:
        DecodingError: If the file is damaged in a way that FFmpeg takes for another stream.
    """
    try:
        yield from container.demux(stream)
    except IndexError as error:  # PyAV knows the streams of the header only
        raise DecodingError(
            as_video(source).path, "another stream begins in the middle of it"
        ) from error


def too_long(source: VideoSource) -> DecodingError:
    """The error of a video that has more frames or seconds than its limits."""
    video = as_video(source)
    return DecodingError(
        video.path,
        f"it is longer than the limits, {video.limits.frames} frames and "
        f"{video.limits.seconds:.0f} s (`VideoLimits` raises them)",
    )


def can_jump(container: InputContainer) -> bool:
    """Whether frames keep their timestamps when reading begins somewhere in the file.

    MPEG program streams have one now and then; the others are guessed from the last one read.
    """
    return container.format.name != "mpeg"


def stamp_of(frame: av.VideoFrame, container: InputContainer) -> int | None:
    """When a frame is shown, in the stream's unit; None where the file does not say.

    AVI knows only when a frame is decoded: what comes out then is what is shown next.
    """
    return frame.dts if container.format.name == "avi" else frame.pts


def frame_rate(stream: VideoStream) -> Fraction:
    """Frames per second by the header: for files without timestamps only."""
    return stream.average_rate or stream.guessed_rate or Fraction(25)


def shown_frames(
    source: VideoSource, earliest: float = 0.0
) -> Generator[tuple[float, av.VideoFrame], None, None]:
    """Decode the frames in the order in which they are shown.

    Close the generator (`contextlib.closing`) where reading may stop early.

    Args:
        source: Path or `Video`.
        earliest: Second from which frames are wanted. Reading starts with the frame shown then, or
            with an earlier one.

    Yields:
        Seconds since the first frame of the file, and the frame.

    Raises:
        DecodingError: If no frame can be decoded, or the file is damaged.
    """
    with open_video(source) as (container, stream):
        frames = timed_frames(source, container, stream)
        first = next(frames, None)
        if first is None:
            raise DecodingError(as_video(source).path, "no frame of it can be decoded")
        origin = first[0]
        if earliest > SEEK_BEYOND and first[1].pts is not None and can_jump(container):
            frames = _decode_from(source, container, stream, origin + earliest - SEEK_MARGIN)
            # Before the key frame there may be frames that lack the frames they are predicted from.
            first = next((pair for pair in frames if pair[1].key_frame), None)
            if first is None or not whole_picture(first[1]) or first[0] > origin + earliest:
                # The file's index is wrong: read from the beginning.
                yield from shown_frames(source)
                return
        for second, frame in chain([first], frames):
            yield float(second) - float(origin), frame


def timed_frames(
    source: VideoSource,
    container: InputContainer,
    stream: VideoStream,
    damaged: Callable[[], object] | None = None,
) -> Generator[tuple[Fraction, av.VideoFrame], None, None]:
    """Decode from the current position on; the one clock of frames.

    Args:
        source: Path or `Video`.
        container: Container of the file.
        stream: Video stream of the container.
        damaged: Called for each packet that cannot be decoded, which is then left out. None: such
            a packet is an error.

    Yields:
        Exact seconds of the timestamp, and the frame. Frames without a timestamp follow each other
        at the stream's rate.

    Raises:
        DecodingError: If the file is damaged.
    """
    step, tick = 1 / frame_rate(stream), stream.time_base or Fraction(1)
    second, count, limits = -step, 0, as_video(source).limits
    for packet in packets(source, container, stream):
        try:
            decoded = stream.decode(packet)
        except av.error.FFmpegError:
            if damaged is None:
                raise
            damaged()
            continue
        for frame in decoded:
            stamp = stamp_of(frame, container)
            second = second + step if stamp is None else stamp * tick
            count += 1
            if count > limits.frames:
                raise too_long(source)
            yield second, frame


def is_cut_short(
    container: InputContainer, stream: VideoStream, frames: int, seconds: float, begin: float
) -> bool:
    """Whether a file's header promises much more than there is.

    Args:
        container: Container of the file.
        stream: Video stream of the container.
        frames: Number of frames found; 0 if it says nothing, as where an edit list hides some.
        seconds: Seconds found, from the first frame on.
        begin: Second of the first frame's timestamp.
    """
    share = 1.0
    if stream.frames and frames:
        share = frames / stream.frames
    elif container.duration:  # of all streams: half a second for sound that goes on longer
        counted = begin if "matroska" in container.format.name else 0.0  # its seconds count from 0
        share = (counted + seconds + 0.5) * av.time_base / container.duration
    return share < COMPLETE


def whole_picture(frame: av.VideoFrame) -> bool:
    """Whether decoding can begin with a frame, and the frame has a timestamp.

    Files that are refreshed bit by bit (x264's intra-refresh) have key frames that only look so.
    """
    return frame.pts is not None and frame.pict_type == PictureType.I


def upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    """(height, width) of a frame after the rotation that its file asks for."""
    return (frame.width, frame.height) if frame.rotation % 180 else (frame.height, frame.width)


def to_rgb(
    frame: av.VideoFrame, height: int, width: int, reformatter: VideoReformatter
) -> np.ndarray:
    """Convert one frame to RGB, resize it (bilinear) and turn it upright.

    Args:
        frame: A decoded frame.
        height: Height of the result in pixels.
        width: Width of the result in pixels.
        reformatter: Converter, shared by the frames of a file because it caches FFmpeg's tables.

    Returns:
        RGB, uint8, shape (height, width, 3).
    """
    turns = round(frame.rotation / 90)  # counter-clockwise
    if turns % 2:
        height, width = width, height
    image = reformatter.reformat(frame, width, height, "rgb24", interpolation=SCALING, threads=1)
    return np.rot90(image.to_ndarray(), turns)


def _decode_from(
    source: VideoSource, container: InputContainer, stream: VideoStream, second: float
) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """The timed frames from a key frame before `second` on; none if the file cannot be seeked."""
    try:
        container.seek(int(second / (stream.time_base or 1)), stream=stream)
    except av.error.FFmpegError:  # no error of the file's pictures
        return
    yield from timed_frames(source, container, stream)
