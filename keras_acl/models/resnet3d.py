"""3D ResNets whose every block strides in time as well: R3D, MC3 and R(2+1)D."""

from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import PaddedMaxPooling3D, conv_norm
from keras_acl.layers.residual import ConvolutionOptions
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.single_stream import SingleStreamClassifier

# Blocks of each stage, and whether they are bottlenecks. 10 is a small one for CPUs.
BLOCKS = {
    10: ((1, 1, 1, 1), False),
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    152: ((3, 8, 36, 3), True),
}
# A 112² crop of frames of 128 x 171, 16 frames at 15 fps, as torchvision and VMZ train.
CLIP = ClipSpec(frames=16, span=16, fps=15.0, size=112)
MEAN, STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
MIDPLANES = ("block", "convolution")


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
        options = with_torchvision_colours(options)
        super().__init__(num_classes, clip=clip, **options)
        self.depth, self.width, self.mixed = depth, width, mixed
        blocks, bottleneck = blocks_of(depth)
        if bottleneck:
            raise ValueError(f"An R3D has basic blocks: depth 10, 18 or 34. Received: {depth}")
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, 3), name="frames")
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
        super().__init__(num_classes, clip=clip, **with_torchvision_colours(options))
        self.depth, self.width, self.midplanes = depth, width, midplanes
        self.epsilon = epsilon
        blocks, bottleneck = blocks_of(depth)
        convolutions: ConvolutionOptions = {**self.convolutions, "epsilon": epsilon}
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, 3), name="frames")
            x = conv_norm(
                inputs, 45 * width // 64, (1, 7, 7), (1, 2, 2), name="stem_spatial", **convolutions
            )
            x = conv_norm(x, width, (3, 1, 1), name="stem_temporal", **convolutions)
            if bottleneck:
                x = PaddedMaxPooling3D(name="stem_pool")(x)
            for stage, count in enumerate(blocks):
                for block in range(count):
                    stride = 2 if stage and not block else 1
                    make = _split_bottleneck if bottleneck else _split_block
                    x = make(
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


def blocks_of(depth: int) -> tuple[tuple[int, ...], bool]:
    """Blocks of each stage, and whether they are bottlenecks.

    Raises:
        ValueError: If the depth is none of these networks'.
    """
    if depth not in BLOCKS:
        raise ValueError(f"Expected `depth` to be one of {sorted(BLOCKS)}. Received: depth={depth}")
    return BLOCKS[depth]


def with_torchvision_colours(options: ClassifierOptions) -> ClassifierOptions:
    """Options with torchvision's mean and deviation of Kinetics-400 where none is given."""
    return {"mean": MEAN, "std": STD, **options}


def midplanes_of(entering: int, leaving: int) -> int:
    """Channels between a 1x3x3 and a 3x1x1 convolution with the parameters of a 3x3x3 one."""
    return 27 * entering * leaving // (9 * entering + 3 * leaving)


def _basic_block(x, filters: int, kernel, strides, *, name: str, **options):
    """Two convolutions and the shortcut."""
    shortcut = _shortcut(x, filters, strides, name, **options)
    x = conv_norm(x, filters, kernel, strides, name=f"{name}_a", **options)
    x = conv_norm(x, filters, kernel, name=f"{name}_b", activation=None, zero_gamma=True, **options)
    return _joined(shortcut, x, name)


def _split_block(x, filters: int, stride: int, midplanes: str, *, name: str, **options):
    """Two (2+1)D convolutions and the shortcut."""
    entering = x.shape[-1]
    shortcut = _shortcut(x, filters, (stride,) * 3, name, **options)
    first = midplanes_of(entering, filters)
    second = first if midplanes == "block" else midplanes_of(filters, filters)
    x = _split(x, filters, first, stride, name=f"{name}_a", **options)
    x = _split(x, filters, second, 1, name=f"{name}_b", activation=None, zero_gamma=True, **options)
    return _joined(shortcut, x, name)


def _split_bottleneck(x, filters: int, stride: int, midplanes: str, *, name: str, **options):
    """1x1x1, (2+1)D, 1x1x1 with 4 times the channels, and the shortcut."""
    entering = x.shape[-1]
    shortcut = _shortcut(x, 4 * filters, (stride,) * 3, name, **options)
    middle = midplanes_of(entering if midplanes == "block" else filters, filters)
    x = conv_norm(x, filters, (1, 1, 1), name=f"{name}_a", **options)
    x = _split(x, filters, middle, stride, name=f"{name}_b", **options)
    x = conv_norm(
        x, 4 * filters, (1, 1, 1), name=f"{name}_c", activation=None, zero_gamma=True, **options
    )
    return _joined(shortcut, x, name)


def _split(x, filters: int, middle: int, stride: int, *, name: str, **options):
    """1x3x3 with the spatial stride, ReLU, 3x1x1 with the temporal one."""
    plain = {key: options[key] for key in options if key not in ("activation", "zero_gamma")}
    x = conv_norm(x, middle, (1, 3, 3), (1, stride, stride), name=f"{name}_spatial", **plain)
    return conv_norm(x, filters, (3, 1, 1), (stride, 1, 1), name=f"{name}_temporal", **options)


def _shortcut(x, filters: int, strides, name: str, **options):
    """The input, projected where the shape changes."""
    if set(strides) == {1} and x.shape[-1] == filters:
        return x
    return conv_norm(
        x, filters, (1, 1, 1), strides, name=f"{name}_shortcut", activation=None, **options
    )


def _joined(shortcut, x, name: str):
    x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return keras.layers.Activation("relu", name=f"{name}_out")(x)
