"""Lateral fusion of the fast pathway into the slow one (the baselines only)."""

from typing import Unpack

import keras

from keras_acl.layers.convolution import PaddedConv3D
from keras_acl.layers.residual import ConvolutionOptions, conv_norm

FUSIONS = ("conv", "conv_linear", "sum", "max", "concat", "none")


def lateral_fusion(
    slow,
    fast,
    kind: str,
    speed_ratio: int,
    *,
    kernel: int = 5,
    name: str,
    **options: Unpack[ConvolutionOptions],
):
    """Merge the fast pathway into the slow one; what section 2.3 of the paper lists.

    Args:
        slow: Tensor (B, T/α, H, W, C).
        fast: Tensor (B, T, H, W, βC).
        kind: `"conv"`: a k×1×1 convolution of temporal stride α with 2βC outputs, concatenated
            (SlowFast). `"conv_linear"`: the same without batch normalisation and activation
            (MMAction2). `"sum"` and `"max"`: the same convolution with C outputs, added to the slow
            features or compared with them element by element. `"concat"`: every α-th fast frame,
            concatenated, no parameters. `"none"`: the slow features as they are.
        speed_ratio: α.
        kernel: Temporal kernel k of the convolutions; 5 in PySlowFast's 4x16, 7 in PyTorchVideo.
        name: Prefix of the layers' names.
        **options: How the convolutions are computed, see `ConvolutionOptions`.

    Returns:
        The slow pathway's next input, (B, T/α, H, W, C, C + βC or C + 2βC).

    Raises:
        ValueError: If `kind` is unknown.
    """
    if kind not in FUSIONS:
        raise ValueError(f"Expected `fusion` to be one of {FUSIONS}. Received: fusion={kind!r}")
    if kind == "none":
        return slow
    if kind == "concat":
        sampled = fast[:, ::speed_ratio]
        return keras.layers.Concatenate(name=f"{name}_join")([slow, sampled])
    filters = 2 * fast.shape[-1] if kind.startswith("conv") else slow.shape[-1]
    size, strides = (kernel, 1, 1), (speed_ratio, 1, 1)
    if kind == "conv_linear":
        form = options.get("form", "auto")
        lateral = PaddedConv3D(filters, size, strides, form=form, name=f"{name}_conv")(fast)
    else:
        lateral = conv_norm(fast, filters, size, strides, name=name, **options)
    merge = {
        "conv": keras.layers.Concatenate,
        "conv_linear": keras.layers.Concatenate,
        "sum": keras.layers.Add,
        "max": keras.layers.Maximum,
    }[kind]
    return merge(name=f"{name}_join")([slow, lateral])
