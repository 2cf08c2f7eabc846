"""What every layer and model is held to: its config, its precision, its gradients."""

import inspect
import json

import keras
import numpy as np

BASE_LAYER = {"name", "trainable", "dtype", "autocast", "activity_regularizer"}
BASE_LOSS = {"name", "reduction", "dtype"}


def to_numpy(x) -> np.ndarray:
    """Any backend's tensor as float32 or integer array."""
    if str(keras.backend.standardize_dtype(x.dtype)) == "bfloat16":
        x = keras.ops.cast(x, "float32")
    return keras.ops.convert_to_numpy(x)


def check_config(thing, base: set[str] = BASE_LAYER):
    """Every constructor argument is in the config, survives JSON, and nothing else is there.

    `thing` must be made with no argument at its default: a lost argument then shows.

    Returns:
        The thing that its config describes.
    """
    parameters = constructor_parameters(type(thing))
    arguments = set(parameters) - {"self", "args", "kwargs", "options"} - base
    config = json.loads(json.dumps(thing.get_config()))
    assert set(config) - base == arguments
    for name in arguments:
        assert config[name] != plain(parameters[name].default), f"{name} is at its default"
    copy = type(thing).from_config(config)
    assert json.loads(json.dumps(copy.get_config())) == config
    return copy


def constructor_parameters(kind: type) -> dict[str, inspect.Parameter]:
    """Arguments of a constructor and of those of this package that it hands arguments on to."""
    constructors = [
        vars(each)["__init__"]
        for each in reversed(kind.__mro__)
        if each.__module__.startswith("keras_acl") and "__init__" in vars(each)
    ]
    return {k: v for made in constructors for k, v in inspect.signature(made).parameters.items()}


def plain(default):
    """A default as it would stand in a JSON file."""
    if hasattr(default, "__dataclass_fields__"):
        default = vars(default)
    return json.loads(json.dumps(default)) if default is not inspect.Parameter.empty else default


def check_layer(layer, inputs, base: set[str] = BASE_LAYER):
    """The layer's config is whole, and the copy made from it computes the same."""
    copy = check_config(layer, base)
    for made in (layer, copy):
        made(inputs)  # creates the weights
    for ours, theirs in zip(copy.variables, layer.variables, strict=True):
        ours.assign(theirs)
    for ours, theirs in zip(flat(copy(inputs)), flat(layer(inputs)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def flat(outputs) -> list[np.ndarray]:
    """All tensors of a structure as arrays."""
    return [to_numpy(x) for x in keras.tree.flatten(outputs)]


def crossentropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the clips of -log softmax of the labelled class."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -float(np.mean(log_softmax[np.arange(len(labels)), labels]))


def dtype_of(x) -> str:
    """Name of a tensor's type on any backend."""
    return keras.backend.standardize_dtype(x.dtype)


def gradients(function, *arrays) -> list[np.ndarray]:
    """Gradients of a scalar function with respect to each array, zeros where unconnected."""
    arrays = [np.asarray(a, "float32") for a in arrays]
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tensors = [tf.constant(a) for a in arrays]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        found = tape.gradient(value, tensors, unconnected_gradients="zero")
    elif backend == "jax":
        import jax

        found = jax.grad(function, argnums=tuple(range(len(arrays))))(*arrays)
    else:
        import torch

        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        found = torch.autograd.grad(
            function(*tensors), tensors, allow_unused=True, materialize_grads=True
        )
    return [to_numpy(g) for g in found]
