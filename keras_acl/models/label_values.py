"""Labels that are given as arrays: a class index for each clip, or a row of weights."""

import keras
import numpy as np

SUM_TOLERANCE = 0.01  # float16 and smoothed rows do not add up exactly


def check_label_shape(shape: tuple, num_classes: int) -> None:
    """Refuse labels of a multi-label model that are not one column for each class.

    Keras would take a class index for the label of every class.

    Raises:
        ValueError: If the shape is not (batch, num_classes).
    """
    if len(shape) != 2 or shape[1] not in (None, num_classes):
        raise ValueError(
            "A multi-label model takes labels of shape (batch, classes), 1 where the clip has "
            f"the class, else 0: expected (batch, {num_classes}). Received: shape={tuple(shape)}"
        )


def check_label_values(y, num_classes: int, multi_label: bool, owner: str = "The labels") -> None:
    """Refuse an array of labels whose values are not those that the model takes.

    Args:
        y: Array or tensor: a class index for each clip, or a row of weights of the classes.
        num_classes: Number of the model's classes.
        multi_label: The model's.
        owner: Name of the labels, for the error.

    Raises:
        ValueError: If the weights of a clip with one label do not add up to 1, those of a clip with
            several are not in [0, 1], or a class index is none.
    """
    y = keras.ops.convert_to_numpy(y)
    if multi_label:
        check_label_shape(y.shape, num_classes)
        if not ((y >= 0) & (y <= 1)).all():
            raise ValueError(
                f"{owner} of a multi-label model must be 1 where the clip has the class, else 0. "
                f"Received: values from {y.min()} to {y.max()}"
            )
    elif y.ndim == 2 and y.shape[1] == num_classes:
        sums = y.sum(axis=1, dtype="float64")
        wrong = np.flatnonzero(~(np.abs(sums - 1) < SUM_TOLERANCE))
        if wrong.size:
            raise ValueError(
                f"{owner} of a clip must add up to 1, as it has one class: make the model with "
                "multi_label=True if clips may have several classes, or none. Received: row "
                f"{wrong[0]} adds up to {sums[wrong[0]]:g}; {wrong.size} of {len(y)} rows do not "
                "add up to 1"
            )
    elif y.size and not ((y >= 0) & (y < num_classes)).all():
        raise ValueError(
            f"{owner} must be class indices from 0 to {num_classes - 1}. Received: values from "
            f"{y.min()} to {y.max()}"
        )
