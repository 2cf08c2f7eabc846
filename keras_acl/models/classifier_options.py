"""The arguments that all classifiers take."""

import math
from collections.abc import Sequence
from typing import TypedDict

import keras
import numpy as np


class ClassifierOptions(TypedDict, total=False):
    """Arguments that the constructors of all classifiers take, all of them optional.

    Args:
        labels: Class names in the order of the logits; kept with the model.
        mean: Subtracted from pixels scaled to [0, 1]: 0.45, or one value for each channel.
        std: Divides them: 0.225, or one value for each channel.
        multi_label: Whether a clip may have several classes, or none: its scores are then the
            sigmoid of each logit, not the softmax of all. See `VideoClassifier.scores`.
        dropout: Dropout rate before the dense layer: 0.5.
        form: Form of the separable convolutions: `"auto"`; see `keras_acl.layers.PaddedConv3D`.
        folded: Whether batch normalisation is folded into the convolutions, for inference only;
            see `keras_acl.optimize`.
        clips_per_group: Clips that share batch statistics in training, see
            `keras_acl.layers.ClipBatchNormalization`.
        name: Name, as in every Keras model.
        dtype: Type or policy, as in every Keras model.
        trainable: Whether weights are trained, as in every Keras model.
    """

    labels: Sequence[str] | None
    multi_label: bool
    mean: float | Sequence[float]
    std: float | Sequence[float]
    dropout: float
    form: str
    folded: bool
    clips_per_group: int | None
    name: str
    dtype: str | keras.DTypePolicy
    trainable: bool


def check_num_classes(num_classes: int) -> None:
    """Refuse a number of classes that is none.

    Raises:
        ValueError: If it is no whole number, or below 2.
    """
    if isinstance(num_classes, bool) or not isinstance(num_classes, int | np.integer):
        raise ValueError(
            "Expected `num_classes` to be a whole number, such as 3. "
            f"Received: num_classes={num_classes!r}"
        )
    if num_classes < 2:
        raise ValueError(
            "A classifier tells at least two classes apart; yes or no are two. "
            f"Received: num_classes={num_classes}"
        )


def check_options(multi_label: bool, dropout: float) -> None:
    """Refuse what Keras would take without a word, or for something else.

    Raises:
        ValueError: If `multi_label` is neither True nor False, or `dropout` not in [0, 1).
    """
    if not isinstance(multi_label, bool):
        raise ValueError(
            "Expected `multi_label` to be True or False. "
            f"Received: multi_label={multi_label!r} of type {type(multi_label).__name__}"
        )
    if not is_number(dropout) or not 0 <= dropout < 1:
        raise ValueError(
            "Expected `dropout` to be at least 0 and below 1, such as 0.5. "
            f"Received: dropout={dropout!r}"
        )


def check_weight(name: str, weight: float) -> None:
    """Refuse a weight of a part of the loss that is none.

    Raises:
        ValueError: If it is no number, negative or not finite.
    """
    if not is_number(weight) or not 0 <= weight < math.inf:  # NaN is not
        raise ValueError(
            f"Expected `{name}` to be 0 or more, such as 0.5. Received: {name}={weight!r}"
        )


def is_number(value) -> bool:
    """Whether a value is a number; True and False are none."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
