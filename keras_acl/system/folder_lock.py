"""A folder that is one process' at a time."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock


@contextlib.contextmanager
def locked(folder: Path, work: str, name: str = ".lock") -> Iterator[None]:
    """Keep other processes from the same work in a folder; a dead one holds no lock.

    Args:
        folder: The folder; made if missing.
        work: What is done there, for the error: "training into".
        name: Name of the lock; works of several names do not mind each other.

    Raises:
        RuntimeError: If another process does it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / name, blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RuntimeError(
            f"Another process is {work} {folder}. Wait for its end, or give another output folder."
        ) from None
    try:
        yield
    finally:
        lock.release()
