"""`Video`, what every source of videos lists, and the error of a file that cannot be read."""

import contextlib
import dataclasses
import errno
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import av.error

from keras_acl.video.files import is_url


@dataclasses.dataclass(frozen=True, slots=True)
class VideoLimits:
    """What is refused as too large, so that no file takes all the memory or time of a job.

    Args:
        side: Most pixels of the longer side.
        pixels: Most pixels of a frame, as stored or as resized. The default is 8K.
        frames: Most frames of a video.
        seconds: Most seconds of a video. The default is two days.
    """

    side: int = 16384
    pixels: int = 8192 * 4320
    frames: int = 2**22
    seconds: float = 172_800.0


@dataclasses.dataclass(frozen=True, slots=True)
class Video:
    """One labelled video file, or a part of one.

    Args:
        path: Path of the file, or of a folder of numbered pictures (img_00001.jpg, ...). Text that
            begins with http:// or https:// is a URL.
        label: Index of the class; or a tuple of indices, in order, where a video may have several
            classes, the empty one for none of them. None where it is not known.
        start: Second of the file at which the part begins; None is the first frame.
        end: Second of the file at which the part ends; None is the last frame.
        group: Name of the recording that it was cut from. `split` keeps the videos of a group
            together.
        fps: Frames per second of a folder of pictures, 25 by default. A file states its own.
        limits: What is refused as too large.
        content: Where the video is no file of its own but a part of a larger one: what returns its
            bytes, called whenever it is read; hashable, as `StoredBytes` is. `path` is its name.

    Raises:
        ValueError: If a label or the start is negative, several labels are not in order, the part
            ends before it begins, or `fps` is not positive.
    """

    path: str
    label: int | tuple[int, ...] | None = None
    start: float | None = None
    end: float | None = None
    group: str | None = None
    fps: float | None = None
    limits: VideoLimits = dataclasses.field(default=VideoLimits(), repr=False)
    content: Callable[[], bytes] | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        if min(self.classes, default=0) < 0:
            raise ValueError(f"A label is a class index, 0 or more. Received: label={self.label}")
        if list(self.classes) != sorted(set(self.classes)):
            raise ValueError(
                "Several labels are class indices in ascending order, each once. "
                f"Received: label={self.label}"
            )
        start = self.start or 0.0
        if not start >= 0 or (self.end is not None and not self.end > start):
            raise ValueError(
                "A part of a video begins at 0 s or later and ends after it begins. "
                f"Received: start={self.start}, end={self.end}"
            )
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ValueError(f"Frames per second are positive. Received: fps={self.fps}")

    @property
    def classes(self) -> tuple[int, ...]:
        """Indices of its classes; none where there is none, or none is known."""
        if self.label is None:
            return ()
        return self.label if isinstance(self.label, tuple) else (self.label,)


VideoSource = str | os.PathLike[str] | Video  # what every reader takes


class DecodingError(ValueError):
    """A file that cannot be read as video.

    Args:
        path: Path of the file.
        reason: What is wrong with it, in a few words.

    Attributes:
        path: Path of the file, a string.
        reason: What is wrong with it.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        super().__init__(str(path), reason)
        self.path = str(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"Cannot decode {self.path}: {self.reason}"


class VideoProblem(NamedTuple):
    """A file and what is wrong with it."""

    path: str
    reason: str


def as_video(source: VideoSource) -> Video:
    """The record of a path, or the record itself."""
    return source if isinstance(source, Video) else Video(os.fspath(source))


@contextlib.contextmanager
def decoding_errors(source: VideoSource) -> Iterator[None]:
    """Turn every error of FFmpeg, and a lack of memory, into a `DecodingError` of a video."""
    try:
        yield
    except av.error.FFmpegError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EIO and is_url(as_video(source).path):
            reason += "; the server may not let one jump in the file: download it first"
        raise DecodingError(as_video(source).path, reason) from error
    except MemoryError as error:
        reason = "its frames need more memory than there is"
        raise DecodingError(as_video(source).path, reason) from error
