"""ROC curves, each class against all others."""

import dataclasses
import math

import numpy as np

from keras_acl.evaluation.scored import scored
from keras_acl.evaluation.scores import Scores


@dataclasses.dataclass(frozen=True, eq=False)
class RocCurve:
    """The receiver operating characteristic of a class against all others.

    Args:
        label: Name of the class.
        false_positives: (n,) share of the other classes' videos whose score of this class reaches
            a threshold, from 0 to 1 as the threshold falls.
        true_positives: (n,) share of this class's videos whose score does.
    """

    label: str
    false_positives: np.ndarray
    true_positives: np.ndarray

    @property
    def area(self) -> float:
        """Area under the curve: how often a video of the class has the higher score of two."""
        return float(np.trapezoid(self.true_positives, self.false_positives))


def roc_curves(scores: Scores) -> list[RocCurve]:
    """A curve for each class that has videos, as long as there are others; in the labels' order.

    Raises:
        ValueError: If no labelled video has scores.
    """
    probabilities, truth = scored(scores)
    return [
        _curve(label, probabilities[:, index], truth == index)
        for index, label in enumerate(scores.labels)
        if 0 < (truth == index).sum() < len(truth)
    ]


def mean_curve(curves: list[RocCurve], points: int = 201) -> RocCurve:
    """The mean of curves at equal shares of false positives: every class counts the same."""
    grid = np.linspace(0, 1, points)
    values = np.mean(
        [np.interp(grid, curve.false_positives, curve.true_positives) for curve in curves], axis=0
    )
    return RocCurve("mean", np.r_[0, grid], np.r_[0, values])


def mean_area(curves: list[RocCurve]) -> float:
    """Mean of the areas; NaN without curves."""
    return float(np.mean([curve.area for curve in curves])) if curves else math.nan


def _curve(label: str, values: np.ndarray, positive: np.ndarray) -> RocCurve:
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(positive[order])
    # Videos of equal score pass the threshold together.
    last = np.r_[np.flatnonzero(np.diff(values[order])), len(values) - 1]
    misses = last + 1 - hits[last]
    return RocCurve(
        label,
        np.r_[0, misses / (len(values) - hits[-1])],
        np.r_[0, hits[last] / hits[-1]],
    )
