"""Video and VideoList: what every source of videos hands over."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from typing import overload


@dataclasses.dataclass(frozen=True, slots=True)
class Video:
    """One labelled video, or the part of a file that counts.

    Args:
        path: The file.
        label: Index of its class; None where it is not known.
        start: Second of the file at which the part that counts begins; None is the first frame.
        end: Second of the file at which it ends; None is the last frame.
        group: Name of the recording that it was cut from. `split` keeps the videos of one group
            on one side.

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


class VideoList(Sequence[Video]):
    """An immutable list of videos that knows the names of their classes.

    A slice is a VideoList with the same class names.

    Args:
        videos: The records.
        labels: Class names; the place of a name is the index of its class.
        missing: Files that were listed but are not on disk.

    Attributes:
        labels: Class names, in order.
        missing: Files that were listed but are not on disk.

    Raises:
        ValueError: If two classes have one name, or a record's label has no name.
    """

    def __init__(
        self,
        videos: Iterable[Video],
        labels: Sequence[str] = (),
        missing: Sequence[str] = (),
    ) -> None:
        self._videos = tuple(videos)
        self.labels = checked_labels(labels)
        self.missing = tuple(missing)
        for video in self._videos:
            if video.label is not None and video.label >= len(self.labels):
                raise ValueError(
                    f"{video.path} has label {video.label}, but only {len(self.labels)} classes "
                    "have names. Expected a label below that, or more names."
                )

    @property
    def counts(self) -> dict[str, int]:
        """Number of videos by class name, in class order."""
        found = collections.Counter(video.label for video in self._videos)
        return {name: found[label] for label, name in enumerate(self.labels)}

    def __len__(self) -> int:
        return len(self._videos)

    @overload
    def __getitem__(self, index: int) -> Video: ...
    @overload
    def __getitem__(self, index: slice) -> "VideoList": ...
    def __getitem__(self, index):
        if isinstance(index, slice):
            return VideoList(self._videos[index], self.labels)
        return self._videos[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VideoList):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        missing = f", {len(self.missing)} missing" if self.missing else ""
        return f"VideoList({len(self)} videos, {len(self.labels)} classes{missing})"

    def _key(self) -> tuple:
        return self._videos, self.labels, self.missing


def checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Class names as a tuple.

    Raises:
        ValueError: If a name stands there twice.
    """
    twice = [name for name, count in collections.Counter(labels).items() if count > 1]
    if twice:
        raise ValueError(
            f"Every class needs a name of its own. Received twice: {', '.join(map(repr, twice))}"
        )
    return tuple(labels)
