"""ResNet streams as functional graphs: one alone, or the fused pair of the baseline."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Unpack

import keras

from keras_acl.layers import (
    PaddedMaxPooling3D,
    bottleneck,
    conv_norm,
    lateral_fusion,
    slow_frame_indices,
)
from keras_acl.layers.residual import ConvolutionOptions
from keras_acl.models.classifier_options import check_num_classes
from keras_acl.system.memory import available_memory

# Blocks of each stage. 50 and 101 are the published networks, 11 and 14 small ones for CPUs.
BLOCKS = {11: (1, 1, 1), 14: (1, 1, 1, 1), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
# Those that have four stages, and 152 of the zoo.
FOUR_STAGES = {depth: BLOCKS[depth] for depth in (14, 50, 101)}
BLOCKS_OF_152 = (3, 8, 36, 3)
# Spatial stride of each stage. 11 keeps its maps at 1/8: small clips, too, have maps to look at.
STRIDES = {11: (1, 2, 1), 14: (1, 2, 2, 2), 50: (1, 2, 2, 2), 101: (1, 2, 2, 2)}


def blocks_of(
    depth: int, known: Mapping[int, tuple[int, ...]] = MappingProxyType(BLOCKS)
) -> tuple[int, ...]:
    """Blocks of each stage of a ResNet of this depth.

    Args:
        depth: The depth.
        known: Blocks of each stage by depth: here those of 11, 14, 50 and 101.

    Raises:
        ValueError: If the depth is not one of those.
    """
    if depth not in known:
        raise ValueError(f"Expected `depth` to be one of {sorted(known)}. Received: depth={depth}")
    return known[depth]


def least_parameters(num_classes: int, depth: int, width: int) -> int:
    """Parameters that a network has at least: its dense layer's and its widest convolution's."""
    channels = width * 2 ** (len(blocks_of(depth)) - 1)
    return 4 * channels * num_classes + 9 * channels**2


def check_memory(num_classes: int, depth: int, width: int) -> None:
    """Refuse a network that cannot be held, before anything of it is allocated.

    Raises:
        ValueError: If its float32 weights alone are larger than the memory that is free, or
            `num_classes` is no number of classes.
    """
    check_num_classes(num_classes)
    needed = least_parameters(num_classes, depth, width) * 4 / 2**20
    if needed > available_memory():
        raise ValueError(
            f"A network of {num_classes:,} classes and width {width:,} needs more than "
            f"{needed:,.0f} MiB of memory; {available_memory():,.0f} MiB are free. Received: "
            f"num_classes={num_classes}, width={width}"
        )


def spatial_kernels(depth: int) -> tuple[int, ...]:
    """Temporal kernels of the spatial stream: 3 in the last two stages only (section 3.1)."""
    stages = len(blocks_of(depth))
    return (1,) * (stages - 1) + (3, 3)


def temporal_kernels(depth: int) -> tuple[int, ...]:
    """Temporal kernels of the temporal stream: 5 in the stem, 3 in every stage (section 3.1)."""
    return (5,) + (3,) * len(blocks_of(depth))


def temporal_width(width: int, channel_ratio: int) -> int:
    """Channels of the temporal stream's stem, β times those of the spatial one.

    Raises:
        ValueError: If `width` is not a multiple of 1/β.
    """
    if channel_ratio < 1 or width % channel_ratio:
        raise ValueError(
            "The temporal stream must get a whole number of channels: expected `width` to be a "
            f"multiple of `channel_ratio`. Received: width={width}, channel_ratio={channel_ratio}"
        )
    return width // channel_ratio


def resnet_stream(
    frames: int,
    kernels: Sequence[int],
    depth: int = 50,
    width: int = 64,
    name: str = "stream",
    channels: int = 3,
    **options: Unpack[ConvolutionOptions],
) -> keras.Model:
    """Build one 3D ResNet stream without head.

    Args:
        frames: Frames of its input.
        kernels: Temporal kernel of the stem and of each stage; see `spatial_kernels` and
            `temporal_kernels`.
        depth: 50, 101, or 11, 14 for small ones. 11 has three stages and an output stride of 8,
            the others four and 32.
        width: Channels of the stem. The last stage has `4 * 2**(stages - 1)` times as many.
        name: Name of the model.
        channels: Channels of a frame, 3 of colours.
        **options: How the convolutions are computed, see `ConvolutionOptions`.

    Returns:
        A model from normalised frames `(batch, frames, H, W, channels)` to features
        `(batch, frames, H / 32, W / 32, 32 * width)`; H and W are free, sizes are rounded up.

    Raises:
        ValueError: For an unknown depth or a wrong number of kernels.
    """
    blocks = blocks_of(depth)
    if len(kernels) != len(blocks) + 1:
        raise ValueError(
            f"Expected {len(blocks) + 1} temporal kernels (stem and stages) for depth {depth}. "
            f"Received: kernels={tuple(kernels)}"
        )
    inputs = keras.Input((frames, None, None, channels), name=f"{name}_frames")
    x = _stem(inputs, width, kernels[0], "", **options)
    for stage, count in enumerate(blocks):
        stride = STRIDES[depth][stage]
        x = _stage(x, stage, count, stride, width, kernels[stage + 1], "", **options)
    return keras.Model(inputs, x, name=name)


def slowfast_streams(
    frames: int,
    speed_ratio: int,
    channel_ratio: int,
    depth: int,
    width: int,
    fusion: str,
    fusion_kernel: int,
    **options: Unpack[ConvolutionOptions],
) -> keras.Model:
    """Build the fused pair: the fast pathway joins the slow one after the stem and each stage.

    Args:
        frames: Frames of the fast pathway (T).
        speed_ratio: α; the slow pathway has T/α frames.
        channel_ratio: 1/β; the fast pathway's stem has `width // channel_ratio` channels.
        depth: As in `resnet_stream`.
        width: Channels of the slow pathway's stem.
        fusion: Kind of lateral fusion, see `lateral_fusion`.
        fusion_kernel: Temporal kernel of its convolutions.
        **options: How the convolutions are computed, see `ConvolutionOptions`.

    Returns:
        A model from `[slow, fast]` frames to `[slow, fast]` features.

    Raises:
        ValueError: If the frames are no multiple of α or the channels none of 1/β.
    """
    blocks = blocks_of(depth)
    narrow = temporal_width(width, channel_ratio)
    slow_frames = len(slow_frame_indices(frames, speed_ratio))
    slow_kernels, fast_kernels = spatial_kernels(depth), temporal_kernels(depth)
    inputs = [
        keras.Input((slow_frames, None, None, 3), name="slow_frames"),
        keras.Input((frames, None, None, 3), name="fast_frames"),
    ]
    slow = _stem(inputs[0], width, slow_kernels[0], "slow_", **options)
    fast = _stem(inputs[1], narrow, fast_kernels[0], "fast_", **options)
    for stage, count in enumerate(blocks):
        # No fusion after the last stage: the streams meet in the head.
        name = f"fuse{stage + 1}"
        slow = lateral_fusion(
            slow, fast, fusion, speed_ratio, kernel=fusion_kernel, name=name, **options
        )
        block = stage, count, STRIDES[depth][stage]
        slow = _stage(slow, *block, width, slow_kernels[stage + 1], "slow_", **options)
        fast = _stage(fast, *block, narrow, fast_kernels[stage + 1], "fast_", **options)
    return keras.Model(inputs, [slow, fast], name="slowfast_streams")


def _stem(x, width: int, kernel: int, prefix: str, **options: Unpack[ConvolutionOptions]):
    x = conv_norm(x, width, (kernel, 7, 7), (1, 2, 2), name=f"{prefix}stem", **options)
    return PaddedMaxPooling3D(name=f"{prefix}stem_pool")(x)


def _stage(
    x,
    stage: int,
    count: int,
    stride: int,
    width: int,
    kernel: int,
    prefix: str,
    **options: Unpack[ConvolutionOptions],
):
    for block in range(count):
        name = f"{prefix}res{stage + 2}_{block}"  # res2 … res5, as in the literature
        first = stride if block == 0 else 1
        x = bottleneck(x, width * 2**stage, kernel, first, name=name, **options)
    return x
