"""X3D: a network grown along every axis, for the edge."""

import math
from typing import Unpack

import keras
from keras import ops

from keras_acl.clip import ClipSpec
from keras_acl.layers import PaddedConv3D, conv_norm, depthwise_norm
from keras_acl.layers.residual import ConvolutionOptions, gates, joined, projected
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.single_stream import SingleStreamClassifier

STAGES = (1, 2, 5, 3)  # blocks of each stage before `depth_factor`
EXPANSION = 2.25  # channels inside a block by those that leave it
REDUCTION = 1 / 16  # channels of the squeeze by those inside a block
# Clips of the published sizes; all have a width factor of 2.
CLIPS = {
    "XS": ClipSpec(frames=4, span=48, size=160),
    "S": ClipSpec(frames=13, span=78, size=160),
    "M": ClipSpec(frames=16, span=80, size=224),
    "L": ClipSpec(frames=16, span=80, size=312),
}


@keras.saving.register_keras_serializable(package="keras_acl")
class X3DClassifier(SingleStreamClassifier):
    """X3D: inverted bottlenecks of depthwise convolutions with squeeze and excitation.

    Reference: Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition", CVPR
    2020; PyTorchVideo's code. With `num_classes` alone X3D-M: 3,794,274 parameters and 6.18 billion
    multiply-adds a 256² clip. The others differ in their clips (`keras_acl.models.x3d.CLIPS`), and
    L in `depth_factor=5.0` as well.

    Between pooling and dense layer there is a hidden layer with a ReLU. The maps are those of the
    hidden layer at every place.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        width: Channels of the stem and of the first stage, 24.
        depth_factor: Multiplies the blocks of the stages 1, 2, 5, 3, rounded up: 2.2, of L 5.0.
        hidden: Channels of the hidden layer.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For a width or number of labels that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = CLIPS["M"],
        width: int = 24,
        depth_factor: float = 2.2,
        hidden: int = 2048,
        **options: Unpack[ClassifierOptions],
    ):
        if width % 8:
            raise ValueError(f"Expected `width` to be a multiple of 8. Received: width={width}")
        super().__init__(num_classes, clip=clip, **options)
        self.width, self.depth_factor, self.hidden = width, depth_factor, hidden
        convolutions = self.convolutions
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, clip.channels), name="frames")
            x = PaddedConv3D(width, (1, 3, 3), (1, 2, 2), form=self.form, name="stem_spatial_conv")(
                inputs
            )
            x = depthwise_norm(x, (5, 1, 1), name="stem", **convolutions)
            for stage, count in enumerate(STAGES):
                filters = width * 2**stage
                for block in range(math.ceil(count * depth_factor)):
                    stride = 1 if block else 2
                    name = f"res{stage + 2}_{block}"
                    x = _block(x, filters, stride, block % 2 == 0, name=name, **convolutions)
            x = conv_norm(x, inner(x.shape[-1]), (1, 1, 1), name="conv5", **convolutions)
            stream = keras.Model(inputs, x, name="stream")
        self.projection = keras.layers.Dense(
            hidden, activation="relu", use_bias=False, dtype="float32", name="projection"
        )
        self.projection.build((None, x.shape[-1]))
        self.take_stream(stream)

    def build(self, input_shape):
        """Create the dense layer behind the hidden one."""
        self.classifier.build((None, self.hidden))
        self.built = True

    def pool(self, *features):
        """The hidden layer on the global average: (B, hidden)."""
        return self.projection(super().pool(*features))

    def places(self, features):
        """The hidden layer at every place: (..., C) -> (..., hidden)."""
        return self.projection(ops.cast(features, "float32"))

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "width": self.width,
            "depth_factor": self.depth_factor,
            "hidden": self.hidden,
        }


def inner(channels: int) -> int:
    """Channels inside a block that `channels` leave."""
    return int(EXPANSION * channels)


def squeezed(channels: int) -> int:
    """Channels of the squeeze: a sixteenth, as a multiple of 8, and not much less than that."""
    share = channels * REDUCTION
    rounded = max(8, int(share + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * share else rounded


def _block(
    x,
    filters: int,
    stride: int,
    excited: bool,
    *,
    name: str,
    **options: Unpack[ConvolutionOptions],
):
    """1x1x1, depthwise 3x3x3 with the spatial stride, squeeze and excitation, 1x1x1, shortcut."""
    strides, channels = (1, stride, stride), inner(filters)
    if x.shape[-1] == filters and stride > 1:  # no normalisation where the channels stay
        shortcut = PaddedConv3D(filters, (1, 1, 1), strides, name=f"{name}_shortcut_conv")(x)
    else:
        shortcut = projected(x, filters, strides, name=name, **options)
    x = conv_norm(x, channels, (1, 1, 1), name=f"{name}_a", **options)
    x = depthwise_norm(x, (3, 3, 3), strides, name=f"{name}_b", activation=None, **options)
    if excited:
        x = _excited(x, squeezed(channels), name)
    x = keras.layers.Activation("silu", name=f"{name}_silu")(x)
    x = conv_norm(
        x, filters, (1, 1, 1), name=f"{name}_c", activation=None, zero_gamma=True, **options
    )
    return joined(shortcut, x, name=name)


def _excited(x, channels: int, name: str):
    """Squeeze and excitation: every channel times a gate that sees the mean of all."""
    gate = keras.layers.GlobalAveragePooling3D(
        "channels_last", keepdims=True, name=f"{name}_squeeze"
    )(x)
    gate = gates(gate, channels, name=f"{name}_se")
    return keras.layers.Multiply(name=f"{name}_excite")([x, gate])
