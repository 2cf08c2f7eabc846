"""What happens to files that cannot be read: one warning each, a list on disk, and a limit."""

import threading
import warnings
from pathlib import Path
from typing import NoReturn

from keras_acl.system.printable import escaped

SHOWN = 3


class BadVideoWarning(UserWarning):
    """A file could not be read and another clip took its place."""


class BadVideosError(RuntimeError):
    """Too many files could not be read for the run to mean anything."""


class BadVideos:
    """The files that turned out to be unreadable, as one run meets them.

    Args:
        total: Number of all videos.
        max_fraction: Largest share of bad videos, 0 to 1. One bad video is always allowed.
        list_file: Text file that lists the bad ones, one line `path<TAB>reason` for each. A line is
            added when a file is found, unless it is there already; no line is ever removed, and no
            file is written while there is nothing to list. None: no such file is written.

    Attributes:
        found: Path to reason, in the order of discovery.
        limit: Largest number of bad files.

    Raises:
        ValueError: If `max_fraction` is not between 0 and 1.
    """

    def __init__(
        self, total: int, max_fraction: float = 0.05, list_file: str | Path | None = None
    ) -> None:
        if not 0 <= max_fraction <= 1:
            raise ValueError(
                f"A share of bad videos is from 0 to 1. Received: max_bad_fraction={max_fraction}"
            )
        self.found: dict[str, str] = {}
        self.total = total
        self.limit = max(1, int(total * max_fraction))
        self.list_file = None if list_file is None else Path(list_file)
        self._lock = threading.Lock()

    def add(self, path: str, reason: str) -> None:
        """Take note of a file, and warn the first time it is seen.

        Raises:
            BadVideosError: If there are more than `limit` of them.
        """
        with self._lock:
            if path not in self.found:
                self.found[path] = " ".join(reason.split())
                self._warn(path)
            if len(self.found) > self.limit:
                raise BadVideosError(
                    f"{len(self.found)} of {self.total} videos cannot be read, and no more than "
                    f"{self.limit} may be bad: {self._examples()}. "
                    "Run `keras-acl check-videos FOLDER` to find all of them, and repair or remove "
                    "them; or, in Python, allow more with `LoadingOptions(max_bad_fraction=...)`."
                )

    def give_up(self, name: object) -> NoReturn:
        """Stop the run because nothing of a class can be read.

        Raises:
            BadVideosError: Always.
        """
        raise BadVideosError(
            f"No video of class {name} can be read: {self._examples()}. "
            "Run `keras-acl check-videos FOLDER` to find all bad files."
        )

    def _warn(self, path: str) -> None:
        text = f"{path} cannot be read: {self.found[path]}. Another clip takes its place"
        if self.list_file is not None:
            try:
                _append_once(self.list_file, path, self.found[path])
                text += f"; listed in {self.list_file}"
            except OSError as error:  # a full or read-only disk is no reason to stop either
                text += f"; {self.list_file} cannot be written ({error.strerror})"
        # One line: the place in the code would say nothing about the file.
        warnings.warn_explicit(f"{text}.", BadVideoWarning, "keras_acl.data", 0)

    def _examples(self) -> str:
        shown = [f"{path} ({reason})" for path, reason in list(self.found.items())[:SHOWN]]
        return ", ".join(shown) + (", ..." if len(self.found) > SHOWN else "")


def _append_once(file: Path, path: str, reason: str) -> None:
    """Add a line for `path` if there is none: in one write, so that processes may share a list."""
    file.parent.mkdir(parents=True, exist_ok=True)
    path = escaped(path)  # a line is one file, whatever its name is
    with open(file, "a+", encoding="utf-8") as lines:
        lines.seek(0)
        if all(line.split("\t")[0] != path for line in lines):
            lines.write(f"{path}\t{reason}\n")
