"""VideoList: what every source of videos hands over."""

import collections
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from keras_acl.system.printable import escaped
from keras_acl.video.files import video_exists
from keras_acl.video.video import Video


class MissingVideosWarning(UserWarning):
    """Some of the videos that a list names are not on disk; every copy of Kinetics has holes."""


class VideoList(Sequence[Video]):
    """An immutable list of videos that knows the names of their classes.

    A slice is a VideoList with the same class names.

    Args:
        videos: Videos with their labels.
        labels: Class names; the place of a name is the index of its class.
        missing: Files that were listed but are not on disk.

    Attributes:
        labels: Class names, in order.
        missing: Files that were listed but are not on disk.
        multi_label: Whether a video may have several labels: each is then a tuple.

    Raises:
        ValueError: If two classes have one name, a record's label has no name, or some records
            have one label and others several.
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
        kinds = {isinstance(v.label, tuple) for v in self._videos if v.label is not None}
        if len(kinds) > 1:
            raise ValueError(
                "Expected a class index as every video's label, or a tuple of them as every "
                "video's. Received: both"
            )
        self.multi_label = True in kinds
        for video in self._videos:
            if max(video.classes, default=-1) >= len(self.labels):
                raise ValueError(
                    f"{video.path} has label {video.label}, but only {len(self.labels)} classes "
                    "have names. Expected a label below that, or more names."
                )

    @property
    def counts(self) -> dict[str, int]:
        """Number of videos by class name, in class order."""
        found = collections.Counter(label for video in self._videos for label in video.classes)
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
        ValueError: If a name stands there twice, is not UTF-8 or has a control character.
    """
    for name in labels:
        if escaped(name) != name:
            raise ValueError(
                "A class name is printable text in UTF-8; rename the folder or the label. "
                f"Received: {escaped(name)}"
            )
    twice = [name for name, count in collections.Counter(labels).items() if count > 1]
    if twice:
        raise ValueError(
            f"Every class needs a name of its own. Received twice: {', '.join(map(repr, twice))}"
        )
    return tuple(labels)


def only_present(listed: Iterable[Video], labels: Sequence[str], source: str | Path) -> VideoList:
    """The listed videos that are on disk; the others become `missing`.

    Raises:
        FileNotFoundError: If none is on disk.
    """
    videos, missing = [], []
    for video in listed:
        if video_exists(video.path):
            videos.append(video)
        else:
            missing.append(video.path)
    if not videos:
        raise FileNotFoundError(
            f"None of the {len(missing)} videos that {source} lists is on disk. "
            f"Looked for {', '.join(missing[:3])}"
            f"{', ...' if len(missing) > 3 else ''}"
        )
    if missing:
        warnings.warn(
            f"{len(missing)} of {len(videos) + len(missing)} videos that {source} lists are not on "
            f"disk, such as {missing[0]}. The others are used; `.missing` names all.",
            MissingVideosWarning,
            stacklevel=3,
        )
    return VideoList(videos, labels, missing)


def split(videos: VideoList, fraction: float = 0.2, seed: int = 0) -> tuple[VideoList, VideoList]:
    """Split videos into a training and a validation side, class by class.

    Videos of one group stay on one side; without groups, the parts of one file do. Every class
    gives as near to `fraction` of its videos as its groups allow, and a class of two or more groups
    has at least one on each side. (Only groups that hold several classes can stand in the way, as
    videos with several labels do: there it is near, rare classes first.)

    Args:
        videos: Videos to split.
        fraction: Share of the videos for validation, between 0 and 1.
        seed: The same seed and the same videos give the same split, whatever their order.

    Returns:
        Training side and validation side, each in the order of `videos`.

    Raises:
        ValueError: If `fraction` is not between 0 and 1, or no class has two groups.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"Expected a fraction between 0 and 1. Received: fraction={fraction}")
    sizes: dict[int | None, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for video in videos:
        for label in video.classes or (None,):
            sizes[label][_group(video)] += 1
    side: dict[str, bool] = {}  # group -> is it for validation
    rng = np.random.default_rng(seed)
    # Rare classes choose first; they have the least choice.
    for label in sorted(
        sizes, key=lambda label: (len(sizes[label]), -1 if label is None else label)
    ):
        _assign(sizes[label], side, fraction, rng)
    train = [video for video in videos if not side[_group(video)]]
    validation = [video for video in videos if side[_group(video)]]
    if not train or not validation:
        raise ValueError(
            f"{videos!r} cannot be split: no class has two groups (recordings), one for each side. "
            "Add videos, or name a validation set of your own: `fit(validation_data=...)`, or on "
            "the command line --validation FOLDER or CSV."
        )
    return VideoList(train, videos.labels), VideoList(validation, videos.labels)


def _group(video: Video) -> str:
    return video.path if video.group is None else video.group


def _assign(
    sizes: collections.Counter[str],
    side: dict[str, bool],
    fraction: float,
    rng: np.random.Generator,
) -> None:
    """Choose a side for every group of one class that has none yet."""
    wanted = fraction * sum(sizes.values())
    free = sorted(group for group in sizes if group not in side)
    free = [free[place] for place in rng.permutation(len(free))]
    taken = sum(size for group, size in sizes.items() if side.get(group))
    for group in free:
        side[group] = abs(taken + sizes[group] - wanted) < abs(taken - wanted)
        taken += sizes[group] * side[group]
    if len(sizes) < 2 or not free:
        return
    if not any(side[group] for group in sizes):
        side[min(free, key=sizes.__getitem__)] = True
    elif all(side[group] for group in sizes):
        side[min(free, key=sizes.__getitem__)] = False
