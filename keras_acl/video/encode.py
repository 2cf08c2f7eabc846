"""The one writer of video files, and copies of them that decode fast."""

import contextlib
import dataclasses
import itertools
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from keras_acl.system.atomic_write import written_whole
from keras_acl.video.container import frame_rate, open_video, timed_frames, upright_size
from keras_acl.video.frame_table import probe
from keras_acl.video.video import DecodingError, VideoSource

UNSPECIFIED = 2  # FFmpeg's code, of colour spaces, primaries and transfer curves alike
GROUP = 16  # frames from a key frame to the next
# `fastdecode` leaves out what is slowest to decode (arithmetic coding, the loop filter).
FAST_H264 = {"preset": "veryfast", "tune": "fastdecode", "g": str(GROUP)}


@dataclasses.dataclass(frozen=True)
class Codec:
    """A codec of copies, and its scale of quality.

    Args:
        best: The best quality.
        worst: The worst quality.
        usual: The quality that is taken where none is asked for.
        longest: Pixels of the longest side that it can store.
    """

    best: int
    worst: int
    usual: int
    longest: int


# By PSNR, the usual qualities are alike; MPEG-4 is up to half as large again, and decodes in two
# thirds of the time (examples/benchmarks/data.py).
CODECS = {"mpeg4": Codec(1, 31, 3, 8190), "h264": Codec(0, 51, 20, 16384)}


class StoppedError(Exception):
    """The caller asked to stop."""


def encode_anew(
    source: Path,
    target: Path,
    short_side: int,
    codec: str,
    quality: int,
    stop: threading.Event,
) -> None:
    """Write a smaller, upright, silent copy of a video, whole or not at all.

    Args:
        source: Path of the original.
        target: Path of the copy, which is MP4 whatever its suffix.
        short_side: Largest length of the shorter side in pixels.
        codec: A name of `CODECS`.
        quality: Of `mpeg4` the constant quantiser, of `h264` the constant rate factor.
        stop: Event that ends the copying when it is set.

    Raises:
        DecodingError: If the original cannot be read to its end, or is too long a strip.
        OSError: If the copy cannot be written.
        StoppedError: If `stop` was set.
    """
    probe(source)  # raises if the file is cut short, or no frame of it can be decoded
    with (
        written_whole(target) as beside,
        contextlib.closing(upright_frames(source, short_side)) as frames,
    ):
        first, rate = next(frames)
        if max(first.width, first.height) > CODECS[codec].longest:
            raise DecodingError(
                source,
                f"its copy would be {first.width} x {first.height} pixels, and {codec} stores "
                f"{CODECS[codec].longest} at most",
            )
        shown = itertools.chain([first], (frame for frame, _ in frames))
        write_all(shown, _copy_writer(beside, rate, codec, quality), beside, target, stop)


def write_all(
    frames: Iterable[av.VideoFrame],
    writer: contextlib.AbstractContextManager[Callable[[av.VideoFrame], None]],
    beside: Path,
    target: Path,
    stop: threading.Event | None,
) -> None:
    """Write frames to a file, and see that it is whole.

    Args:
        frames: The frames.
        writer: Gives the function that takes them, such as `video_writer`.
        beside: What it writes to.
        target: What the file will be called.
        stop: Event that ends the writing when it is set.

    Raises:
        OSError: If the file cannot be written to its end.
        StoppedError: If `stop` was set.
    """
    try:
        with writer as add:
            for frame in frames:
                if stop is not None and stop.is_set():
                    raise StoppedError
                add(frame)
    except av.error.FFmpegError as error:
        raise OSError(f"{target} cannot be written: {error.strerror}") from error
    try:
        probe(beside)
    except DecodingError as error:
        raise OSError(
            f"{target} was not written to its end ({error.reason}): is the disk full?"
        ) from error


@contextlib.contextmanager
def video_writer(
    file: str | Path,
    rate: Fraction | float,
    options: Mapping[str, str],
    threads: int = 0,
    rgb: bool = False,
) -> Iterator[Callable[[av.VideoFrame | np.ndarray], None]]:
    """Encode frames one by one: H.264 in yuv420p, MP4 with its index in front, for every player.

    Args:
        file: Path to write to. An error leaves part of a file: see `written_whole`.
        rate: Frames per second.
        options: Options of x264, such as {"crf": "18"}.
        threads: Number of threads that encode; 0 lets FFmpeg decide.
        rgb: Whether red, green and blue are encoded as they are, at full resolution, which FFmpeg
            decodes and few players do.

    Yields:
        A function to call with each frame: uint8 RGB (height, width, 3), both even; or a PyAV
        frame, whose timestamp and colour space are kept.
    """
    rate = Fraction(rate).limit_denominator(2**16)
    with av.open(str(file), "w", format="mp4", options={"movflags": "faststart"}) as container:
        codec, pixels = ("libx264rgb", "rgb24") if rgb else ("libx264", "yuv420p")
        stream = container.add_stream(codec, rate=rate, options=dict(options))
        stream.pix_fmt, stream.codec_context.thread_count = pixels, threads
        started = False

        def add(frame: av.VideoFrame | np.ndarray) -> None:
            nonlocal started
            if isinstance(frame, np.ndarray):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            if not started:
                _configure(stream, frame, rgb)
                started = True
            container.mux(stream.encode(frame))

        yield add
        if started:
            container.mux(stream.encode())


def _configure(stream: VideoStream, frame: av.VideoFrame, rgb: bool) -> None:
    """Take size, clock and colours from the first frame."""
    stream.height, stream.width = frame.height, frame.width
    if frame.time_base is not None:
        context = stream.codec_context
        context.time_base = frame.time_base
        if rgb:
            return
        context.color_range = ColorRange.MPEG
        context.colorspace = frame.colorspace


def _copy_writer(
    file: Path, rate: Fraction, codec: str, quality: int
) -> contextlib.AbstractContextManager[Callable[[av.VideoFrame], None]]:
    """The encoder of copies: one thread for each file, as several are encoded at a time."""
    if codec == "mpeg4":
        return _mpeg4_writer(file, rate, quality)
    return video_writer(file, rate, FAST_H264 | {"crf": str(quality)}, threads=1)


@contextlib.contextmanager
def _mpeg4_writer(
    file: Path, rate: Fraction, quality: int
) -> Iterator[Callable[[av.VideoFrame], None]]:
    """Encode frames one by one with MPEG-4 part 2, whose decoder has little to do."""
    options = {"qmin": str(quality), "qmax": str(quality), "g": str(GROUP)}
    with av.open(str(file), "w", format="mp4", options={"movflags": "faststart"}) as container:
        # The codec's own clock is too coarse for some files: it counts frames, and the container
        # has the times. Packets come in the order of the frames.
        stream = container.add_stream("mpeg4", rate=25, options=options)
        context = stream.codec_context
        context.pix_fmt, context.thread_count = "yuv420p", 1
        context.bit_rate = 2**30  # the quantiser decides
        times: list[tuple[int, Fraction]] = []
        written = 0

        def write(packets: list[av.Packet]) -> None:
            nonlocal written
            for packet in packets:
                packet.pts, packet.time_base = times[written]
                packet.dts, packet.duration = packet.pts, round(1 / rate / packet.time_base)
                container.mux(packet)
                written += 1

        def add(frame: av.VideoFrame) -> None:
            if not times:
                stream.height, stream.width = frame.height, frame.width
                stream.time_base = frame.time_base
                context.color_range, context.colorspace = ColorRange.MPEG, frame.colorspace
                if frame.colorspace != UNSPECIFIED:
                    # MP4 keeps the matrix of colours only together with these two.
                    context.color_primaries = _known(frame.color_primaries)
                    context.color_trc = _known(frame.color_trc)
            times.append((frame.pts or 0, frame.time_base or 1 / rate))
            frame.pts, frame.time_base = len(times) - 1, Fraction(1, 25)
            write(stream.encode(frame))

        yield add
        if times:
            write(stream.encode())


def _known(code: int) -> int:
    """A code of FFmpeg for primaries or for a transfer curve: BT.709's if it is unspecified."""
    return 1 if code == UNSPECIFIED else code


def upright_frames(
    source: VideoSource, short_side: int
) -> Generator[tuple[av.VideoFrame, Fraction], None, None]:
    """Yield the frames that are shown, resized and upright, with times from 0; and the mean rate.

    Args:
        source: Path or `Video`.
        short_side: Largest length of the shorter side in pixels.

    Yields:
        Frames in yuv420p, both sides even, and frames per second.

    Raises:
        DecodingError: If the file cannot be read to its end.
    """
    reformatter, origin = VideoReformatter(), None
    width = height = 0
    with contextlib.closing(_stamped(source)) as stamped:
        for frame, stamp, unit, rate in stamped:
            if origin is None:
                origin = stamp
                height, width = _even_size(upright_size(frame), short_side)
            turns = round(frame.rotation / 90)  # counter-clockwise
            sides = (height, width) if turns % 2 else (width, height)
            image = reformatter.reformat(
                frame,
                *sides,
                "yuv420p",
                interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
                dst_color_range=ColorRange.MPEG,
                threads=1,
            )
            image = _turned(image, turns)
            image.pts, image.time_base = stamp - origin, unit
            image.pict_type = 0  # the encoder decides, not the source
            yield image, rate


def _stamped(
    source: VideoSource,
) -> Generator[tuple[av.VideoFrame, int, Fraction, Fraction], None, None]:
    """Each frame with its timestamp, its unit and the mean rate; no two at one time."""
    with open_video(source) as (container, stream):
        rate = frame_rate(stream)
        unit = stream.time_base or 1 / rate
        held: tuple[av.VideoFrame, int] | None = None
        for second, frame in timed_frames(source, container, stream):
            stamp = round(second / unit)
            if held is not None and stamp > held[1]:
                yield *held, unit, rate
            held = frame, stamp if held is None else max(stamp, held[1])
        if held is not None:
            yield *held, unit, rate


def _even_size(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """(height, width) after shrinking, even as H.264 requires."""
    scale = min(short_side / min(size), 1.0)
    height, width = (max(round(side * scale) // 2 * 2, 2) for side in size)
    return height, width


def _turned(frame: av.VideoFrame, turns: int) -> av.VideoFrame:
    """A yuv420p frame after quarter turns counter-clockwise."""
    if not turns % 4:
        return frame
    height, width = frame.height, frame.width
    planes = np.asarray(frame.to_ndarray(), np.uint8)
    luma, chroma = planes[:height], planes[height:].reshape(2, height // 2, width // 2)
    pieces = [np.rot90(luma, turns), *(np.rot90(plane, turns) for plane in chroma)]
    sides = pieces[0].shape  # (H, W)
    flat = np.concatenate([piece.ravel() for piece in pieces])
    turned = av.VideoFrame.from_ndarray(flat.reshape(sides[0] * 3 // 2, sides[1]), "yuv420p")
    turned.colorspace = frame.colorspace
    return turned
