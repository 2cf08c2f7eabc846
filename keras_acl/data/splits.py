"""Train and validation sides of a list of videos."""

import collections

import numpy as np

from keras_acl.data.videos import Video, VideoList


def split(videos: VideoList, fraction: float = 0.2, seed: int = 0) -> tuple[VideoList, VideoList]:
    """Split videos into a training and a validation side, class by class.

    Videos of one group stay on one side; without groups, the parts of one file do. Every class
    gives as near to `fraction` of its videos as its groups allow, and a class of two or more groups
    has at least one on each side. (Only groups that hold several classes can stand in the way.)

    Args:
        videos: What to split.
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
        sizes[video.label][_group(video)] += 1
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
            "Add videos, or hand in a validation list of your own."
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
