"""R(2+1)D: 3D convolutions split into space and time."""

from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import PaddedMaxPooling3D, conv_norm
from keras_acl.layers.residual import ConvolutionOptions, joined, projected
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet3d import BLOCKS as BASIC_BLOCKS
from keras_acl.models.resnet3d import CLIP, with_torchvision_colours
from keras_acl.models.resnet_streams import blocks_of
from keras_acl.models.single_stream import SingleStreamClassifier

BLOCKS = BASIC_BLOCKS | {152: (3, 8, 36, 3)}
MIDPLANES = ("block", "convolution")


@keras.saving.register_keras_serializable(package="keras_acl")
class R2Plus1DClassifier(SingleStreamClassifier):
    """R(2+1)D: every 3D convolution is a spatial one, a ReLU, and a temporal one.

    Reference: Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
    CVPR 2018. The channels between the two are chosen so that both have as many parameters as the
    3D one. With `num_classes` alone: torchvision's `r2plus1d_18`, 31,505,325 parameters and 40.52
    billion multiply-adds a 112² clip of 16 frames. `depth=34, midplanes="convolution",
    epsilon=1e-3` is VMZ's and ig65m's R(2+1)D-34: 63,697,175 and 152.4 for 32 frames.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        depth: 18, 34, 152, or 10 for a small network. 152 has bottlenecks, of which the middle
            convolution alone is split, and a pool behind the stem.
        width: Channels of the stem.
        midplanes: Which channels the formula counts: `"block"`, those that enter and leave the
            block (torchvision), or `"convolution"`, its own (caffe2). They differ in the second
            convolution of a stage's first block.
        epsilon: Of batch normalisation: 1e-5 in torchvision, 1e-3 in VMZ.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`. Mean and std are
            torchvision's by default.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For a depth, kind of midplanes or number of labels that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = CLIP,
        depth: int = 18,
        width: int = 64,
        midplanes: str = "block",
        epsilon: float = 1e-5,
        **options: Unpack[ClassifierOptions],
    ):
        if midplanes not in MIDPLANES:
            raise ValueError(
                f"Expected `midplanes` to be one of {MIDPLANES}. Received: midplanes={midplanes!r}"
            )
        blocks = blocks_of(depth, BLOCKS)
        super().__init__(num_classes, clip=clip, **with_torchvision_colours(options))
        self.depth, self.width, self.midplanes = depth, width, midplanes
        self.epsilon = epsilon
        make_block = _bottleneck if depth == 152 else _basic_block
        convolutions: ConvolutionOptions = {**self.convolutions, "epsilon": epsilon}
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, 3), name="frames")
            x = conv_norm(
                inputs, 45 * width // 64, (1, 7, 7), (1, 2, 2), name="stem_spatial", **convolutions
            )
            x = conv_norm(x, width, (3, 1, 1), name="stem_temporal", **convolutions)
            if depth == 152:
                x = PaddedMaxPooling3D(name="stem_pool")(x)
            for stage, count in enumerate(blocks):
                for block in range(count):
                    stride = 2 if stage and not block else 1
                    x = make_block(
                        x,
                        width * 2**stage,
                        stride,
                        midplanes,
                        name=f"res{stage + 2}_{block}",
                        **convolutions,
                    )
            self.take_stream(keras.Model(inputs, x, name="stream"))

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "depth": self.depth,
            "width": self.width,
            "midplanes": self.midplanes,
            "epsilon": self.epsilon,
        }


def midplanes_of(entering: int, leaving: int) -> int:
    """Channels between a 1x3x3 and a 3x1x1 convolution with the parameters of a 3x3x3 one."""
    return 27 * entering * leaving // (9 * entering + 3 * leaving)


def _basic_block(
    x,
    filters: int,
    stride: int,
    midplanes: str,
    *,
    name: str,
    **options: Unpack[ConvolutionOptions],
):
    """Two (2+1)D convolutions and the shortcut."""
    first = midplanes_of(x.shape[-1], filters)
    second = first if midplanes == "block" else midplanes_of(filters, filters)
    shortcut = projected(x, filters, (stride, stride, stride), name=name, **options)
    x = _spatial(x, first, stride, name=f"{name}_a", **options)
    x = conv_norm(x, filters, (3, 1, 1), (stride, 1, 1), name=f"{name}_a_temporal", **options)
    x = _spatial(x, second, 1, name=f"{name}_b", **options)
    x = conv_norm(
        x,
        filters,
        (3, 1, 1),
        name=f"{name}_b_temporal",
        activation=None,
        zero_gamma=True,
        **options,
    )
    return joined(shortcut, x, name=name)


def _bottleneck(
    x,
    filters: int,
    stride: int,
    midplanes: str,
    *,
    name: str,
    **options: Unpack[ConvolutionOptions],
):
    """1x1x1, (2+1)D, 1x1x1 with 4 times the channels, and the shortcut."""
    middle = midplanes_of(x.shape[-1] if midplanes == "block" else filters, filters)
    shortcut = projected(x, 4 * filters, (stride, stride, stride), name=name, **options)
    x = conv_norm(x, filters, (1, 1, 1), name=f"{name}_a", **options)
    x = _spatial(x, middle, stride, name=f"{name}_b", **options)
    x = conv_norm(x, filters, (3, 1, 1), (stride, 1, 1), name=f"{name}_b_temporal", **options)
    x = conv_norm(
        x, 4 * filters, (1, 1, 1), name=f"{name}_c", activation=None, zero_gamma=True, **options
    )
    return joined(shortcut, x, name=name)


def _spatial(x, middle: int, stride: int, *, name: str, **options: Unpack[ConvolutionOptions]):
    """The first half of a (2+1)D convolution: 1x3x3 with the stride in space."""
    return conv_norm(x, middle, (1, 3, 3), (1, stride, stride), name=f"{name}_spatial", **options)
