"""The network of the paper: two independent streams, SCAM and attention consistency."""

from collections.abc import Sequence
from typing import Unpack

import keras

from keras_acl.clip import ClipSpec
from keras_acl.layers import (
    SCAM,
    AttentionConsistency,
    AttentionConsistencyLoss,
    PackPathways,
    slow_frame_indices,
)
from keras_acl.models.classifier_options import ClassifierOptions, check_weight
from keras_acl.models.resnet_streams import (
    check_memory,
    resnet_stream,
    spatial_kernels,
    temporal_kernels,
    temporal_width,
)
from keras_acl.models.scam_scales import check_scales, features_at_scales
from keras_acl.models.supervised_streams import SupervisedStreams


@keras.saving.register_keras_serializable(package="keras_acl")
class TwoStreamClassifier(SupervisedStreams):
    """Two-stream network with attention consistency.

    A spatial stream sees T/α frames, a narrower temporal stream sees all T; they meet only in the
    head (section 3.1). In training the class activation maps of both are compared (section 3.4),
    so both streams learn to look at the same place; at inference this costs nothing.

    Reference: Xu et al., "Exploiting Attention-Consistency Loss for Spatial-Temporal Stream Action
    Recognition", ACM TOMM 18(2s), 2022, https://doi.org/10.1145/3538749. With `num_classes` alone:
    R50 4x16, 33,070,648 parameters and 34.16 billion multiply-adds a 256² view for 400 classes.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes; `clip.frames` is T.
        depth: 50, 101, or 11, 14 for small networks.
        width: Channels of the spatial stream's stem.
        speed_ratio: α; the spatial stream sees T/α frames.
        channel_ratio: 1/β; the temporal stream is that many times narrower.
        scales: The M input scales of SCAM, the first being 1.0; `(1.0,)` turns SCAM off.
        consistency_weight: λ of Eq. 4. `None` leaves the term out of the training graph.
        consistency: An `AttentionConsistency` layer; its options are those of Eq. 2 and 3.
        frame_indices: How the spatial stream's frames are chosen, see `slow_frame_indices`.
        stream_supervision: Weight of each stream's own classification loss beside that of both
            together; 0 is the paper. See `SupervisedStreams`.
        **options: What all classifiers take: labels, mean, std, dropout, form, folded,
            clips_per_group, name, dtype and trainable; see `ClassifierOptions`.

    Call arguments:
        clip: RGB clips, uint8 or float, values 0-255.
        training: Whether to return the training outputs.

    Input shape:
        `(batch, T, height, width, 3)`; height and width may vary from batch to batch, except in
        training with more than one scale.

    Output shape:
        Logits `(batch, L)`, float32. With `training=True` and a consistency term or supervised
        streams a dict of `"logits"`, `"disagreement"`, the distance of each class's maps, and
        `"spatial_logits"` and `"temporal_logits"`, `(batch, L)` each. `fit`, `evaluate` and
        `predict` behave as in any Keras classifier.

    Raises:
        ValueError: For a depth, ratio, scale or number of labels that does not fit.

    Example:
        >>> model = TwoStreamClassifier(num_classes=101)
        >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> model.fit(train)
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
        scales: Sequence[float] = (1.0, 0.5),
        consistency_weight: float | None = 1.5,  # λ
        consistency: AttentionConsistency | None = None,
        frame_indices: str = "linspace",
        stream_supervision: float = 0.0,
        **options: Unpack[ClassifierOptions],
    ):
        if consistency_weight is not None:
            check_weight("consistency_weight", consistency_weight)
        check_memory(num_classes, depth, width)
        super().__init__(num_classes, clip=clip, stream_supervision=stream_supervision, **options)
        self.depth, self.width = depth, width
        self.speed_ratio, self.channel_ratio = speed_ratio, channel_ratio  # α, 1/β
        self.scales = check_scales(scales)  # M of them
        self.initial_consistency_weight = consistency_weight
        self.frame_indices = frame_indices
        T = clip.frames
        T_slow = len(slow_frame_indices(T, speed_ratio, frame_indices))
        narrow = temporal_width(width, channel_ratio)

        with self.own_precision():
            self.pathways = PackPathways(speed_ratio, frame_indices, name="pathways")
            self.spatial_stream = resnet_stream(
                T_slow, spatial_kernels(depth), depth, width, "spatial_stream", **self.convolutions
            )
            self.temporal_stream = resnet_stream(
                T, temporal_kernels(depth), depth, narrow, "temporal_stream", **self.convolutions
            )
        self.scam = SCAM(name="scam")
        self.consistency = consistency or AttentionConsistency(name="consistency")
        if consistency_weight is not None:
            self.consistency_weight = self.add_weight(  # λ, a variable: callbacks change it
                name="consistency_weight",
                shape=(),
                initializer=keras.initializers.Constant(consistency_weight),
                trainable=False,
                autocast=False,
                dtype="float32",
            )
            self.consistency_loss = AttentionConsistencyLoss(self.consistency.classes)
            self.consistency_metric = keras.metrics.Mean(name="consistency")
        self.build(self.input_shape)

    def build(self, input_shape):
        """Create the dense layer; the streams were built with the model."""
        streams = self.spatial_stream, self.temporal_stream
        self.build_classifier(*(stream.output_shape[-1] for stream in streams))

    def features(self, clip):
        """Last feature maps at inference: spatial (B, T/α, h, w, C), temporal (B, T, h, w, βC)."""
        slow, fast = self.pathways(self.normalize(clip))
        return self.spatial_stream(slow, training=False), self.temporal_stream(fast, training=False)

    def call(self, clip, training=False):
        """Return logits, and in training the disagreement of the two streams."""
        self.check_clip(clip)
        slow, fast = self.pathways(self.normalize(clip))
        F_s = self.run_stream(self.spatial_stream, slow, training)  # (B, T/α, H/32, W/32, C)
        F_t = self.run_stream(self.temporal_stream, fast, training)  # (B, T, H/32, W/32, βC)
        pooled = self.pool(F_s, F_t)
        logits = self.classifier(self.dropout(pooled, training=training))
        compared = training and self.initial_consistency_weight is not None
        if not (compared or self.shows_streams(training)):
            return logits

        W_s, W_t = self.class_weights
        outputs = {"logits": logits}
        S = self._spatial_map(slow, F_s, W_s) if training else None
        if compared:
            outputs["disagreement"] = self.consistency((S, F_t, W_t))  # Eq. 2, 3
        if self.shows_streams(training):
            outputs |= self.logits_alone(pooled, S)
        return outputs

    def _spatial_map(self, slow, F_s, W_s):
        """S of Eq. 1 in training, (B, H, W, L)."""

        def run(frames):  # on the running statistics: the map alone counts at the other scales
            return self.run_stream(self.spatial_stream, frames, True, batch_statistics=False)

        return self.scam((features_at_scales(run, slow, F_s, self.scales), W_s))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """ℓ = ℓ_c + λ ℓ_a (Eq. 4); without the second term outside training."""
        classification = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not isinstance(y_pred, dict) or "disagreement" not in y_pred:
            return classification
        distances = y_pred["disagreement"]
        self.consistency_metric.update_state(
            self.consistency_loss.call(y, distances), sample_weight=sample_weight
        )
        term = self.consistency_loss(y, distances, sample_weight)
        return classification + self.consistency_weight * term

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Metrics of the logits; `consistency` only where it was measured, in training."""
        results = super().compute_metrics(x, y, y_pred, sample_weight)
        if not isinstance(y_pred, dict) or "disagreement" not in y_pred:
            results.pop("consistency", None)
        return results

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "depth": self.depth,
            "width": self.width,
            "speed_ratio": self.speed_ratio,
            "channel_ratio": self.channel_ratio,
            "scales": list(self.scales),
            "consistency_weight": self.initial_consistency_weight,
            "consistency": keras.saving.serialize_keras_object(self.consistency),
            "frame_indices": self.frame_indices,
        }
