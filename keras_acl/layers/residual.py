"""Building blocks of a ResNet stream, as functions on the tensors of a functional graph."""

import functools
from typing import TypedDict, Unpack

import keras

from keras_acl.layers.convolution import PaddedConv3D
from keras_acl.layers.depthwise_convolution import DepthwiseConv3D
from keras_acl.layers.normalization import ClipBatchNormalization

Size = tuple[int, int, int]


class ConvolutionOptions(TypedDict, total=False):
    """How convolutions are computed, and what they belong to a network by.

    With the first three the result is the same but for rounding.

    Args:
        form: Form of separable convolutions, see `PaddedConv3D`; `"auto"` by default.
        folded: Whether batch normalisation is folded into them; not by default.
        clips_per_group: Clips that share batch statistics, see `ClipBatchNormalization`.
        epsilon: Of batch normalisation; 1e-5 by default.
        scale: Whether batch normalisation has a gamma; it does by default.
        padding: Of the convolution, see `PaddedConv3D`; `"symmetric"` by default.
        groups: Of the convolution, see `PaddedConv3D`; 1 by default.
    """

    form: str
    folded: bool
    clips_per_group: int | None
    epsilon: float
    scale: bool
    padding: str
    groups: int


def conv_norm(
    x,
    filters: int,
    kernel_size: Size,
    strides: Size = (1, 1, 1),
    *,
    name: str,
    activation: str | None = "relu",
    zero_gamma: bool = False,
    **options: Unpack[ConvolutionOptions],
):
    """Convolution, batch normalisation and, unless `activation` is `None`, the activation.

    Folded, the convolution has a bias instead of the normalisation behind it.
    """
    x = PaddedConv3D(
        filters,
        kernel_size,
        strides,
        options.get("folded", False),
        options.get("form", "auto"),
        padding=options.get("padding", "symmetric"),
        groups=options.get("groups", 1),
        name=f"{name}_conv",
    )(x)
    return _end(x, activation, zero_gamma, name, options)


def depthwise_norm(
    x,
    kernel_size: Size,
    strides: Size = (1, 1, 1),
    *,
    name: str,
    activation: str | None = "relu",
    **options: Unpack[ConvolutionOptions],
):
    """The same with a convolution of each channel by itself."""
    folded = options.get("folded", False)
    x = DepthwiseConv3D(kernel_size, strides, folded, name=f"{name}_conv")(x)
    return _end(x, activation, False, name, options)


def convolution(
    x,
    filters: int,
    kernel_size: Size,
    strides: Size = (1, 1, 1),
    *,
    name: str,
    **options: Unpack[ConvolutionOptions],
):
    """A convolution that no normalisation follows at once: its sums go on as they are."""
    form = options.get("form", "auto")
    return PaddedConv3D(filters, kernel_size, strides, form=form, name=f"{name}_conv")(x)


def _end(x, activation: str | None, zero_gamma: bool, name: str, options: ConvolutionOptions):
    if options.get("folded", False):
        return _activated(x, activation, name)
    return normalized(x, name=name, activation=activation, zero_gamma=zero_gamma, **options)


def normalized(
    x,
    *,
    name: str,
    activation: str | None = "relu",
    zero_gamma: bool = False,
    **options: Unpack[ConvolutionOptions],
):
    """Batch normalisation and, unless `activation` is `None`, the activation.

    By itself behind a sum or a concatenation, where there is no convolution to fold it into.
    """
    x = ClipBatchNormalization(
        options.get("clips_per_group"),
        epsilon=options.get("epsilon", 1e-5),
        scale=options.get("scale", True),
        gamma_initializer="zeros" if zero_gamma else "ones",
        name=f"{name}_bn",
    )(x)
    return _activated(x, activation, name)


def _activated(x, activation: str | None, name: str):
    return x if activation is None else keras.layers.Activation(activation, name=f"{name}_relu")(x)


def bottleneck(
    x,
    filters: int,
    temporal_kernel: int,
    stride: int = 1,
    *,
    name: str,
    **options: Unpack[ConvolutionOptions],
):
    """Bottleneck block: T×1×1, 1×3×3 (with the spatial stride), 1×1×1 with 4·filters outputs.

    The last gamma starts at zero, so a new block is the identity; the shortcut is projected where
    the shape changes.
    """
    convolve = functools.partial(conv_norm, **options)
    strides = (1, stride, stride)
    shortcut = projected(x, 4 * filters, strides, name=name, **options)
    x = convolve(x, filters, (temporal_kernel, 1, 1), name=f"{name}_a")
    x = convolve(x, filters, (1, 3, 3), strides, name=f"{name}_b")
    x = convolve(x, 4 * filters, (1, 1, 1), name=f"{name}_c", activation=None, zero_gamma=True)
    return joined(shortcut, x, name=name)


def projected(x, filters: int, strides: Size, *, name: str, **options: Unpack[ConvolutionOptions]):
    """A block's shortcut: its input, projected where the shape changes."""
    if set(strides) == {1} and x.shape[-1] == filters:
        return x
    return conv_norm(
        x, filters, (1, 1, 1), strides, name=f"{name}_shortcut", activation=None, **options
    )


def joined(shortcut, x, *, name: str):
    """The end of a block: shortcut and branch added, and a ReLU."""
    x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return keras.layers.Activation("relu", name=f"{name}_out")(x)


def gates(values, hidden: int, *, name: str):
    """A gate from 0 to 1 for each value of the last axis, which sees all of them: two dense layers.

    Args:
        values: Such as the means of the channels.
        hidden: Outputs of the first layer.
        name: Of the two layers, with `_a` and `_b` behind it.
    """
    x = keras.layers.Dense(hidden, "relu", name=f"{name}_a")(values)
    return keras.layers.Dense(values.shape[-1], "sigmoid", name=f"{name}_b")(x)
