"""The same network, faster: batch normalisation folded into the convolutions, for inference."""

import keras
import numpy as np

from keras_acl.layers import ClipBatchNormalization, PaddedConv3D
from keras_acl.models.compile_and_fit import copy_head, streams_of
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.system.devices import fast_bfloat16, has_accelerator, tensorflow

PRECISIONS = ("auto", "float32", "bfloat16", "float16", None)


def optimize(
    model: VideoClassifier, precision: str | None = "auto", *, constant_weights: bool = False
) -> VideoClassifier:
    """Return a copy of a model that does the same with less work, for inference.

    Batch normalisation becomes part of the convolution before it, what only training needs is left
    out, and the precision is one in which the device is fast. The copy has the same class, call,
    maps and card; it can be saved, and loads as any model.

    Args:
        model: A classifier of this package; it stays as it is.
        precision: `"float32"`: outputs differ from a float32 model's by rounding (1e-5).
            `"bfloat16"` and `"float16"`: weights take half the memory, and scores differ in the
            second or third digit. `"auto"`: bfloat16 where the device multiplies it faster (GPUs,
            TPUs, CPUs with AMX or AVX512-BF16), else float32; for a GPU of NVIDIA before Ampere
            say `"float16"`. `None`: the one that the model computes in.
        constant_weights: Compile the convolutions' weights into TensorFlow's functions on a CPU,
            which then need not reorder them at every call. For services that run for long: some
            percent faster, but compiling a function of the copy (`predict` for a new batch size,
            `explain`, `features`) takes seconds longer, with a peak of memory some 14 times the
            size of the weights. Not saved with the copy, which refuses other weights, nor kept by
            another `optimize`; without effect on other devices and backends.

    Returns:
        A new model. `fit` refuses it: train the original.

    Raises:
        ValueError: If the model is not a classifier of this package, or the precision is unknown.

    Example:
        >>> fast = keras_acl.optimize(keras_acl.load_pretrained("k400"))
        >>> scores = fast.predict(clips)
    """
    if not isinstance(model, VideoClassifier):
        raise ValueError(
            f"Expected a classifier of keras-acl. Received: {type(model).__name__}. A .keras file "
            "or a run's folder is loaded with keras_acl.load_model."
        )
    if precision not in PRECISIONS:
        raise ValueError(
            f"Expected `precision` to be one of {PRECISIONS}. Received: precision={precision!r}"
        )
    if precision == "auto":
        precision = "bfloat16" if fast_bfloat16() else "float32"
    precision = precision or model.compute_dtype
    config = {**model.get_config(), "folded": True, "dtype": precision}
    if "consistency_weight" in config:
        config["consistency_weight"] = None
    copy = type(model).from_config(config)
    for stream, folded in zip(streams_of(model), streams_of(copy), strict=True):
        _fold(stream, folded)
    copy_head(model, copy)
    copy.saved_as = model.saved_as
    if hasattr(model, "card"):
        copy.card = model.card
    if constant_weights and tensorflow() is not None and not has_accelerator():
        _make_constant(copy)
    return copy


def _fold(stream: keras.Model, folded: keras.Model) -> None:
    """W' = W · γ / √(σ² + ε) and b' = β - μ · γ / √(σ² + ε), in float64."""
    names = {layer.name for layer in folded.layers}
    for layer in stream.layers:
        # Normalisation that is in no convolution's place stays as it is.
        if not layer.weights or layer.name not in names:
            continue
        weights = [np.asarray(w, "float64") for w in layer.get_weights()]
        norm = _normalization(stream, layer)
        if norm is not None:
            *gamma, beta, mean, variance = (np.asarray(w, "float64") for w in norm.get_weights())
            scale = (gamma[0] if gamma else 1.0) / np.sqrt(variance + norm.epsilon)
            weights = [weights[0] * scale, beta - mean * scale]
        folded.get_layer(layer.name).set_weights(weights)


def _make_constant(model: VideoClassifier) -> None:
    """Have the kernels compiled in, and refuse values that compiled functions would not see."""
    for stream in streams_of(model):
        for layer in stream.layers:
            if isinstance(layer, PaddedConv3D):
                layer.constant_kernel = True
    for weight in model.weights:
        weight.assign = _refuse
    model.load_weights = _refuse  # Keras would report the refusals as a file that does not fit


def _refuse(*_, **__):
    raise ValueError(
        "The weights of a model optimised with constant_weights=True are part of its compiled "
        "functions and stay as they are. Change the original and optimise it again."
    )


def _normalization(stream: keras.Model, layer: keras.layers.Layer) -> ClipBatchNormalization | None:
    """The layer behind a convolution, by the names that `conv_norm` gives; `None` if folded."""
    names = {found.name for found in stream.layers}
    name = layer.name.removesuffix("_conv") + "_bn"
    return stream.get_layer(name) if name in names else None
