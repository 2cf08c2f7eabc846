"""Every number that can be computed from raw scores, without the model."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_acl.evaluation.calibration import calibration, calibration_error
from keras_acl.evaluation.number_text import interval, percent
from keras_acl.evaluation.scored import scored
from keras_acl.evaluation.scores import NOT_FOUND, Scores
from keras_acl.system import html

Z95 = 1.959963984540054  # normal quantile of a two-sided 95 % interval


@dataclasses.dataclass(frozen=True)
class ClassAccuracy:
    """One row of the table of classes.

    Args:
        label: Name of the class.
        videos: How many videos of it were scored.
        correct: How many of them were recognised.
        most_confused: The class most often said instead; `None` if there is none.
        said: How many videos, of any class, were taken for it.
    """

    label: str
    videos: int
    correct: int
    most_confused: str | None = None
    said: int = 0

    @property
    def accuracy(self) -> float:
        """Share of its videos that were recognised, the recall; NaN without videos."""
        return self.correct / self.videos if self.videos else math.nan

    @property
    def precision(self) -> float:
        """Share of the videos taken for it that are of it; NaN if there are none."""
        return self.correct / self.said if self.said else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN for a class that is nowhere."""
        return 2 * self.correct / (self.videos + self.said) if self.videos + self.said else math.nan


@dataclasses.dataclass(frozen=True)
class StreamAccuracy:
    """How often one stream alone is right, over the same videos as both together.

    Args:
        top1: Top-1 accuracy.
        interval: 95 % confidence interval of `top1` (Wilson).
        top5: Top-5 accuracy; `None` with five classes or fewer.
    """

    top1: float
    interval: tuple[float, float]
    top5: float | None

    def __str__(self) -> str:
        low, high = self.interval
        top5 = "" if self.top5 is None else f", top-5 {self.top5:.2%}"
        return f"top-1 {self.top1:.2%} (95 % interval {low:.1%} to {high:.1%}){top5}"


@dataclasses.dataclass(frozen=True)
class Summary:
    """What is said of an evaluation first. Shares are in [0, 1].

    Args:
        asked: Videos that were asked for.
        found: Videos that are on disk.
        failed: Videos on disk that could not be read.
        scored: Labelled videos with scores: what the means are over.
        top1: Top-1 accuracy.
        interval: 95 % confidence interval of `top1` (Wilson).
        top5: Top-5 accuracy; `None` with five classes or fewer.
        mean_class: Mean of the classes' accuracies, over the classes that have videos.
        calibration_error: Expected calibration error over 15 bins.
        protocol: The protocol in words.
        streams: Accuracy of each stream alone by its name, where it is known of all videos.
    """

    asked: int
    found: int
    failed: int
    scored: int
    top1: float
    interval: tuple[float, float]
    top5: float | None
    mean_class: float
    calibration_error: float
    protocol: str
    streams: Mapping[str, StreamAccuracy] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        """Two sentences for a terminal, and a line for each stream."""
        low, high = self.interval
        top5 = "" if self.top5 is None else f", top-5 {self.top5:.2%}"
        both = (
            f"Top-1 {self.top1:.2%} (95 % interval {low:.1%} to {high:.1%}){top5}, mean over "
            f"classes {self.mean_class:.2%}; {self.protocol}. {self.asked} videos asked for, "
            f"{self.found} found, {self.failed} failed."
        )
        alone = [f"{name.capitalize()} stream alone: {one}" for name, one in self.streams.items()]
        return "\n".join([both, *alone])

    def _repr_html_(self) -> str:
        rows = [
            ("top-1", html.bar(self.top1, percent(self.top1, 2))),
            ("95 % interval of top-1", interval(self.interval)),
            ("top-5", percent(self.top5, 2)),
            ("mean over classes", percent(self.mean_class, 2)),
            *(
                (f"top-1 of the {name} stream alone", html.bar(one.top1, percent(one.top1, 2)))
                for name, one in self.streams.items()
            ),
            ("calibration error", percent(self.calibration_error)),
            ("videos scored", f"{self.scored} of {self.asked}"),
            ("not on disk", self.asked - self.found),
            ("could not be read", self.failed),
            ("protocol", self.protocol),
        ]
        return html.table(("accuracy", ""), rows)


def summary(scores: Scores) -> Summary:
    """The numbers of an evaluation.

    Raises:
        ValueError: If no labelled video has scores.
    """
    return Summary(
        **video_counts(scores),
        scored=len(scored(scores)[1]),
        **_top_accuracies(scores),
        mean_class=mean_class_accuracy(scores),
        calibration_error=calibration_error(calibration(scores)),
        protocol=str(scores.protocol),
        streams={
            name: StreamAccuracy(**_top_accuracies(alone))
            for name, alone in alone_on_the_same(scores).items()
        },
    )


def video_counts(scores: Scores) -> dict[str, int]:
    """Videos asked for, found on disk, and found but not read."""
    missing = sum(problem == NOT_FOUND for problem in scores.problems)
    return {
        "asked": len(scores.paths),
        "found": len(scores.paths) - missing,
        "failed": int(scores.failed.sum()) - missing,
    }


def alone_on_the_same(scores: Scores) -> dict[str, Scores]:
    """The scores of each stream alone by its name, of those that have the same videos.

    What an older version evaluated has none, and what it began has some.
    """
    alone = {name: scores.alone(name) for name in scores.streams}
    return {name: one for name, one in alone.items() if (one.done == scores.done).all()}


def _top_accuracies(scores: Scores) -> dict[str, Any]:
    """Top-1 with its interval, and top-5."""
    top1, count = top_k_accuracy(scores, 1), len(scored(scores)[1])
    return {
        "top1": top1,
        "interval": wilson_interval(round(top1 * count), count),
        "top5": top_k_accuracy(scores, 5) if len(scores.labels) > 5 else None,
    }


def top_k_accuracy(scores: Scores, k: int = 1) -> float:
    """Share of the videos whose class is among the `k` best; of equal scores the first counts.

    Raises:
        ValueError: If `k` is not positive, or no labelled video has scores.
    """
    if k < 1:
        raise ValueError(f"Expected k >= 1. Received: k={k}")
    probabilities, truth = scored(scores)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((best == truth[:, None]).any(axis=1).mean())


def mean_class_accuracy(scores: Scores) -> float:
    """Mean of the classes' accuracies, over the classes that have videos."""
    return float(np.mean([row.accuracy for row in class_table(scores) if row.videos]))


def confusion_matrix(scores: Scores) -> np.ndarray:
    """Videos by class (rows) and by what the model says (columns): (L, L) int."""
    probabilities, truth = scored(scores)
    matrix = np.zeros((len(scores.labels),) * 2, np.int64)
    np.add.at(matrix, (truth, probabilities.argmax(axis=1)), 1)
    return matrix


def class_table(scores: Scores) -> list[ClassAccuracy]:
    """A row for each class, in the order of the labels."""
    matrix = confusion_matrix(scores)
    rows = []
    for index, label in enumerate(scores.labels):
        wrong = matrix[index].copy()
        wrong[index] = 0
        other = scores.labels[int(wrong.argmax())] if wrong.any() else None
        videos, said = int(matrix[index].sum()), int(matrix[:, index].sum())
        rows.append(ClassAccuracy(label, videos, int(matrix[index, index]), other, said))
    return rows


def wilson_interval(correct: int, videos: int, z: float = Z95) -> tuple[float, float]:
    """Confidence interval of a share (Wilson, 1927): sound near 0 and 1, unlike ±z·σ.

    Raises:
        ValueError: If there are no videos, or more correct ones than videos.
    """
    if not 0 <= correct <= videos or not videos:
        raise ValueError(
            f"Expected 0 <= correct <= videos. Received: correct={correct}, videos={videos}"
        )
    share, spread = correct / videos, z * z / videos
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(centre - half, 0.0), min(centre + half, 1.0)
