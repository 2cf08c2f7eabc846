"""T3D: a DenseNet whose transitions see several temporal depths."""

from collections.abc import Sequence
from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import (
    AveragePairs,
    PaddedConv3D,
    PaddedMaxPooling3D,
    conv_norm,
    normalized,
)
from keras_acl.layers.residual import ConvolutionOptions
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet_streams import blocks_of
from keras_acl.models.single_stream import SingleStreamClassifier

# Layers of each dense block; 13 is a small one for CPUs.
BLOCKS = {13: (1, 1, 1, 1), 121: (6, 12, 24, 16), 169: (6, 12, 32, 32)}


@keras.saving.register_keras_serializable(package="keras_acl")
class T3DClassifier(SingleStreamClassifier):
    """T3D, temporal 3D ConvNet: DenseNet3D with temporal transition layers.

    Reference: Diba et al., "Temporal 3D ConvNets: New Architecture and Transfer Learning for Video
    Classification", 2017. A temporal transition layer convolves the output of a dense block with
    kernels of several temporal depths, concatenates and pools.

    Built from the paper's description; its authors published no weights and withdrew their code, so
    no parity is claimed. Where the description leaves a choice, here all kernels but that of depth
    1 are 3x3 in space, have 4 times as many filters as the growth rate and see one normalisation;
    the withdrawn code has depths of 1, 3 and 4, and another 1x1x1 convolution before the pool. With
    `num_classes` alone 34,291,856 parameters and 131.5 billion multiply-adds a 224² clip.

    `temporal_depths=()` is the plain DenseNet3D-121, whose transitions halve the channels:
    11,658,896 parameters, as its authors' code has, and 17.1 billion multiply-adds a clip of 16
    frames. Pools here keep a single frame, so that short clips have a last block, too.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        depth: 121, 169, or 13 for a small network.
        growth: Channels that every dense layer adds; the stem has twice as many.
        temporal_depths: Temporal sizes of the transitions' kernels; none for plain transitions.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For a depth, temporal depths or number of labels that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = ClipSpec(frames=32, span=64),
        depth: int = 121,
        growth: int = 32,
        temporal_depths: Sequence[int] = (1, 3, 6),
        **options: Unpack[ClassifierOptions],
    ):
        blocks = blocks_of(depth, BLOCKS)
        if any(size < 1 for size in temporal_depths):
            raise ValueError(
                f"Expected `temporal_depths` from 1 on. Received: temporal_depths={temporal_depths}"
            )
        super().__init__(num_classes, clip=clip, **options)
        self.depth, self.growth = depth, growth
        self.temporal_depths = tuple(temporal_depths)
        convolutions = self.convolutions
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, clip.channels), name="frames")
            x = conv_norm(inputs, 2 * growth, (3, 7, 7), (2, 2, 2), name="stem", **convolutions)
            x = PaddedMaxPooling3D((3, 3, 3), (2, 2, 2), name="stem_pool")(x)
            for stage, count in enumerate(blocks, 2):
                for layer in range(count):
                    x = _dense_layer(x, growth, name=f"dense{stage}_{layer}", **convolutions)
                if stage <= len(blocks):
                    x = self._transition(x, f"transition{stage}")
                    x = AveragePairs(name=f"pool{stage}")(x)
            x = normalized(x, name="last", **convolutions)
            self.take_stream(keras.Model(inputs, x, name="stream"))

    def _transition(self, x, name: str):
        """What stands between two dense blocks, but for the pool."""
        x = normalized(x, name=f"{name}_first", **self.convolutions)
        if not self.temporal_depths:
            return PaddedConv3D(x.shape[-1] // 2, (1, 1, 1), form=self.form, name=f"{name}_conv")(x)
        branches = [
            PaddedConv3D(
                4 * self.growth,
                (1, 1, 1) if size == 1 else (size, 3, 3),
                form=self.form,
                padding="same",
                name=f"{name}_{place}_conv",
            )(x)
            for place, size in enumerate(self.temporal_depths)
        ]
        return keras.layers.Concatenate(name=f"{name}_concat")(branches)

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "depth": self.depth,
            "growth": self.growth,
            "temporal_depths": list(self.temporal_depths),
        }


def _dense_layer(x, growth: int, *, name: str, **options: Unpack[ConvolutionOptions]):
    """1x1x1 and 3x3x3 behind normalisations; the result is put beside the input."""
    y = normalized(x, name=f"{name}_first", **options)
    y = conv_norm(y, 4 * growth, (1, 1, 1), name=f"{name}_a", **options)
    y = PaddedConv3D(growth, (3, 3, 3), form=options.get("form", "auto"), name=f"{name}_b_conv")(y)
    return keras.layers.Concatenate(name=f"{name}_out")([x, y])
