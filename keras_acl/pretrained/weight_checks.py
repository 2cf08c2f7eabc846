"""What is asked of weights: that they are finite, and as many as their network needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_acl.models.resnet_streams import BLOCKS, least_parameters


def first_not_finite(model: keras.Model) -> str | None:
    """Path of the first weight that holds NaN or infinity, or `None`."""
    for weight in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
            return weight.path
    return None


def check_loaded(model: keras.Model, file: Path) -> None:
    """Refuse weights that would predict NaN.

    Raises:
        ValueError: With the name of the first tensor that is not finite.
    """
    if (path := first_not_finite(model)) is not None:
        raise ValueError(
            f"{file} holds NaN or infinity in {path}, so it would predict nothing. Did its "
            "training diverge? Load an earlier state."
        )


def check_size(arguments: Mapping[str, Any], size: int, file: str | Path) -> None:
    """Refuse a network that is larger than its weights, before it is allocated.

    Args:
        arguments: Arguments of the network's constructor, as they stand in a file.
        size: Bytes of the weights, of which every parameter has one at least.
        file: What to name in the error.

    Raises:
        ValueError: If the file describes a larger network than it holds.
    """
    count, depth, width = (arguments.get(name) for name in ("num_classes", "depth", "width"))
    if not (isinstance(count, int) and isinstance(width, int) and depth in tuple(BLOCKS)):
        return  # the constructor says what is wrong
    least = least_parameters(count, depth, width)
    if least > size:
        raise ValueError(
            f"{file} is broken: it describes a network of {count:,} classes and width {width:,}, "
            f"at least {least:,} parameters, and holds {size:,} bytes of weights."
        )
