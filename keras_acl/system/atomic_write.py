"""Files that appear under their name only when they are complete."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_whole(file: str | os.PathLike) -> Iterator[Path]:
    """A path beside `file` to write to; it becomes `file` when all went well.

    Whatever ends the writing early, an error or a killed process, leaves `file` as it was.

    Args:
        file: Where the result goes; its folder is made if missing.

    Yields:
        A path with the same ending.

    Example:
        >>> with written_whole("model.keras") as beside:
        ...     model.save(beside)
    """
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    # Its own, should two processes write the same file; hidden, so that nobody reads what a killed
    # process left as a video; the ending stays, as it chooses formats.
    beside = file.with_name(f".saving-{os.getpid()}-{secrets.token_hex(4)}-{file.name}")
    try:
        yield beside
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)
