"""R3D, a 3D ResNet whose stages stride in time as well, and MC3."""

from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import conv_norm
from keras_acl.layers.residual import ConvolutionOptions, Size, joined, projected
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet_streams import blocks_of
from keras_acl.models.single_stream import SingleStreamClassifier

# Blocks of each stage. 10 is a small one for CPUs.
BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
# A 112² crop of frames of 128 x 171, 16 frames at 15 fps, as torchvision and VMZ train.
CLIP = ClipSpec(frames=16, span=16, fps=15.0, size=112)
MEAN, STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)


@keras.saving.register_keras_serializable(package="keras_acl")
class R3DClassifier(SingleStreamClassifier):
    """R3D, the plain 3D ResNet, or MC3, whose last three stages have 2D convolutions.

    Reference: Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
    CVPR 2018; torchvision's `r3d_18` (33,371,472 parameters, 40.70 billion multiply-adds a 112²
    clip) and `mc3_18` (11,695,440; 43.34).

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        depth: 18, 34, or 10 for a small network.
        width: Channels of the stem.
        mixed: Whether the stages after the first are 2D, and keep all frames: MC3.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`. Mean and std are
            torchvision's by default.

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
        clip: ClipSpec = CLIP,
        depth: int = 18,
        width: int = 64,
        mixed: bool = False,
        **options: Unpack[ClassifierOptions],
    ):
        blocks = blocks_of(depth, BLOCKS)
        super().__init__(num_classes, clip=clip, **with_torchvision_colours(options))
        self.depth, self.width, self.mixed = depth, width, mixed
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, clip.channels), name="frames")
            x = conv_norm(inputs, width, (3, 7, 7), (1, 2, 2), name="stem", **self.convolutions)
            for stage, count in enumerate(blocks):
                flat = mixed and stage > 0
                for block in range(count):
                    stride = 2 if stage and not block else 1
                    strides = (1 if flat else stride, stride, stride)
                    x = _basic_block(
                        x,
                        width * 2**stage,
                        (1, 3, 3) if flat else (3, 3, 3),
                        strides,
                        name=f"res{stage + 2}_{block}",
                        **self.convolutions,
                    )
            self.take_stream(keras.Model(inputs, x, name="stream"))

    def get_config(self):
        """Arguments of the constructor."""
        config = {"depth": self.depth, "width": self.width, "mixed": self.mixed}
        return {**super().get_config(), **config}


def with_torchvision_colours(options: ClassifierOptions) -> ClassifierOptions:
    """Options with torchvision's mean and deviation of Kinetics-400 where none is given."""
    return {"mean": MEAN, "std": STD, **options}


def _basic_block(
    x,
    filters: int,
    kernel: Size,
    strides: Size,
    *,
    name: str,
    **options: Unpack[ConvolutionOptions],
):
    """Two convolutions and the shortcut."""
    shortcut = projected(x, filters, strides, name=name, **options)
    x = conv_norm(x, filters, kernel, strides, name=f"{name}_a", **options)
    x = conv_norm(x, filters, kernel, name=f"{name}_b", activation=None, zero_gamma=True, **options)
    return joined(shortcut, x, name=name)
