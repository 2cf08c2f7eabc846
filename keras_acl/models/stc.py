"""STC: a 3D ResNeXt whose blocks correlate channels in space and in time."""

from typing import Unpack

import keras
from keras import ops

from keras_acl.clip import ClipSpec
from keras_acl.layers.residual import ConvolutionOptions, gates
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnext3d import MEAN, STD, resnext
from keras_acl.models.single_stream import SingleStreamClassifier


@keras.saving.register_keras_serializable(package="keras_acl")
class STCClassifier(SingleStreamClassifier):
    """STC-ResNeXt: spatio-temporal channel correlation in every block of a 3D ResNeXt.

    Reference: Diba et al., "Spatio-Temporal Channel Correlation Networks for Action
    Classification", ECCV 2018. What leaves a block's last convolution is multiplied by the sum of
    two gates. The spatial branch (SCB) makes one of every channel from the mean over time and
    space; the temporal branch (TCB) one of every channel and frame from the means of all frames.
    Both are two dense layers, the first of which has a `reduction`-th of the values.

    Built from the paper's description; neither code nor weights of its authors were found, so no
    parity is claimed. Where the description leaves a choice, here the gates stand before the
    shortcut is added, and the temporal branch sees all frames of a clip at once. With `num_classes`
    alone 70,491,840 parameters and 9.59 billion multiply-adds a 112² clip of 16 frames.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        depth: 50, 101, or 14 for a small network.
        width: Channels of the stem; the first stage's blocks have twice as many inside.
        groups: Groups of the 3x3x3 convolutions.
        reduction: How many times fewer values the gates' first layers have (r).
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`. By default mean and
            std are those of `ResNeXt3DClassifier`.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For a depth, width, number of groups, reduction or number of labels that does
            not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = ClipSpec(frames=16, span=16, size=112),
        depth: int = 101,
        width: int = 64,
        groups: int = 32,
        reduction: int = 16,
        **options: Unpack[ClassifierOptions],
    ):
        if not 1 <= reduction <= 4 * width:  # channels of the narrowest blocks
            raise ValueError(
                f"Expected `reduction` from 1 to 4 · width. Received: reduction={reduction}, "
                f"width={width}"
            )
        super().__init__(num_classes, clip=clip, **{"mean": MEAN, "std": STD, **options})
        self.depth, self.width, self.groups = depth, width, groups
        self.reduction = reduction
        grouped: ConvolutionOptions = {**self.convolutions, "groups": groups}
        with self.own_precision():
            self.take_stream(resnext(clip, depth, width, self._correlated, **grouped))

    def _correlated(self, x, name: str):
        """A block's branch times the sum of its gates."""
        _, frames, _, _, channels = x.shape
        # Without keepdims: TensorFlow's optimised graph of inference loses such means on a CPU.
        means = ops.mean(x, axis=(2, 3))  # (B, T, C)
        whole = ops.mean(means, axis=1)[:, None, None, None]  # (B, 1, 1, 1, C)
        spatial = gates(whole, channels // self.reduction, name=f"{name}_scb")
        values = frames * channels
        temporal = keras.layers.Reshape((values,), name=f"{name}_tcb_values")(means)
        temporal = gates(temporal, values // self.reduction, name=f"{name}_tcb")
        shape = (frames, 1, 1, channels)
        temporal = keras.layers.Reshape(shape, name=f"{name}_tcb_gates")(temporal)
        both = keras.layers.Add(name=f"{name}_gates")([spatial, temporal])
        return keras.layers.Multiply(name=f"{name}_stc")([x, both])

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "depth": self.depth,
            "width": self.width,
            "groups": self.groups,
            "reduction": self.reduction,
        }
