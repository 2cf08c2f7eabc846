"""Building blocks of a ResNet stream, as functions on the tensors of a functional graph."""

import functools
from typing import TypedDict, Unpack

import keras

from keras_acl.layers.convolution import PaddedConv3D
from keras_acl.layers.normalization import ClipBatchNormalization

Size = tuple[int, int, int]


class ConvolutionOptions(TypedDict, total=False):
    """How convolutions are computed; the result is the same but for rounding.

    Args:
        form: Form of separable convolutions, see `PaddedConv3D`; `"auto"` by default.
        folded: Whether batch normalisation is folded into them; not by default.
        clips_per_group: Clips that share batch statistics, see `ClipBatchNormalization`.
    """

    form: str
    folded: bool
    clips_per_group: int | None


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
    folded, group = options.pop("folded", False), options.pop("clips_per_group", None)
    x = PaddedConv3D(filters, kernel_size, strides, folded, name=f"{name}_conv", **options)(x)
    if not folded:
        gamma = "zeros" if zero_gamma else "ones"
        x = ClipBatchNormalization(group, gamma_initializer=gamma, name=f"{name}_bn")(x)
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
    shortcut = x
    if stride > 1 or x.shape[-1] != 4 * filters:
        shortcut = convolve(
            x, 4 * filters, (1, 1, 1), strides, name=f"{name}_shortcut", activation=None
        )
    x = convolve(x, filters, (temporal_kernel, 1, 1), name=f"{name}_a")
    x = convolve(x, filters, (1, 3, 3), strides, name=f"{name}_b")
    x = convolve(x, 4 * filters, (1, 1, 1), name=f"{name}_c", activation=None, zero_gamma=True)
    x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return keras.layers.Activation("relu", name=f"{name}_out")(x)
