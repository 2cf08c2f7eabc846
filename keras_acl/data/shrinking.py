"""Copies of videos that decode fast: smaller pictures, a key frame twice a second, no sound."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, as_completed
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from keras_acl.data.checking import VideoProblem
from keras_acl.data.files import find_videos
from keras_acl.data.probing import probe
from keras_acl.data.video_file import (
    DecodingError,
    frame_rate,
    open_video,
    packets,
    stamp_of,
    upright_size,
)
from keras_acl.writing import written_whole

GROUP = 16  # frames from a key frame to the next
# What decoding costs most is left out of the files (arithmetic coding, the loop filter).
ENCODER = {"preset": "veryfast", "tune": "fastdecode", "g": str(GROUP)}
SETTINGS = ".shrink.json"
LISTS = (".csv", ".txt")
UNFINISHED = re.compile(r"saving-\d+-[0-9a-f]{8}-.+")
ABANDONED = 600.0  # seconds: a file that is being written is never left alone for so long


@dataclasses.dataclass(frozen=True)
class ShrinkReport:
    """What `shrink_videos` did.

    Args:
        written: Files written by this call.
        finished: Files that were there already.
        bytes_before: Size of the originals of all those files.
        bytes_after: Size of the copies.
        problems: Files that cannot be read, with the reason; they have no copy.
    """

    written: int
    finished: int
    bytes_before: int
    bytes_after: int
    problems: tuple[VideoProblem, ...]


class _StoppedError(Exception):
    """The user has had enough."""


def shrink_videos(
    folder: str | Path,
    output: str | Path,
    short_side: int = 320,
    quality: int = 20,
    workers: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> ShrinkReport:
    """Copy every video of a folder to another one, made for being decoded fast.

    Folders and names stay the same, so that class folders and lists of files go on being right;
    CSV and text files are copied along. A copy is MP4 with H.264 whatever its name ends in (FFmpeg
    goes by content), upright, without sound, and shows the same frames at the same times. Copies
    that are newer than their original are left alone: the same call again goes on.

    Args:
        folder: Searched with all folders in it; hidden ones are left out.
        output: Where the copies go. Neither inside `folder` nor around it.
        short_side: Pixels of the shorter side; smaller videos keep their size (made even).
        quality: x264's constant rate factor, 0 (lossless) to 51.
        workers: Files at a time, in threads; as many as the machine has cores by default.
        progress: Called as `progress(done, total)` after each file, from the calling thread.

    Returns:
        Numbers, sizes, and the files that cannot be read.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no video, the folders overlap, a value is out of its range, or
            `output` was made with other values.
        OSError: If a copy cannot be written: a full disk, for example.
    """
    folder, output = Path(folder), Path(output)
    _check_values(short_side, quality)
    names = [Path(path).relative_to(folder) for path in find_videos(folder)]
    _check_folders(folder, output, names)
    _check_settings(output, {"short_side": short_side, "quality": quality})
    _tidy(folder, output)
    todo = [name for name in names if not _is_finished(folder / name, output / name)]
    reasons: dict[Path, str] = {}
    stop = threading.Event()
    executor = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        running = {
            executor.submit(_shrink, folder / name, output / name, short_side, quality, stop): name
            for name in todo
        }
        for done, future in enumerate(as_completed(running), 1):
            try:
                future.result()
            except DecodingError as error:
                reasons[running[future]] = error.reason
            if progress is not None:
                progress(len(names) - len(todo) + done, len(names))
    finally:
        stop.set()  # an error or Ctrl-C ends what is being written, and leaves none of it
        executor.shutdown(cancel_futures=True)
    copied = [name for name in names if name not in reasons]
    return ShrinkReport(
        written=len(todo) - len(reasons),
        finished=len(names) - len(todo),
        bytes_before=sum((folder / name).stat().st_size for name in copied),
        bytes_after=sum((output / name).stat().st_size for name in copied),
        problems=tuple(
            VideoProblem(str(folder / name), reasons[name]) for name in names if name in reasons
        ),
    )


def _shrink(
    source: Path, target: Path, short_side: int, quality: int, stop: threading.Event
) -> None:
    info = probe(source)  # knows files that are cut short
    with written_whole(target) as beside:
        with contextlib.closing(_upright_frames(source, short_side)) as frames:
            try:
                _encode(frames, beside, quality, stop)
            except av.error.FFmpegError as error:
                raise OSError(f"{target} cannot be written: {error.strerror}") from error
        try:
            whole = probe(beside).frames > 0
        except DecodingError as error:
            raise OSError(
                f"{target} was not written to its end ({error.reason}): is the disk full?"
            ) from error
        if not whole:
            raise DecodingError(source, f"none of its {info.frames} frames is shown")


def _encode(
    frames: Generator[tuple[av.VideoFrame, Fraction], None, None],
    file: Path,
    quality: int,
    stop: threading.Event,
) -> None:
    """Encode frames; each is told from the next by its timestamp."""
    with av.open(str(file), "w", format="mp4") as container:
        stream = None
        for frame, rate in frames:
            if stop.is_set():
                raise _StoppedError
            if stream is None:
                stream = _add_stream(container, frame, rate, quality)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode())


def _add_stream(container, frame: av.VideoFrame, rate: Fraction, quality: int) -> VideoStream:
    stream = container.add_stream("libx264", rate=rate, options=ENCODER | {"crf": str(quality)})
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
    context = stream.codec_context
    context.time_base = frame.time_base
    context.thread_count = 1  # files are what runs side by side
    context.color_range = ColorRange.MPEG
    context.colorspace = frame.colorspace
    return stream


def _upright_frames(
    source: Path, short_side: int
) -> Generator[tuple[av.VideoFrame, Fraction], None, None]:
    """The frames that are ever seen, resized, upright, their times from 0; and the mean rate."""
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
            image.pict_type = 0  # that of the source is not to be kept
            yield image, rate


def _stamped(
    source: Path,
) -> Generator[tuple[av.VideoFrame, int, Fraction, Fraction], None, None]:
    """Each frame with its timestamp, the unit of it and the mean rate; none twice at one time."""
    with open_video(source) as (container, stream):
        rate, unit = frame_rate(stream), stream.time_base or Fraction(1)
        held: tuple[av.VideoFrame, int] | None = None
        for packet in packets(source, container, stream):
            for frame in stream.decode(packet):
                stamp = stamp_of(frame, container)
                if stamp is None:  # count
                    stamp = 0 if held is None else held[1] + max(round(1 / rate / unit), 1)
                if held is not None and stamp > held[1]:
                    yield *held, unit, rate
                held = frame, stamp if held is None else max(stamp, held[1])
        if held is not None:
            yield *held, unit, rate


def _even_size(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """(height, width) after shrinking; H.264 wants even numbers."""
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


def _check_values(short_side: int, quality: int) -> None:
    if short_side < 16 or not 0 <= quality <= 51:
        raise ValueError(
            "Expected a short side of at least 16 pixels and a quality from 0 (best) to 51. "
            f"Received: short_side={short_side}, quality={quality}"
        )


def _check_folders(folder: Path, output: Path, names: list[Path]) -> None:
    inner, outer = output.resolve(), folder.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise ValueError(
            f"Originals and copies must not mix: {output} and {folder} are the same folder, or one "
            "is inside the other. Choose a folder beside it."
        )
    if not names:
        raise ValueError(f"There is no video file in {folder}")


def _check_settings(output: Path, settings: dict[str, int]) -> None:
    file = output / SETTINGS
    if file.exists():
        before = json.loads(file.read_text(encoding="utf-8"))
        if before != settings:
            raise ValueError(
                f"{output} was made with other settings: {before}. Received: {settings}. "
                "Use those, or another folder."
            )
        return
    with written_whole(file) as beside:
        beside.write_text(json.dumps(settings), encoding="utf-8")


def _tidy(folder: Path, output: Path) -> None:
    """Copy lists, and remove what a killed process left half-written."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        target = output / path.relative_to(folder)
        is_list = path.suffix.lower() in LISTS and not hidden and path.is_file()
        if is_list and not _is_finished(path, target):
            with written_whole(target) as beside:
                shutil.copyfile(path, beside)
    for path in output.rglob("saving-*"):
        if UNFINISHED.fullmatch(path.name) and time.time() - path.stat().st_mtime > ABANDONED:
            path.unlink(missing_ok=True)


def _is_finished(source: Path, target: Path) -> bool:
    return target.is_file() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns
