"""Put tensors into a model, strictly."""

import keras
import numpy as np

from keras_acl.models import SlowClassifier, TwoStreamClassifier, X3DClassifier
from keras_acl.models.single_stream import SingleStreamClassifier


def variables_by_name(model) -> dict[str, keras.Variable]:
    """A classifier's variables under the names that `formats` translates to."""
    if isinstance(model, TwoStreamClassifier):
        parts = {"slow_": model.spatial_stream, "fast_": model.temporal_stream}
    elif isinstance(model, SlowClassifier):
        parts = {"slow_": model.spatial_stream}
    elif isinstance(model, SingleStreamClassifier):
        parts = {"": model.stream}
    else:
        parts = {"": model.streams}
    named = {
        prefix + "/".join(variable.path.split("/")[-2:]): variable
        for prefix, stream in parts.items()
        for variable in stream.weights
    }
    if isinstance(model, X3DClassifier):
        named["projection/kernel"] = model.projection.kernel
    return {
        **named,
        "classifier/kernel": model.classifier.kernel,
        "classifier/bias": model.classifier.bias,
    }


def fill(model, tensors: dict[str, np.ndarray], source: str) -> None:
    """Assign every variable of a classifier, after everything has been checked.

    Args:
        model: A classifier of this package.
        tensors: Arrays by the names of `variables_by_name`.
        source: What to call their origin in an error.

    Raises:
        ValueError: If a tensor is missing, left over or of another shape.
    """
    variables = variables_by_name(model)
    if missing := sorted(variables.keys() - tensors.keys()):
        raise ValueError(
            f"{source} lacks {len(missing)} of {len(variables)} tensors, among them: "
            f"{', '.join(missing[:5])}"
        )
    if left := sorted(tensors.keys() - variables.keys()):
        raise ValueError(
            f"{source} has {len(left)} tensors that a {type(model).__name__} of its depth and "
            f"width has no place for: {', '.join(left[:5])}"
        )
    for name, variable in variables.items():
        if tensors[name].shape != tuple(variable.shape):
            raise ValueError(
                f"{source}: {name} has the shape {tensors[name].shape}. Expected "
                f"{tuple(variable.shape)}"
            )
    for name, variable in variables.items():
        variable.assign(tensors[name])
