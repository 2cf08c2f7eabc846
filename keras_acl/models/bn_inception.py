"""BN-Inception, the 2D network of TSN and ECO, frame by frame."""

from typing import NamedTuple, Unpack

import keras

from keras_acl.layers import PaddedAveragePooling3D, PaddedMaxPooling3D, conv_norm
from keras_acl.layers.residual import ConvolutionOptions


class Block(NamedTuple):
    """Channels of a block's branches.

    Args:
        alone: Of the 1x1 branch; 0 where there is none, and the block has stride 2.
        single: Of the 1x1 and the 3x3 convolution.
        double: Of the 1x1 convolution and of both 3x3 ones.
        projected: Of the 1x1 convolution behind the pool; 0 where there is none.
        pool: `"ave"` or `"max"`.
    """

    alone: int
    single: tuple[int, int]
    double: tuple[int, int]
    projected: int
    pool: str


BLOCKS = {
    "inception_3a": Block(64, (64, 64), (64, 96), 32, "ave"),
    "inception_3b": Block(64, (64, 96), (64, 96), 64, "ave"),
    "inception_3c": Block(0, (128, 160), (64, 96), 0, "max"),
    "inception_4a": Block(224, (64, 96), (96, 128), 128, "ave"),
    "inception_4b": Block(192, (96, 128), (96, 128), 128, "ave"),
    "inception_4c": Block(160, (128, 160), (128, 160), 128, "ave"),
    "inception_4d": Block(96, (128, 192), (160, 192), 128, "ave"),
    "inception_4e": Block(0, (128, 192), (192, 256), 0, "max"),
    "inception_5a": Block(352, (192, 320), (160, 224), 128, "ave"),
    "inception_5b": Block(352, (192, 320), (192, 224), 128, "max"),
}
# Of ImageNet in Caffe, as TSN's networks were trained, here as RGB; pixels keep their range.
MEAN = (128 / 255, 117 / 255, 104 / 255)
STD = 1 / 255


def bn_inception(
    frames: int, width: int = 64, channels: int = 3, **options: Unpack[ConvolutionOptions]
) -> keras.Model:
    """Build BN-Inception without its head.

    Reference: Ioffe and Szegedy, "Batch Normalization", ICML 2015, with the layers' names of
    yjxiong's Caffe network. Its convolutions have biases, which batch normalisation takes away
    again; here there are none. Pools of stride 2 stand over the far edge (Caffe's rounding).

    Args:
        frames: Frames of its input; none sees another.
        width: Channels of the stem, 64; all others follow in proportion.
        channels: Channels of a frame, 3 of colours.
        **options: How the convolutions are computed, see `ConvolutionOptions`.

    Returns:
        A model from normalised frames (B, frames, H, W, channels) to (B, frames, H / 32, W / 32,
        16 · width).

    Raises:
        ValueError: If the width is no multiple of 2.
    """
    if width < 2 or width % 2:
        raise ValueError(f"Expected `width` to be a multiple of 2. Received: width={width}")

    def scaled(channels: int) -> int:
        return channels * width // 64

    inputs = keras.Input((frames, None, None, channels), name="frames")
    x = conv_norm(inputs, width, (1, 7, 7), (1, 2, 2), name="conv1_7x7_s2", **options)
    x = PaddedMaxPooling3D(padding=(0, 0, 0), ceil_mode=True, name="pool1_3x3_s2")(x)
    x = conv_norm(x, width, (1, 1, 1), name="conv2_3x3_reduce", **options)
    x = conv_norm(x, scaled(192), (1, 3, 3), name="conv2_3x3", **options)
    x = PaddedMaxPooling3D(padding=(0, 0, 0), ceil_mode=True, name="pool2_3x3_s2")(x)
    for name, block in BLOCKS.items():
        scaled_block = Block(
            scaled(block.alone),
            (scaled(block.single[0]), scaled(block.single[1])),
            (scaled(block.double[0]), scaled(block.double[1])),
            scaled(block.projected),
            block.pool,
        )
        x = _block(x, scaled_block, name, **options)
    return keras.Model(inputs, x, name="stream")


def _block(x, block: Block, name: str, **options: Unpack[ConvolutionOptions]):
    """1x1 | 1x1, 3x3 | 1x1, 3x3, 3x3 | pool, 1x1."""
    strides = (1, 1, 1) if block.alone else (1, 2, 2)
    branches = []
    if block.alone:
        branches.append(conv_norm(x, block.alone, (1, 1, 1), name=f"{name}_1x1", **options))
    y = conv_norm(x, block.single[0], (1, 1, 1), name=f"{name}_3x3_reduce", **options)
    branches.append(
        conv_norm(y, block.single[1], (1, 3, 3), strides, name=f"{name}_3x3", **options)
    )
    reduced, doubled = block.double
    y = conv_norm(x, reduced, (1, 1, 1), name=f"{name}_double_3x3_reduce", **options)
    y = conv_norm(y, doubled, (1, 3, 3), name=f"{name}_double_3x3_1", **options)
    branches.append(
        conv_norm(y, doubled, (1, 3, 3), strides, name=f"{name}_double_3x3_2", **options)
    )
    if block.alone:
        pool = PaddedAveragePooling3D if block.pool == "ave" else PaddedMaxPooling3D
        y = pool((1, 3, 3), strides, name=f"{name}_pool")(x)
    else:
        pool = PaddedMaxPooling3D
        y = pool((1, 3, 3), strides, (0, 0, 0), ceil_mode=True, name=f"{name}_pool")(x)
    if block.projected:
        y = conv_norm(y, block.projected, (1, 1, 1), name=f"{name}_pool_proj", **options)
    return keras.layers.Concatenate(name=f"{name}_output")([*branches, y])
