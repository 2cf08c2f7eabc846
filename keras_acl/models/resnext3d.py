"""3D ResNeXt: a ResNet whose 3x3x3 convolutions see their channels in groups."""

from collections.abc import Callable
from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import PaddedMaxPooling3D, conv_norm
from keras_acl.layers.residual import ConvolutionOptions, joined, projected
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet_streams import FOUR_STAGES, blocks_of
from keras_acl.models.single_stream import SingleStreamClassifier

# Of ActivityNet, at 0-255; pixels keep their range.
MEAN = (114.7748 / 255, 107.7354 / 255, 99.475 / 255)
STD = 1 / 255


@keras.saving.register_keras_serializable(package="keras_acl")
class ResNeXt3DClassifier(SingleStreamClassifier):
    """3D ResNeXt-101, the widest of the networks that retraced ImageNet's history on Kinetics.

    Reference: Hara et al., "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and
    ImageNet?", CVPR 2018; branch CVPR2018 of 3D-ResNets-PyTorch, with its shortcuts of type B.
    Every bottleneck is 1x1x1, a 3x3x3 in groups with the stride, and 1x1x1 with twice the
    channels. With `num_classes` alone 48,340,816 parameters and 9.57 billion multiply-adds a 112²
    clip of 16 frames; the published networks of 64 frames are
    `clip=ClipSpec(frames=64, span=64, size=112)`.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        depth: 50, 101, or 14 for a small network.
        width: Channels of the stem; the first stage's blocks have twice as many inside.
        groups: Groups of the 3x3x3 convolutions.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`. By default the
            mean is ActivityNet's and pixels keep their range.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For a depth, width, number of groups or number of labels that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = ClipSpec(frames=16, span=16, size=112),
        depth: int = 101,
        width: int = 64,
        groups: int = 32,
        **options: Unpack[ClassifierOptions],
    ):
        super().__init__(num_classes, clip=clip, **{"mean": MEAN, "std": STD, **options})
        self.depth, self.width, self.groups = depth, width, groups
        grouped: ConvolutionOptions = {**self.convolutions, "groups": groups}
        with self.own_precision():
            self.take_stream(resnext(clip, depth, width, **grouped))

    def get_config(self):
        """Arguments of the constructor."""
        config = {"depth": self.depth, "width": self.width, "groups": self.groups}
        return {**super().get_config(), **config}


def resnext(
    clip: ClipSpec,
    depth: int,
    width: int,
    gated: Callable | None = None,
    **grouped: Unpack[ConvolutionOptions],
) -> keras.Model:
    """Build a 3D ResNeXt without its head.

    Args:
        clip: Clip that it takes.
        depth: 50, 101, or 14 for a small one.
        width: Channels of the stem.
        gated: Function of what leaves a block's last convolution, and of the block's name: what is
            added to the shortcut. `None` adds it as it is.
        **grouped: How the convolutions are computed, and the groups of the 3x3x3 ones.

    Returns:
        A model from normalised frames (B, T, H, W, C) to (B, T / 16, H / 32, W / 32,
        32 · width), sizes rounded up.

    Raises:
        ValueError: For an unknown depth, or groups that do not divide the channels.
    """
    options: ConvolutionOptions = {**grouped, "groups": 1}
    inputs = keras.Input((clip.frames, None, None, clip.channels), name="frames")
    x = conv_norm(inputs, width, (7, 7, 7), (1, 2, 2), name="stem", **options)
    x = PaddedMaxPooling3D((3, 3, 3), (2, 2, 2), name="stem_pool")(x)
    for stage, count in enumerate(blocks_of(depth, FOUR_STAGES)):
        for block in range(count):
            stride = 2 if stage and not block else 1
            name = f"res{stage + 2}_{block}"
            x = _block(x, 2 * width * 2**stage, stride, gated, name=name, **grouped)
    return keras.Model(inputs, x, name="stream")


def _block(
    x,
    filters: int,
    stride: int,
    gated: Callable | None,
    *,
    name: str,
    **grouped: Unpack[ConvolutionOptions],
):
    """1x1x1, 3x3x3 in groups, 1x1x1 with twice the channels, the gate, and the shortcut."""
    strides = (stride, stride, stride)
    options: ConvolutionOptions = {**grouped, "groups": 1}
    shortcut = projected(x, 2 * filters, strides, name=name, **options)
    x = conv_norm(x, filters, (1, 1, 1), name=f"{name}_a", **options)
    x = conv_norm(x, filters, (3, 3, 3), strides, name=f"{name}_b", **grouped)
    x = conv_norm(
        x, 2 * filters, (1, 1, 1), name=f"{name}_c", activation=None, zero_gamma=True, **options
    )
    return joined(shortcut, x if gated is None else gated(x, name), name=name)
