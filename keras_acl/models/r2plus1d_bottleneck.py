"""R(2+1)D on a bottleneck ResNet, as PyTorchVideo has it."""

from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import conv_norm
from keras_acl.layers.residual import ConvolutionOptions, Size, joined, projected
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet_streams import FOUR_STAGES, blocks_of
from keras_acl.models.single_stream import SingleStreamClassifier

STRIDES: tuple[Size, ...] = ((1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))


@keras.saving.register_keras_serializable(package="keras_acl")
class BottleneckR2Plus1DClassifier(SingleStreamClassifier):
    """R(2+1)D of PyTorchVideo: a ResNet-50 whose 3x3x3 convolutions are split, time first.

    Reference: Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
    CVPR 2018, as PyTorchVideo's `r2plus1d_r50`: a stem of 1x7x7 without a pool, and all four stages
    halve their maps. Between the 3x1x1 and the 1x3x3 convolution there are as many channels as
    behind them. With `num_classes` alone 28,107,600 parameters and 75.15 billion multiply-adds a
    256² clip. `R2Plus1DClassifier` is the paper's own network.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        depth: 50, 101, or 14 for a small network.
        width: Channels of the stem.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For a depth or number of labels that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = ClipSpec(frames=16, span=64),
        depth: int = 50,
        width: int = 64,
        **options: Unpack[ClassifierOptions],
    ):
        blocks = blocks_of(depth, FOUR_STAGES)
        super().__init__(num_classes, clip=clip, **options)
        self.depth, self.width = depth, width
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, clip.channels), name="frames")
            x = conv_norm(inputs, width, (1, 7, 7), (1, 2, 2), name="stem", **self.convolutions)
            for stage, count in enumerate(blocks):
                for block in range(count):
                    strides = STRIDES[stage] if block == 0 else (1, 1, 1)
                    name = f"res{stage + 2}_{block}"
                    x = _block(x, width * 2**stage, strides, name=name, **self.convolutions)
            self.take_stream(keras.Model(inputs, x, name="stream"))

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "depth": self.depth, "width": self.width}


def _block(x, filters: int, strides: Size, *, name: str, **options: Unpack[ConvolutionOptions]):
    """1x1x1, 3x1x1, 1x3x3, 1x1x1 with 4 times the channels, and the shortcut."""
    shortcut = projected(x, 4 * filters, strides, name=name, **options)
    x = conv_norm(x, filters, (1, 1, 1), name=f"{name}_a", **options)
    x = conv_norm(x, filters, (3, 1, 1), (strides[0], 1, 1), name=f"{name}_b_temporal", **options)
    x = conv_norm(x, filters, (1, 3, 3), (1, *strides[1:]), name=f"{name}_b_spatial", **options)
    x = conv_norm(
        x, 4 * filters, (1, 1, 1), name=f"{name}_c", activation=None, zero_gamma=True, **options
    )
    return joined(shortcut, x, name=name)
