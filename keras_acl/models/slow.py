"""The spatial stream alone, plain or with SCAM (Table 5)."""

from collections.abc import Sequence
from typing import Unpack

import keras
from keras import ops

from keras_acl.clip import ClipSpec
from keras_acl.layers import SCAM, PackPathways, slow_frame_indices
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet_streams import check_memory, resnet_stream, spatial_kernels
from keras_acl.models.scam_scales import check_scales, features_at_scales
from keras_acl.models.video_classifier import VideoClassifier


@keras.saving.register_keras_serializable(package="keras_acl")
class SlowClassifier(VideoClassifier):
    """The spatial stream with a head of its own: Slow-only and Slow + SCAM of Table 5.

    The clip is the same as for the two-stream networks, of which every α-th frame is used. With
    more than one scale the logits are the spatial mean of S^l (Eq. 1) plus the bias, which at one
    scale is what global pooling and the dense layer compute; the scales cost at inference too.
    In training every scale is normalised by its own batch statistics, because every scale is
    classified; at inference all of them by the running ones, which the first scale alone moves.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes; T/α of its frames are used.
        depth: 50, 101, or 11, 14 for small networks.
        width: Channels of the stem.
        speed_ratio: α; 1 uses every frame.
        scales: The M input scales of SCAM, the first being 1.0; `(1.0,)` is Slow-only.
        frame_indices: How the frames are chosen, see `slow_frame_indices`.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`.

    Call arguments:
        clip: RGB clips, uint8 or float, values 0-255.
        training: Whether dropout and batch statistics are used.

    Input shape:
        `(batch, T, height, width, 3)`; height and width may vary from batch to batch, except with
        more than one scale.

    Output shape:
        Logits `(batch, L)`, float32.

    Raises:
        ValueError: For a depth, ratio, scale or number of labels that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = ClipSpec(),
        depth: int = 50,
        width: int = 64,
        speed_ratio: int = 8,  # α
        scales: Sequence[float] = (1.0,),
        frame_indices: str = "linspace",
        **options: Unpack[ClassifierOptions],
    ):
        check_memory(num_classes, depth, width)
        super().__init__(num_classes, clip=clip, **options)
        self.depth, self.width = depth, width
        self.speed_ratio = speed_ratio
        self.scales = check_scales(scales)
        self.frame_indices = frame_indices
        frames = len(slow_frame_indices(clip.frames, speed_ratio, frame_indices))
        with self.own_precision():
            self.pathways = PackPathways(speed_ratio, frame_indices, name="pathways")
            self.spatial_stream = resnet_stream(
                frames, spatial_kernels(depth), depth, width, "spatial_stream", **self.convolutions
            )
            self.dropout_channels = keras.layers.SpatialDropout3D(
                self.dropout.rate, data_format="channels_last", name="dropout_channels"
            )
        self.scam = SCAM(name="scam")
        self.build(self.input_shape)

    def build(self, input_shape):
        """Create the dense layer; the stream was built with the model."""
        self.classifier.build((None, self.spatial_stream.output_shape[-1]))
        self.built = True

    @property
    def class_weights(self):
        """Dense weights W, (C, L), as a tuple of one."""
        return (self.classifier.kernel,)

    def features(self, clip):
        """Last feature maps at inference, (B, T/α, h, w, C), as a tuple of one."""
        slow, _ = self.pathways(self.normalize(clip))
        return (self.spatial_stream(slow, training=False),)

    def call(self, clip, training=False):
        """Return logits."""
        self.check_clip(clip)
        slow, _ = self.pathways(self.normalize(clip))

        def run(frames):
            return self.run_stream(self.spatial_stream, frames, training)

        F = run(slow)
        if len(self.scales) == 1:
            return self.classifier(self.dropout(self.pool(F), training=training))
        at_scales = features_at_scales(run, slow, F, self.scales)
        at_scales = [self.dropout_channels(scale, training=training) for scale in at_scales]
        S = self.scam((at_scales, self.classifier.kernel))  # Eq. 1
        return ops.mean(S, axis=(1, 2)) + self.classifier.bias

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "depth": self.depth,
            "width": self.width,
            "speed_ratio": self.speed_ratio,
            "scales": list(self.scales),
            "frame_indices": self.frame_indices,
        }
