"""Inception-v1 in three dimensions: what I3D and S3D share, and I3D."""

from collections.abc import Callable
from typing import Unpack

import keras
from keras import ops

from keras_acl.clip import ClipSpec
from keras_acl.layers import PaddedMaxPooling3D, conv_norm
from keras_acl.layers.residual import ConvolutionOptions, Size
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.single_stream import SingleStreamClassifier

CLIP = ClipSpec(frames=64, span=64, fps=25.0)  # of I3D
# Channels of a block: 1³ | 1³, 3³ | 1³, 3³ | pool, 1³; and the strides of the pool before a stage.
STAGES = (
    (
        (1, 2, 2),
        {
            "3b": (64, (96, 128), (16, 32), 32),
            "3c": (128, (128, 192), (32, 96), 64),
        },
    ),
    (
        (2, 2, 2),
        {
            "4b": (192, (96, 208), (16, 48), 64),
            "4c": (160, (112, 224), (24, 64), 64),
            "4d": (128, (128, 256), (24, 64), 64),
            "4e": (112, (144, 288), (32, 64), 64),
            "4f": (256, (160, 320), (32, 128), 128),
        },
    ),
    (
        (2, 2, 2),
        {
            "5b": (256, (160, 320), (32, 128), 128),
            "5c": (384, (192, 384), (48, 128), 128),
        },
    ),
)


class InceptionClassifier(SingleStreamClassifier):
    """What I3D and S3D share: the table above, and a head that averages pairs of frames first.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        width: Channels of the stem, 64; all others follow in proportion.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For a width or number of labels that does not fit.
    """

    # What each is in I3D and in S3D: of a tensor, filters, kernel, stride and name; of a tensor,
    # sizes, strides and name.
    convolve: Callable
    max_pool: Callable

    def __init__(
        self,
        num_classes: int,
        *,
        clip: ClipSpec,
        width: int,
        **options: Unpack[ClassifierOptions],
    ):
        super().__init__(num_classes, clip=clip, **options)
        self.width = width
        with self.own_precision():
            self.take_stream(inception(clip, width, self.convolve, self.max_pool))

    def before_pooling(self, features):
        """Means of neighbouring frames, so that the first and the last count half.

        The published head pools windows of two frames, one step apart, and averages the logits.
        """
        features = ops.cast(features, "float32")
        return (features[:, :-1] + features[:, 1:]) / 2 if features.shape[1] > 1 else features

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package="keras_acl")
class I3DClassifier(InceptionClassifier):
    """I3D, Inception-v1 inflated to three dimensions.

    Reference: Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics
    Dataset", CVPR 2017, and kinetics-i3d's code. TensorFlow's SAME padding, batch normalisation
    without gamma, pixels from -1 to 1. With `num_classes` alone 12,689,984 parameters and 111.2
    billion multiply-adds a 224² clip of 64 frames. Arguments, shapes and errors are those of
    `InceptionClassifier`.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = CLIP,
        width: int = 64,
        **options: Unpack[ClassifierOptions],
    ):
        options = {"mean": 0.5, "std": 0.5, **options}
        super().__init__(num_classes, clip=clip, width=width, **options)

    def convolve(self, x, filters: int, kernel: int, stride: int = 1, *, name: str):
        """A convolution of kernel³, padded as TensorFlow does."""
        options: ConvolutionOptions = {
            **self.convolutions,
            "padding": "same",
            "scale": False,
            "epsilon": 1e-3,
        }
        size, strides = (kernel, kernel, kernel), (stride, stride, stride)
        return conv_norm(x, filters, size, strides, name=name, **options)

    def max_pool(self, x, size: Size, strides: Size, *, name: str):
        """A maximum pool, padded as TensorFlow does."""
        return PaddedMaxPooling3D(size, strides, "same", name=name)(x)


def inception(clip: ClipSpec, width: int, convolve: Callable, pool: Callable) -> keras.Model:
    """Build Inception-v1 without its head.

    Args:
        clip: Clip that it takes.
        width: Channels of the stem; those of the table are for 64.
        convolve: Function of a tensor, filters, kernel, stride and name: a convolution.
        pool: Function of a tensor, sizes, strides and name: a pool.

    Returns:
        A model from normalised frames (B, T, H, W, C) to (B, T / 8, H / 32, W / 32,
        16 · width), sizes rounded as the padding has it.

    Raises:
        ValueError: If the width is no multiple of 4.
    """
    if width < 4 or width % 4:
        raise ValueError(f"Expected `width` to be a multiple of 4. Received: width={width}")

    def scaled(channels: int) -> int:
        return channels * width // 64

    inputs = keras.Input((clip.frames, None, None, clip.channels), name="frames")
    x = convolve(inputs, width, 7, 2, name="stem")
    x = pool(x, (1, 3, 3), (1, 2, 2), name="stem_pool")
    x = convolve(x, width, 1, name="conv2b")
    x = convolve(x, scaled(192), 3, name="conv2c")
    for stage, (strides, blocks) in enumerate(STAGES, 3):
        size = (2, 2, 2) if stage == 5 else (strides[0] * 2 - 1, 3, 3)
        x = pool(x, size, strides, name=f"pool{stage}")
        for name, (alone, second, third, last) in blocks.items():
            name = f"mixed{name}"
            branches = [convolve(x, scaled(alone), 1, name=f"{name}_0")]
            for number, (reduced, filters) in ((1, second), (2, third)):
                y = convolve(x, scaled(reduced), 1, name=f"{name}_{number}a")
                branches.append(convolve(y, scaled(filters), 3, name=f"{name}_{number}b"))
            y = pool(x, (3, 3, 3), (1, 1, 1), name=f"{name}_pool")
            branches.append(convolve(y, scaled(last), 1, name=f"{name}_3"))
            x = keras.layers.Concatenate(name=f"{name}_out")(branches)
    return keras.Model(inputs, x, name="stream")
