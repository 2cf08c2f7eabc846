"""Files that are being written: their names, and what killed processes left of them."""

import contextlib
import functools
import os
import re
import secrets
import shutil
import time
from pathlib import Path

UNFINISHED = re.compile(r"\.?saving-(\d+)-[0-9a-f]{8}-.+", re.DOTALL)
ABANDONED = 600.0  # seconds without a change: nobody is writing the file any more
TAIL = 24  # characters of a name that are kept, for its ending: names have 255 bytes at most


def unfinished(file: Path) -> Path:
    """A new path beside `file`, to write to.

    Its own, should two processes write the same file; hidden, so that nobody reads what a killed
    process left as a video; the ending stays, as it chooses formats.
    """
    return file.with_name(f".saving-{os.getpid()}-{secrets.token_hex(4)}-{file.name[-TAIL:]}")


def tidy(folder: str | os.PathLike) -> None:
    """Remove the unfinished files and folders in a folder, unchanged for ten minutes.

    One whose process still runs on this machine stays.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = UNFINISHED.fullmatch(entry.name)
            if match is None:
                continue
            with contextlib.suppress(OSError):  # another process was faster
                age = time.time() - entry.stat(follow_symlinks=False).st_mtime
                if age <= ABANDONED or _runs(int(match[1])):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)


@functools.lru_cache(maxsize=4096)
def tidy_once(folder: Path) -> None:
    """`tidy`, once in a process: a folder may hold very many files."""
    tidy(folder)


def _runs(process: int) -> bool:
    if os.name != "posix":  # elsewhere a signal of 0 ends the process
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
