"""Videos that a program holds, as bytes or an open file, on disk while they are read."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from keras_acl.video.video import DecodingError, Video, VideoSource

HeldVideo = bytes | bytearray | memoryview | BinaryIO


def name_of(source: VideoSource | HeldVideo) -> str:
    """The path of a video, the name of an open file, or "video" for bytes."""
    if isinstance(source, Video):
        return source.path
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "video"


@contextlib.contextmanager
def on_disk(source: VideoSource | HeldVideo) -> Iterator[VideoSource]:
    """The source itself, or a temporary file with what it holds.

    A file object is read from where it stands to its end.

    Raises:
        DecodingError: If the video cannot be read; it names the file object, not the copy.
        TypeError: If it is no video.
    """
    if isinstance(source, str | os.PathLike | Video):
        yield source
        return
    if not isinstance(source, bytes | bytearray | memoryview) and not hasattr(source, "read"):
        raise TypeError(
            f"Expected a path, a `Video`, bytes or a file object. Received: {type(source).__name__}"
        )
    name = name_of(source)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / (os.path.basename(name) or "video")
        with open(copy, "wb") as file:
            if isinstance(source, bytes | bytearray | memoryview):
                file.write(source)
            else:
                shutil.copyfileobj(source, file)
        try:
            yield copy
        except DecodingError as error:
            raise DecodingError(name, error.reason) from error
