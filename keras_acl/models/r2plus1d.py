"""R(2+1)D: 3D convolutions split into space and time."""

import dataclasses
from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import PaddedMaxPooling3D, conv_norm
from keras_acl.layers.residual import ConvolutionOptions, Size, joined, projected
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet3d import BLOCKS as BASIC_BLOCKS
from keras_acl.models.resnet3d import CLIP, with_torchvision_colours
from keras_acl.models.resnet_streams import BLOCKS_OF_152, blocks_of
from keras_acl.models.single_stream import SingleStreamClassifier

BLOCKS = BASIC_BLOCKS | {152: BLOCKS_OF_152}
MIDPLANES = ("block", "convolution")
OPTIONS = ("depth", "width", "midplanes", "epsilon", "stem_pool", "split_all")


@keras.saving.register_keras_serializable(package="keras_acl")
class R2Plus1DClassifier(SingleStreamClassifier):
    """R(2+1)D: every 3D convolution is a spatial one, a ReLU, and a temporal one.

    Reference: Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
    CVPR 2018. The channels between the two are chosen so that both have as many parameters as the
    3D one. With `num_classes` alone: torchvision's `r2plus1d_18`, 31,505,325 parameters and 40.52
    billion multiply-adds a 112² clip of 16 frames. `depth=34, midplanes="convolution",
    epsilon=1e-3` is VMZ's and ig65m's R(2+1)D-34: 63,697,175 and 152.4 for 32 frames. With
    `stem_pool=True, split_all=True` as well it is MMAction2's, 63,759,281 parameters.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        depth: 18, 34, 152, or 10 for a small network. 152 has bottlenecks, of which the middle
            convolution alone is split.
        width: Channels of the stem.
        midplanes: Which channels the formula counts: `"block"`, those that enter and leave the
            block (torchvision), or `"convolution"`, its own (caffe2). They differ in the second
            convolution of a stage's first block.
        epsilon: Of batch normalisation: 1e-5 in torchvision, 1e-3 in VMZ and MMAction2.
        stem_pool: Whether a maximum pool, 1x3x3 with stride (1, 2, 2), follows the stem (MMAction2,
            whose crops are of 224²).
        split_all: Whether shortcuts are split, too, and the stem has as many channels in between as
            the formula says; the normalisation between the two halves of a split convolution then
            has an epsilon of 1e-5 (MMAction2).
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
        stem_pool: bool = False,
        split_all: bool = False,
        **options: Unpack[ClassifierOptions],
    ):
        if midplanes not in MIDPLANES:
            raise ValueError(
                f"Expected `midplanes` to be one of {MIDPLANES}. Received: midplanes={midplanes!r}"
            )
        blocks = blocks_of(depth, BLOCKS)
        super().__init__(num_classes, clip=clip, **with_torchvision_colours(options))
        self.depth, self.width, self.midplanes = depth, width, midplanes
        self.epsilon, self.stem_pool, self.split_all = epsilon, stem_pool, split_all
        make_block = _bottleneck if depth == 152 else _basic_block
        split = _Split(midplanes, split_all, {**self.convolutions, "epsilon": epsilon})
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, clip.channels), name="frames")
            middle = midplanes_of(clip.channels, width, 49) if split_all else 45 * width // 64
            x = split.convolve(inputs, (middle, width), (3, 7, 7), (1, 2, 2), name="stem")
            if stem_pool:
                x = PaddedMaxPooling3D(name="stem_pool")(x)
            for stage, count in enumerate(blocks):
                for block in range(count):
                    stride = 2 if stage and not block else 1
                    name = f"res{stage + 2}_{block}"
                    x = make_block(x, width * 2**stage, stride, split, name=name)
            self.take_stream(keras.Model(inputs, x, name="stream"))

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), **{name: getattr(self, name) for name in OPTIONS}}


def midplanes_of(entering: int, leaving: int, places: int = 9) -> int:
    """Channels between a spatial kernel of so many places and a temporal one of three."""
    return 3 * places * entering * leaving // (places * entering + 3 * leaving)


@dataclasses.dataclass(frozen=True)
class _Split:
    """How a network splits its convolutions.

    Args:
        midplanes: Which channels the formula counts.
        all: Whether shortcuts are split, too.
        options: Of the convolutions.
    """

    midplanes: str
    all: bool
    options: ConvolutionOptions

    def convolve(
        self,
        x,
        channels: tuple[int, int],
        kernel: Size,
        strides: Size,
        *,
        name: str,
        activation: str | None = "relu",
        zero_gamma: bool = False,
    ):
        """A spatial convolution and a temporal one, with channels in between and at the end."""
        middle, filters = channels
        epsilon = 1e-5 if self.all else self.options.get("epsilon", 1e-5)
        between: ConvolutionOptions = {**self.options, "epsilon": epsilon}
        window, steps = (1, *kernel[1:]), (1, *strides[1:])
        x = conv_norm(x, middle, window, steps, name=f"{name}_spatial", **between)
        return conv_norm(
            x,
            filters,
            (kernel[0], 1, 1),
            (strides[0], 1, 1),
            name=f"{name}_temporal",
            activation=activation,
            zero_gamma=zero_gamma,
            **self.options,
        )

    def project(self, x, filters: int, stride: int, *, name: str):
        """A block's shortcut."""
        strides = (stride, stride, stride)
        if not self.all or (stride == 1 and x.shape[-1] == filters):
            return projected(x, filters, strides, name=name, **self.options)
        middle = midplanes_of(x.shape[-1], filters, 1)
        name = f"{name}_shortcut"
        return self.convolve(x, (middle, filters), (1, 1, 1), strides, name=name, activation=None)


def _basic_block(x, filters: int, stride: int, split: _Split, *, name: str):
    """Two (2+1)D convolutions and the shortcut."""
    first = midplanes_of(x.shape[-1], filters)
    second = first if split.midplanes == "block" else midplanes_of(filters, filters)
    shortcut = split.project(x, filters, stride, name=name)
    kernel, strides = (3, 3, 3), (stride, stride, stride)
    x = split.convolve(x, (first, filters), kernel, strides, name=f"{name}_a")
    x = split.convolve(
        x,
        (second, filters),
        kernel,
        (1, 1, 1),
        name=f"{name}_b",
        activation=None,
        zero_gamma=True,
    )
    return joined(shortcut, x, name=name)


def _bottleneck(x, filters: int, stride: int, split: _Split, *, name: str):
    """1x1x1, (2+1)D, 1x1x1 with 4 times the channels, and the shortcut."""
    middle = midplanes_of(x.shape[-1] if split.midplanes == "block" else filters, filters)
    shortcut = split.project(x, 4 * filters, stride, name=name)
    x = conv_norm(x, filters, (1, 1, 1), name=f"{name}_a", **split.options)
    strides = (stride, stride, stride)
    x = split.convolve(x, (middle, filters), (3, 3, 3), strides, name=f"{name}_b")
    x = conv_norm(
        x,
        4 * filters,
        (1, 1, 1),
        name=f"{name}_c",
        activation=None,
        zero_gamma=True,
        **split.options,
    )
    return joined(shortcut, x, name=name)
