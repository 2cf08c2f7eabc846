"""Two evaluations of the same videos: the difference by class and group, and its significance."""

import collections
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from keras_acl.evaluation.class_groups import check_groups, known_groups
from keras_acl.evaluation.number_text import p_value, percent, points
from keras_acl.evaluation.scores import Scores
from keras_acl.system import html

MOST_CLASSES = 20  # in a notebook, those that changed most


@dataclasses.dataclass(frozen=True)
class Difference:
    """How the second run does against the first on the same videos.

    Args:
        name: A class, a group of classes, or "all".
        videos: Videos that both scored.
        first: Accuracy of the first run, in [0, 1]; NaN without videos.
        second: Accuracy of the second run.
        gained: Videos that only the second recognises.
        lost: Videos that only the first recognises.
        p: Two-sided p-value of the exact McNemar test: how likely so uneven a split of the gained
            and lost videos is if both runs were equally good. 1 if there are none.
        adjusted: `p` after Holm's correction for the rows of its table that have videos.
    """

    name: str
    videos: int
    first: float
    second: float
    gained: int
    lost: int
    p: float
    adjusted: float

    @property
    def change(self) -> float:
        """Second minus first, in [-1, 1]."""
        return self.second - self.first


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The difference of two runs (Figure 5, Tables 1 and 2 of the paper).

    Args:
        overall: Difference over all videos.
        classes: A row per class, in the order of the labels.
        groups: A row per group.
    """

    overall: Difference
    classes: tuple[Difference, ...]
    groups: tuple[Difference, ...]

    def _repr_html_(self) -> str:
        seen = (row for row in self.classes if row.videos)
        changed = sorted(seen, key=lambda row: (-abs(row.change), row.name))
        shown = [self.overall, *self.groups, *changed[:MOST_CLASSES]]
        columns = ("", "videos", "first", "second", "points", "gained", "lost", "p (Holm)")
        rows = [_cells(row) for row in shown]
        return html.table(columns, rows, total=len(rows) + len(changed[MOST_CLASSES:]))


def _cells(row: Difference) -> tuple:
    shares = percent(row.first), percent(row.second), points(row.change)
    return row.name, row.videos, *shares, row.gained, row.lost, p_value(row.adjusted)


def compare(
    first: Scores, second: Scores, groups: Mapping[str, Sequence[str]] | None = None
) -> Comparison:
    """Compare two runs on the videos that both scored.

    Args:
        first: The baseline.
        second: What is compared with it.
        groups: Names of groups and their classes; by default the paper's, as far as the data set
            has their classes.

    Raises:
        ValueError: If the runs have other classes or labels, no labelled video in common, or a
            group has an unknown class.
    """
    if first.labels != second.labels:
        apart = sorted(set(first.labels) ^ set(second.labels))
        raise ValueError(
            "Only runs with the same classes in the same order can be compared. Received: "
            f"{len(first.labels)} and {len(second.labels)} classes, "
            + (f"of which only one run has {', '.join(apart[:5])}" if apart else "in other orders")
        )
    if first.multi_label or second.multi_label:
        raise ValueError(
            "Two runs are compared by the videos that one of them recognises, which needs one "
            "label a video; these may have several. Compare their tables, see label_table."
        )
    truth, before, after = _paired(first, second)
    groups = known_groups(first.labels) if groups is None else groups
    check_groups(groups, first.labels)
    indices = {label: index for index, label in enumerate(first.labels)}
    return Comparison(
        overall=_adjusted([_difference("all", before, after)])[0],
        classes=_adjusted(
            _difference(label, before[truth == index], after[truth == index])
            for label, index in indices.items()
        ),
        groups=_adjusted(
            _difference(name, before[chosen], after[chosen])
            for name, members in groups.items()
            for chosen in [np.isin(truth, [indices[member] for member in members])]
        ),
    )


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p-value: min(1, 2 P(X <= min(gained, lost))), X binomial(n, 1/2)."""
    count = gained + lost
    tail, ways = 0, 1  # ways is count over k; in integers, as floats end at 2^1024
    for k in range(min(gained, lost) + 1):
        tail += ways
        ways = ways * (count - k) // (k + 1)
    return min(1.0, 2 * tail / 2**count)


def holm(values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm, 1979)."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = highest
    return adjusted


def _paired(first: Scores, second: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class of each common video, and whether each run recognised it; (n,) each."""
    places = {key: index for index, key in enumerate(video_keys(second))}
    pairs = [(i, places[key]) for i, key in enumerate(video_keys(first)) if key in places]
    mine, other = np.array(pairs, int).reshape(-1, 2).T
    usable = first.done[mine] & second.done[other] & (first.truth[mine] >= 0)
    mine, other = mine[usable], other[usable]
    truth = first.truth[mine]
    if not len(truth) or (second.truth[other] != truth).any():
        raise ValueError(
            "Expected two evaluations of the same labelled videos, under the same paths. Received: "
            f"{len(truth)} videos in common, "
            f"{int((second.truth[other] != truth).sum())} of them with another label"
        )
    before = first.probabilities[mine].argmax(axis=1) == truth
    after = second.probabilities[other].argmax(axis=1) == truth
    return truth, before, after


def video_keys(scores: Scores) -> Iterator[tuple]:
    """What pairs the videos of two runs: path, part, and how often both came before."""
    seen = collections.Counter()
    for path, part in zip(scores.paths, scores.parts.tolist(), strict=True):
        key = (path, *(None if math.isnan(second) else second for second in part))
        yield *key, seen[key]
        seen[key] += 1


def _difference(name: str, before: np.ndarray, after: np.ndarray) -> Difference:
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    count = len(before)
    first, second = (float(x.mean()) if count else math.nan for x in (before, after))
    p = mcnemar(gained, lost)
    return Difference(name, count, first, second, gained, lost, p, p)


def _adjusted(rows) -> tuple[Difference, ...]:
    rows = list(rows)
    values = iter(holm([row.p for row in rows if row.videos]))  # nothing was tested in the others
    return tuple(
        dataclasses.replace(row, adjusted=next(values)) if row.videos else row for row in rows
    )
