"""Scores of logits, by NumPy: what `VideoClassifier.scores` says, without Keras."""

import numpy as np


def scores_of(logits: np.ndarray, multi_label: bool) -> np.ndarray:
    """What logits (..., L) say of each class, from 0 to 1, float32.

    The softmax, which adds up to 1 over the classes; of several labels a clip the sigmoid of each.
    """
    logits = np.asarray(logits, np.float32)
    if multi_label:
        return (np.tanh(logits / 2) + 1) / 2  # without an overflow
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
