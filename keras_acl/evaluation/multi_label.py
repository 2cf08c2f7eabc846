"""What can be said of the scores of videos that may have several labels, or none."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from keras_acl.evaluation.metrics import alone_on_the_same, video_counts
from keras_acl.evaluation.number_text import percent
from keras_acl.evaluation.scores import Scores
from keras_acl.system import html

THRESHOLD = 0.5  # from which score on a label is said, as `Prediction.above` does


class LabelRow(NamedTuple):
    """How well one label is found among the videos.

    Attributes:
        label: Name of the class.
        videos: How many videos have it.
        average_precision: See `average_precision`; NaN where no video has it.
        precision: Share of the videos with a score of at least 0.5 that have it; NaN without any.
        recall: Share of the videos that have it whose score is at least 0.5; NaN without any.
        f1: Harmonic mean of the two; NaN for a label that is nowhere.
    """

    label: str
    videos: int
    average_precision: float
    precision: float
    recall: float
    f1: float


@dataclasses.dataclass(frozen=True)
class MultiLabelSummary:
    """What is said first of an evaluation of several labels a video. Shares are in [0, 1].

    Args:
        asked: Videos that were asked for.
        found: Videos that are on disk.
        failed: Videos on disk that could not be read.
        scored: Labelled videos with scores: what the numbers are of.
        classes: Classes that some of them have: what the means are over.
        mean_average_precision: Mean of the classes' average precisions.
        chance: What scores at random would have: the mean share of the videos with a class.
        f1: Mean of the classes' F1, a label being said from a score of 0.5 on.
        protocol: The protocol in words.
        streams: Mean average precision of each stream alone, where it is known of all videos.
    """

    asked: int
    found: int
    failed: int
    scored: int
    classes: int
    mean_average_precision: float
    chance: float
    f1: float
    protocol: str
    streams: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        """Two sentences for a terminal, and a line for each stream."""
        both = (
            f"Mean average precision {self.mean_average_precision:.2%} over {self.classes} classes "
            f"(at random {self.chance:.2%}), F1 {self.f1:.2%} at scores of {THRESHOLD} and more; "
            f"{self.protocol}. {self.asked} videos asked for, {self.found} found, {self.failed} "
            "failed."
        )
        alone = [
            f"{name.capitalize()} stream alone: mean average precision {value:.2%}"
            for name, value in self.streams.items()
        ]
        return "\n".join([both, *alone])

    def _repr_html_(self) -> str:
        share = self.mean_average_precision
        rows = [
            ("mean average precision", html.bar(share, percent(share, 2))),
            *((f"{name} alone", percent(value, 2)) for name, value in self.streams.items()),
            ("at random", percent(self.chance, 2)),
            (f"F1 at {THRESHOLD}", percent(self.f1, 2)),
            ("classes", self.classes),
            ("videos scored", f"{self.scored} of {self.asked}"),
            ("not on disk", self.asked - self.found),
            ("could not be read", self.failed),
            ("protocol", self.protocol),
        ]
        return html.table(("several labels a video", ""), rows)


def multi_label_summary(scores: Scores) -> MultiLabelSummary:
    """The numbers of an evaluation of several labels a video.

    Raises:
        ValueError: If the scores are of one label a video, or no labelled video has scores.
    """
    truth, _ = _scored(scores)
    rows = [row for row in label_table(scores) if row.videos]
    return MultiLabelSummary(
        **video_counts(scores),
        scored=len(truth),
        classes=len(rows),
        mean_average_precision=_mean(row.average_precision for row in rows),
        chance=chance_precision(truth),
        f1=_mean(row.f1 for row in rows),
        protocol=str(scores.protocol),
        streams={
            name: mean_average_precision(*_scored(alone))
            for name, alone in alone_on_the_same(scores).items()
        },
    )


def label_table(scores: Scores) -> list[LabelRow]:
    """A row for each class, in the order of the labels.

    Raises:
        ValueError: If the scores are of one label a video, or no labelled video has scores.
    """
    truth, probabilities = _scored(scores)
    precisions = average_precisions(truth, probabilities)
    said = probabilities >= THRESHOLD
    counts = truth.sum(axis=0), said.sum(axis=0), (truth & said).sum(axis=0)
    return [
        LabelRow(
            label=label,
            videos=int(has),
            average_precision=float(precision),
            precision=_share(both, says),
            recall=_share(both, has),
            f1=_share(2 * both, says + has),
        )
        for label, precision, has, says, both in zip(
            scores.labels, precisions, *counts, strict=True
        )
    ]


def average_precision(positive: np.ndarray, values: np.ndarray) -> float:
    """Mean precision at the ranks of the positives, Σ (R_n − R_{n−1}) P_n as in scikit-learn.

    Exact, and not interpolated. Equal values have one rank.

    Args:
        positive: (N,) bool.
        values: (N,) scores; the order alone counts.

    Returns:
        The average precision; NaN without a positive.
    """
    if not positive.any():
        return math.nan
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.r_[np.flatnonzero(np.diff(values[order])), len(values) - 1]  # of equal values
    gained = np.diff(hits[last], prepend=0)
    return float((gained * hits[last] / (last + 1)).sum() / hits[-1])


def average_precisions(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Average precision of each class, (L,), of labels and scores (N, L)."""
    columns = zip(truth.astype(bool).T, probabilities.T, strict=True)
    return np.array([average_precision(positive, values) for positive, values in columns])


def mean_average_precision(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over the classes that some video has, of labels and scores (N, L); NaN without any."""
    values = average_precisions(truth, probabilities)
    return _mean(values[np.logical_not(np.isnan(values))])


def chance_precision(truth: np.ndarray) -> float:
    """Mean average precision of scores at random, from labels (N, L)."""
    shares = truth.astype(bool).mean(axis=0)
    return _mean(shares[shares > 0])


def _scored(scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n, L) bool and scores (n, L) of the labelled videos that have scores."""
    if not scores.multi_label:
        raise ValueError(
            "These scores are of videos with one label each. Use summary and class_table."
        )
    chosen = scores.done & scores.labelled
    if not chosen.any():
        raise ValueError(
            "No video has both labels and scores: there is nothing to measure. Received: "
            f"{len(scores.paths)} videos, {int(scores.done.sum())} with scores"
        )
    return scores.truth[chosen].astype(bool), scores.probabilities[chosen]


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else math.nan


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return float(np.mean(values)) if values else math.nan
