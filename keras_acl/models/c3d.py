"""C3D: eight 3x3x3 convolutions, and two dense layers as convolutions over the whole map."""

from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import PaddedConv3D, PaddedMaxPooling3D, conv_norm
from keras_acl.layers.residual import ConvolutionOptions
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.single_stream import SingleStreamClassifier

# Channels of the convolutions between two pools, for a width of 64.
STAGES = ((1,), (2,), (4, 4), (8, 8), (8, 8))
MEAN = (123 / 255, 117 / 255, 104 / 255)  # of ImageNet in Caffe, here as RGB
STD = 1 / 255  # pixels keep their range


@keras.saving.register_keras_serializable(package="keras_acl")
class C3DClassifier(SingleStreamClassifier):
    """C3D, the first 3D network for video that features were taken from.

    Reference: Tran et al., "Learning Spatiotemporal Features with 3D Convolutional Networks", ICCV
    2015. Its dense layers fc6 and fc7 are convolutions here, the first over the whole map of a
    training crop, so that larger frames are classified at every place and maps exist.

    With `num_classes=101` alone the Sports-1M form as MMAction2 trains it on UCF101: biases and no
    batch normalisation, 78,409,573 parameters and 38.5 billion multiply-adds a 112² clip.
    `normalized=True` is VMZ's form for Kinetics: batch normalisation, 64,957,264 parameters for 400
    classes.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes. Its size says how large the kernel of fc6 is.
        width: Channels of the first convolution, 64; all others follow in proportion.
        hidden: Channels of fc6 and fc7.
        normalized: Whether convolutions have batch normalisation (epsilon 1e-3) and no bias, and
            the last pool no padding.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`. By default mean and
            std are Caffe's.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary, but not be smaller
        than the clip's size.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For clips too small for five pools, or a number of labels that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = ClipSpec(frames=16, span=16, size=112),
        width: int = 64,
        hidden: int = 4096,
        normalized: bool = False,
        **options: Unpack[ClassifierOptions],
    ):
        super().__init__(num_classes, clip=clip, **{"mean": MEAN, "std": STD, **options})
        self.width, self.hidden, self.normalized = width, hidden, normalized
        frames, side = self._last_map()
        if min(frames, side) < 1:
            raise ValueError(
                "C3D halves a clip five times, its frames four times: expected at least 16 frames "
                f"of 32 x 32. Received: clip={clip}"
            )
        with self.own_precision():
            inputs = keras.Input((clip.frames, None, None, clip.channels), name="frames")
            x = inputs
            for stage, factors in enumerate(STAGES, 1):
                for letter, factor in zip("ab", factors, strict=False):
                    name = f"conv{stage}{letter if len(factors) > 1 else ''}"
                    x = self._convolve(x, width * factor, name)
                size = (1, 2, 2) if stage == 1 else (2, 2, 2)
                outside = 1 if stage == 5 and not normalized else 0
                x = PaddedMaxPooling3D(size, size, (0, outside, outside), name=f"pool{stage}")(x)
            # Dropout here is that of the head: the same rate before fc7 and before the classes.
            x = self._dense(x, (1, side, side), "fc6")
            x = keras.layers.Dropout(self.dropout.rate, name="fc6_dropout")(x)
            x = self._dense(x, (1, 1, 1), "fc7")
            self.take_stream(keras.Model(inputs, x, name="stream"))

    def _last_map(self) -> tuple[int, int]:
        """Frames and side of the map before fc6."""
        frames, side = self.clip.frames, self.clip.size
        for stage in range(5):
            outside = 2 if stage == 4 and not self.normalized else 0
            side = (side + outside - 2) // 2 + 1
            frames = frames if stage == 0 else (frames - 2) // 2 + 1
        return frames, side

    def _convolve(self, x, filters: int, name: str):
        if self.normalized:
            options: ConvolutionOptions = {**self.convolutions, "epsilon": 1e-3}
            return conv_norm(x, filters, (3, 3, 3), name=name, **options)
        x = PaddedConv3D(filters, (3, 3, 3), use_bias=True, form=self.form, name=f"{name}_conv")(x)
        return keras.layers.Activation("relu", name=f"{name}_relu")(x)

    def _dense(self, x, window: tuple[int, int, int], name: str):
        return keras.layers.Conv3D(
            self.hidden, window, activation="relu", data_format="channels_last", name=name
        )(x)

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "width": self.width,
            "hidden": self.hidden,
            "normalized": self.normalized,
        }
