"""The baseline with lateral fusion: SlowFast, and SlowFast* without it (Table 3)."""

from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import PackPathways
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.resnet_streams import check_memory, slowfast_streams
from keras_acl.models.supervised_streams import SupervisedStreams


@keras.saving.register_keras_serializable(package="keras_acl")
class SlowFastClassifier(SupervisedStreams):
    """SlowFast network (the baseline of Tables 3 and 4).

    Reference: Feichtenhofer et al., "SlowFast Networks for Video Recognition", ICCV 2019. With
    `num_classes` alone: R50 4x16 with PySlowFast's fusion kernel of 5, 34,480,216 parameters and
    36.10 billion multiply-adds a 256² view for 400 classes. `fusion="none"` is SlowFast* of
    Table 3.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes; `clip.frames` is the fast pathway's T.
        depth: 50, 101, or 11, 14 for small networks.
        width: Channels of the slow pathway's stem.
        speed_ratio: α; the slow pathway sees T/α frames.
        channel_ratio: 1/β; the fast pathway is that many times narrower.
        fusion: `"conv"`, `"conv_linear"`, `"sum"`, `"max"`, `"concat"` or `"none"`; see
            `keras_acl.layers.lateral_fusion`.
        fusion_kernel: Temporal kernel of the fusion's convolutions.
        frame_indices: How the slow frames are chosen, see `slow_frame_indices`.
        stream_supervision: Weight of each pathway's own classification loss beside that of both
            together, see `SupervisedStreams`; the slow pathway is the spatial one.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`.

    Call arguments:
        clip: RGB clips, uint8 or float, values 0-255.
        training: Whether dropout and batch statistics are used.

    Input shape:
        `(batch, T, height, width, 3)`; height and width may vary from batch to batch.

    Output shape:
        Logits `(batch, L)`, float32. With `training=True` and supervised pathways a dict of
        `"logits"`, `"spatial_logits"` and `"temporal_logits"`, `(batch, L)` each.

    Raises:
        ValueError: For a depth, ratio, fusion or number of labels that does not fit.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        clip: ClipSpec = ClipSpec(),
        depth: int = 50,
        width: int = 64,
        speed_ratio: int = 8,  # α
        channel_ratio: int = 8,  # 1/β
        fusion: str = "conv",
        fusion_kernel: int = 5,
        frame_indices: str = "linspace",
        stream_supervision: float = 0.0,
        **options: Unpack[ClassifierOptions],
    ):
        check_memory(num_classes, depth, width)
        super().__init__(num_classes, clip=clip, stream_supervision=stream_supervision, **options)
        self.depth, self.width = depth, width
        self.speed_ratio, self.channel_ratio = speed_ratio, channel_ratio
        self.fusion, self.fusion_kernel = fusion, fusion_kernel
        self.frame_indices = frame_indices
        with self.own_precision():
            self.pathways = PackPathways(speed_ratio, frame_indices, name="pathways")
            self.streams = slowfast_streams(
                clip.frames,
                speed_ratio,
                channel_ratio,
                depth,
                width,
                fusion,
                fusion_kernel,
                **self.convolutions,
            )
        self.build(self.input_shape)

    def build(self, input_shape):
        """Create the dense layer; the streams were built with the model."""
        self.build_classifier(*(shape[-1] for shape in self.streams.output_shape))

    def features(self, clip):
        """Last feature maps at inference: slow (B, T/α, h, w, C), fast (B, T, h, w, βC)."""
        return tuple(self.streams([*self.pathways(self.normalize(clip))], training=False))

    def call(self, clip, training=False):
        """Return logits, and in training those of each pathway if they are supervised."""
        self.check_clip(clip)
        slow, fast = self.pathways(self.normalize(clip))
        pooled = self.pool(*self.streams([slow, fast], training=training))
        logits = self.classifier(self.dropout(pooled, training=training))
        if not self.shows_streams(training):
            return logits
        return {"logits": logits, **self.logits_alone(pooled)}

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "depth": self.depth,
            "width": self.width,
            "speed_ratio": self.speed_ratio,
            "channel_ratio": self.channel_ratio,
            "fusion": self.fusion,
            "fusion_kernel": self.fusion_kernel,
            "frame_indices": self.frame_indices,
        }
