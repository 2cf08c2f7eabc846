"""What the metrics of one label a video are computed from."""

import numpy as np

from keras_acl.evaluation.scores import Scores


def scored(scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, L) and classes (n,) of the labelled videos that have scores.

    Raises:
        ValueError: If there is none, or videos may have several labels.
    """
    if scores.multi_label:
        raise ValueError(
            "These scores are of videos that may have several labels, and this number is of one "
            "label a video. Use multi_label_summary and label_table."
        )
    chosen = scores.done & (scores.truth >= 0)
    if not chosen.any():
        raise ValueError(
            "No video has both a label and scores: there is nothing to measure. "
            f"Received: {len(scores.paths)} videos, {int(scores.done.sum())} with scores, "
            f"{int((scores.truth >= 0).sum())} with a label"
        )
    return scores.probabilities[chosen], scores.truth[chosen]
