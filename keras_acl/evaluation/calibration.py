"""Whether a model is as often right as it is sure (Guo et al., 2017)."""

import dataclasses
import math

import numpy as np

from keras_acl.evaluation.scored import scored
from keras_acl.evaluation.scores import Scores

BINS = 15  # as there


@dataclasses.dataclass(frozen=True)
class CalibrationBin:
    """Videos whose best score is between `low` and `high`: their mean score and their accuracy."""

    low: float
    high: float
    videos: int
    confidence: float
    accuracy: float


def calibration(scores: Scores, bins: int = BINS) -> list[CalibrationBin]:
    """How often the model is right where it is so and so sure (Guo et al., 2017)."""
    probabilities, truth = scored(scores)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = []
    for index in range(bins):
        inside = place == index
        count = int(inside.sum())
        rows.append(
            CalibrationBin(
                low=index / bins,
                high=(index + 1) / bins,
                videos=count,
                confidence=float(confidence[inside].mean()) if count else math.nan,
                accuracy=float(right[inside].mean()) if count else math.nan,
            )
        )
    return rows


def calibration_error(rows: list[CalibrationBin]) -> float:
    """Expected calibration error: |accuracy − confidence|, weighted by the videos of each bin."""
    total = sum(row.videos for row in rows)
    gaps = (row.videos * abs(row.accuracy - row.confidence) for row in rows if row.videos)
    return sum(gaps) / total
