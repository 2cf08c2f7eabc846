"""ECO: frames of segments through a 2D network, their maps through a 3D one."""

from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import conv_norm
from keras_acl.layers.residual import ConvolutionOptions, convolution, normalized
from keras_acl.models.bn_inception import bn_inception
from keras_acl.models.c3d import MEAN, STD
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.single_stream import SingleStreamClassifier
from keras_acl.models.supervised_streams import SupervisedStreams

CLIP = ClipSpec(frames=16, span=64, segments=True)
BRANCH = "inception_3c_double_3x3_1_relu"  # where the 3D network begins


@keras.saving.register_keras_serializable(package="keras_acl")
class ECOLiteClassifier(SingleStreamClassifier):
    """ECO Lite: the first third of BN-Inception on each frame, then a 3D ResNet-18.

    Reference: Zolfaghari et al., "ECO: Efficient Convolutional Network for Online Video
    Understanding", ECCV 2018, and its prototxt. A video is seen whole: a frame of each of 16
    segments. With `num_classes` alone 37,498,128 parameters (37,503,856 with the biases of its
    convolutions, which batch normalisation takes away) and 46.5 billion multiply-adds a 224² clip.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes; with `segments=True`, a frame of each.
        width: Channels of the stem, 64; all others follow in proportion.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`. By default mean and
            std are Caffe's.

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
        clip: ClipSpec = CLIP,
        width: int = 64,
        **options: Unpack[ClassifierOptions],
    ):
        super().__init__(num_classes, clip=clip, **{"mean": MEAN, "std": STD, **options})
        self.width = width
        with self.own_precision():
            frames = bn_inception(clip.frames, width, clip.channels, **self.convolutions)
            over_time = resnet18(frames.get_layer(BRANCH).output, 2 * width, **self.convolutions)
            self.take_stream(keras.Model(frames.inputs, over_time, name="stream"))

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package="keras_acl")
class ECOClassifier(SupervisedStreams):
    """ECO, the full one: Lite, and beside it the rest of BN-Inception on each frame.

    Reference and input as of `ECOLiteClassifier`; 47,487,888 parameters (47,502,128 with biases)
    and 64.4 billion multiply-adds. The 2D network is its spatial stream, the 3D one its temporal
    stream; they have the first layers in common, and one rate of dropout (0.6 and 0.3 in the
    reference).

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes; with `segments=True`, a frame of each.
        width: Channels of the stem, 64; all others follow in proportion.
        stream_supervision: Weight of each stream's own classification loss beside that of both
            together, see `SupervisedStreams`.
        **options: As of `ECOLiteClassifier`.

    Input shape:
        `(batch, T, height, width, 3)`, values 0-255; height and width may vary.

    Output shape:
        Logits `(batch, L)`, float32. With `training=True` and supervised streams a dict of
        `"logits"`, `"spatial_logits"` and `"temporal_logits"`, `(batch, L)` each.

    Raises:
        ValueError: For a width, weight or number of labels that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = CLIP,
        width: int = 64,
        stream_supervision: float = 0.0,
        **options: Unpack[ClassifierOptions],
    ):
        options = {"mean": MEAN, "std": STD, **options}
        super().__init__(num_classes, clip=clip, stream_supervision=stream_supervision, **options)
        self.width = width
        with self.own_precision():
            frames = bn_inception(clip.frames, width, **self.convolutions)
            over_time = resnet18(frames.get_layer(BRANCH).output, 2 * width, **self.convolutions)
            outputs = [frames.output, over_time]
            self.streams = keras.Model(frames.inputs, outputs, name="streams")
        self.build(self.input_shape)

    def build(self, input_shape):
        """Create the dense layer; the streams were built with the model."""
        self.build_classifier(*(shape[-1] for shape in self.streams.output_shape))

    def features(self, clip):
        """Last feature maps at inference: (B, T, h, w, C) of frames, (B, T/4, h, w, C) of clips."""
        return tuple(self.streams(self.normalize(clip), training=False))

    def call(self, clip, training=False):
        """Return logits, and in training those of each stream if they are supervised."""
        self.check_clip(clip)
        pooled = self.pool(*self.streams(self.normalize(clip), training=training))
        logits = self.classifier(self.dropout(pooled, training=training))
        if not self.shows_streams(training):
            return logits
        return {"logits": logits, **self.logits_alone(pooled)}

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "width": self.width}


def resnet18(x, filters: int, **options: Unpack[ConvolutionOptions]):
    """The last three stages of a 3D ResNet-18, (B, T, h, w, C) to (B, T/4, h/4, w/4, 4 · filters).

    Shortcuts carry sums that are not normalised yet.
    """
    sums = convolution(x, filters, (3, 3, 3), name="res3a_2", **options)
    x = normalized(sums, name="res3a", **options)
    sums, x = _branch(sums, x, "res3b", 1, **options)
    for stage in (4, 5):
        filters, strides = 2 * filters, (2, 2, 2)
        down = convolution(x, filters, (3, 3, 3), strides, name=f"res{stage}a_down", **options)
        sums, x = _branch(down, x, f"res{stage}a", 2, **options)
        sums, x = _branch(sums, x, f"res{stage}b", 1, **options)
    return x


def _branch(shortcut, x, name: str, stride: int, **options: Unpack[ConvolutionOptions]):
    """The sum of a block's two convolutions and its shortcut, and the same normalised."""
    filters, strides = shortcut.shape[-1], (stride, stride, stride)
    x = conv_norm(x, filters, (3, 3, 3), strides, name=f"{name}_1", **options)
    x = convolution(x, filters, (3, 3, 3), name=f"{name}_2", **options)
    sums = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return sums, normalized(sums, name=name, **options)
