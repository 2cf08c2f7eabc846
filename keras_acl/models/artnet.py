"""ARTNet: appearance and relation in two branches of every block."""

from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import conv_norm, normalized
from keras_acl.layers.residual import ConvolutionOptions, Size, convolution
from keras_acl.models.c3d import MEAN, STD
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet3d import BLOCKS as BASIC_BLOCKS
from keras_acl.models.resnet_streams import blocks_of
from keras_acl.models.single_stream import SingleStreamClassifier

BLOCKS = {depth: BASIC_BLOCKS[depth] for depth in (10, 18)}
SMART_STAGES = 3  # the last stage has plain convolutions


@keras.saving.register_keras_serializable(package="keras_acl")
class ARTNetClassifier(SingleStreamClassifier):
    """ARTNet, a pre-activation ResNet of SMART blocks.

    Reference: Wang et al., "Appearance-and-Relation Networks for Video Classification", CVPR 2018.
    In a SMART block a spatial convolution sees the appearance. Beside it a spatio-temporal one is
    squared, so that frames are multiplied with each other, and pairs of its channels are averaged:
    the relation. Both are concatenated and reduced.

    Built from the published prototxt's description; no output of that network was at hand, so no
    parity is claimed. It has 39,676,176 parameters, 39,669,200 of them here: the 960 fixed weights
    that average the pairs are none, and 6,016 biases are left out, as normalisation behind them
    takes them away again. 25.68 billion multiply-adds a 112² clip of 16 frames, and 0.006 more with
    those of the averages.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        depth: 18, or 10 for a small network.
        width: Channels of the stem, an even number.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`. By default mean and
            std are Caffe's and the dropout 0.2.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For a depth, width or number of labels that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = ClipSpec(frames=16, span=16, size=112),
        depth: int = 18,
        width: int = 64,
        **options: Unpack[ClassifierOptions],
    ):
        blocks = blocks_of(depth, BLOCKS)
        if width % 2:
            raise ValueError(f"Expected an even `width`. Received: width={width}")
        options = {"mean": MEAN, "std": STD, "dropout": 0.2, **options}
        super().__init__(num_classes, clip=clip, **options)
        self.depth, self.width = depth, width
        convolutions = self.convolutions
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, clip.channels), name="frames")
            x = _smart(inputs, width, 7, (2, 2, 2), name="stem", **convolutions)
            for stage, count in enumerate(blocks):
                for block in range(count):
                    x = _block(
                        x,
                        width * 2**stage,
                        2 if stage and not block else 1,
                        stage < SMART_STAGES,
                        name=f"res{stage + 2}_{block}",
                        **convolutions,
                    )
            x = normalized(x, name="last", **convolutions)
            self.take_stream(keras.Model(inputs, x, name="stream"))

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "depth": self.depth, "width": self.width}


def _smart(
    x,
    filters: int,
    window: int,
    strides: Size = (1, 1, 1),
    *,
    name: str,
    **options: Unpack[ConvolutionOptions],
):
    """A SMART block: appearance beside relation, reduced by a convolution, not normalised."""
    size = (window, window)
    appearance = conv_norm(
        x, filters, (1, *size), strides, name=f"{name}_appearance", activation=None, **options
    )
    relation = conv_norm(
        x, filters, (3, *size), strides, name=f"{name}_relation", activation=None, **options
    )
    energy = keras.layers.Multiply(name=f"{name}_energy")([relation, relation])
    pairs = [energy[..., ::2], energy[..., 1::2]]
    relation = keras.layers.Average(name=f"{name}_pairs")(pairs)
    relation = normalized(relation, name=f"{name}_pairs", activation=None, **options)
    x = keras.layers.Concatenate(name=f"{name}_concat")([appearance, relation])
    x = keras.layers.Activation("relu", name=f"{name}_relu")(x)
    return convolution(x, filters, (1, 1, 1), name=f"{name}_reduced", **options)


def _block(
    x,
    filters: int,
    stride: int,
    smart: bool,
    *,
    name: str,
    **options: Unpack[ConvolutionOptions],
):
    """Normalisation, a 3x3x3 convolution, a SMART block or another 3x3x3, and the shortcut.

    The sum is not normalised: the next block is to do that.
    """
    strides = (stride, stride, stride)
    y = normalized(x, name=f"{name}_first", **options)
    if stride > 1:
        x = convolution(y, filters, (3, 3, 3), strides, name=f"{name}_shortcut", **options)
    y = conv_norm(y, filters, (3, 3, 3), strides, name=f"{name}_a", **options)
    if smart:
        y = _smart(y, filters, 3, name=f"{name}_b", **options)
    else:
        y = convolution(y, filters, (3, 3, 3), name=f"{name}_b", **options)
    return keras.layers.Add(name=f"{name}_out")([x, y])
