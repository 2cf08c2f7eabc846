"""Videos that lie elsewhere: s3://…, gs://… and whatever else fsspec opens."""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fsspec.core import url_to_fs

from keras_acl.system.printable import shortened
from keras_acl.video.files import is_url

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters: C:// is a drive


def is_address(path: str | os.PathLike[str]) -> bool:
    """Whether text is an address that fsspec opens, such as s3://bucket/a.mp4.

    URLs, http:// and https://, are none: FFmpeg reads these by itself. A `Path` never is.
    """
    return isinstance(path, str) and bool(ADDRESS.match(path)) and not is_url(path)


@contextlib.contextmanager
def store_errors(address: str) -> Iterator[None]:
    """Turn whatever a store says into an OSError with the reason in a line.

    Packages of stores have errors of their own, and ImportError and ValueError say that one is
    missing; all mean that this file cannot be had.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(2, "No such file", address) from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OSError(5, shortened(reason), address) from error


@contextlib.contextmanager
def local_copy(address: str) -> Iterator[Path]:
    """A temporary file with what is at an address, under its own name.

    Args:
        address: What `is_address`. Its package (s3fs for s3://) and what it wants to know of the
            user are fsspec's affair.

    Raises:
        OSError: If it cannot be opened or read, with the reason in a line.
    """
    with tempfile.TemporaryDirectory() as folder:
        with store_errors(address):
            files, name = url_to_fs(address)
            copy = Path(folder) / (os.path.basename(name) or "file")
            files.get_file(name, str(copy))
        if not copy.is_file():
            raise IsADirectoryError(21, "Is a directory", address)
        yield copy
