"""Files that appear under their name only when they are complete."""

import contextlib
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from keras_acl.system.unfinished import tidy_once, unfinished

MARGIN = 2**20  # bytes of a saved model beside its numbers


@contextlib.contextmanager
def written_whole(file: str | os.PathLike) -> Iterator[Path]:
    """A path beside `file` to write to; it becomes `file` when all went well.

    Whatever ends the writing early, an error or a killed process, leaves `file` as it was. What
    killed processes left in the folder is removed on the way.

    Args:
        file: Where the result goes; its folder is made if missing.

    Yields:
        A path with the same ending.

    Raises:
        OSError: If it cannot be written; `filename` is that of `file`.

    Example:
        >>> with written_whole("model.keras") as beside:
        ...     model.save(beside)
    """
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    tidy_once(file.parent.resolve())
    beside = unfinished(file)
    try:
        yield beside
        os.replace(beside, file)
    except OSError as error:
        # A full disk names no file, others the one beside.
        if error.errno is not None and error.filename in (None, str(beside)):
            error.filename = str(file)
        raise
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_beside(path: str | os.PathLike) -> Iterator[Path]:
    """A folder beside `path` to write several files to, removed at the end.

    What killed processes left beside `path` is removed on the way.

    Args:
        path: Where the result goes once it is whole; the caller moves it there.

    Yields:
        The folder, on the same file system as `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tidy_once(path.parent.resolve())
    folder = unfinished(path)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_room(file: str | os.PathLike, variables: Iterable) -> None:
    """Refuse to save variables where the disk has no room for them: HDF5 would crash the process.

    Args:
        file: Where they go; its folder is made if missing.
        variables: Variables of a model and of its optimiser.

    Raises:
        OSError: If there is no room.
    """
    folder = Path(file).parent
    folder.mkdir(parents=True, exist_ok=True)
    needed = MARGIN + sum(4 * math.prod(variable.shape) for variable in variables)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"There is no room for {file}: it takes {needed / 1e6:,.0f} MB, and the disk has "
            f"{free / 1e6:,.0f} MB left. Free some, and run the same command again."
        )
