"""CSN: a ResNet whose 3x3x3 convolutions see one channel each."""

from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import PaddedMaxPooling3D, conv_norm, depthwise_norm
from keras_acl.layers.residual import ConvolutionOptions, joined, projected
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet_streams import BLOCKS_OF_152, FOUR_STAGES, blocks_of
from keras_acl.models.single_stream import SingleStreamClassifier

BLOCKS = FOUR_STAGES | {152: BLOCKS_OF_152}


@keras.saving.register_keras_serializable(package="keras_acl")
class CSNClassifier(SingleStreamClassifier):
    """ir-CSN, the interaction-reduced channel-separated network, and ip-CSN.

    Reference: Tran et al., "Video Classification with Channel-Separated Convolutional Networks",
    ICCV 2019; VMZ's, PyTorchVideo's and MMAction2's code. Every bottleneck is 1x1x1, a depthwise
    3x3x3 with the stride, and 1x1x1. With `num_classes` alone 29,703,568 parameters and 96.7
    billion multiply-adds a 256² clip of 32 frames. `preserved=True` is ip-CSN-152: 33,016,592.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        depth: 50, 101, 152, or 14 for a small network.
        width: Channels of the stem.
        epsilon: Of batch normalisation: 1e-5 in PyTorchVideo, 1e-3 in VMZ and MMAction2.
        preserved: Whether channels interact before each depthwise convolution, in a 1x1x1 one
            without a ReLU: ip-CSN, interaction-preserved.
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
        clip: ClipSpec = ClipSpec(),
        depth: int = 152,
        width: int = 64,
        epsilon: float = 1e-5,
        preserved: bool = False,
        **options: Unpack[ClassifierOptions],
    ):
        blocks = blocks_of(depth, BLOCKS)
        super().__init__(num_classes, clip=clip, **options)
        self.depth, self.width, self.epsilon = depth, width, epsilon
        self.preserved = preserved
        convolutions: ConvolutionOptions = {**self.convolutions, "epsilon": epsilon}
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, clip.channels), name="frames")
            x = conv_norm(inputs, width, (3, 7, 7), (1, 2, 2), name="stem", **convolutions)
            x = PaddedMaxPooling3D(name="stem_pool")(x)
            for stage, count in enumerate(blocks):
                for block in range(count):
                    stride = 2 if stage and not block else 1
                    name = f"res{stage + 2}_{block}"
                    x = _block(x, width * 2**stage, stride, preserved, name=name, **convolutions)
            self.take_stream(keras.Model(inputs, x, name="stream"))

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "depth": self.depth,
            "width": self.width,
            "epsilon": self.epsilon,
            "preserved": self.preserved,
        }


def _block(
    x,
    filters: int,
    stride: int,
    preserved: bool,
    *,
    name: str,
    **options: Unpack[ConvolutionOptions],
):
    """1x1x1, depthwise 3x3x3, 1x1x1 with 4 times the channels, and the shortcut."""
    strides = (stride, stride, stride)
    shortcut = projected(x, 4 * filters, strides, name=name, **options)
    x = conv_norm(x, filters, (1, 1, 1), name=f"{name}_a", **options)
    if preserved:
        x = conv_norm(x, filters, (1, 1, 1), name=f"{name}_b_mix", activation=None, **options)
    x = depthwise_norm(x, (3, 3, 3), strides, name=f"{name}_b", **options)
    x = conv_norm(
        x, 4 * filters, (1, 1, 1), name=f"{name}_c", activation=None, zero_gamma=True, **options
    )
    return joined(shortcut, x, name=name)
