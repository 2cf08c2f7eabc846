"""`Video`, what every source of videos lists, and the error of a file that cannot be read."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class Video:
    """One labelled video file, or a part of one.

    Args:
        path: Path of the file.
        label: Index of the class; None where it is not known.
        start: Second of the file at which the part begins; None is the first frame.
        end: Second of the file at which the part ends; None is the last frame.
        group: Name of the recording that it was cut from. `split` keeps the videos of a group
            together.

    Raises:
        ValueError: If the label or start is negative, or the part ends before it begins.
    """

    path: str
    label: int | None = None
    start: float | None = None
    end: float | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        if self.label is not None and self.label < 0:
            raise ValueError(f"A label is a class index, 0 or more. Received: label={self.label}")
        start = self.start or 0.0
        if not start >= 0 or (self.end is not None and not self.end > start):
            raise ValueError(
                "A part of a video begins at 0 s or later and ends after it begins. "
                f"Received: start={self.start}, end={self.end}"
            )


class DecodingError(ValueError):
    """A file that cannot be read as video.

    Args:
        path: Path of the file.
        reason: What is wrong with it, in a few words.

    Attributes:
        path: Path of the file, a string.
        reason: What is wrong with it.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(str(path), reason)
        self.path = str(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"Cannot decode {self.path}: {self.reason}"
