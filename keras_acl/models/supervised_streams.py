"""A classifier of two streams, each of which may learn the label as well as both together."""

import contextlib
from collections.abc import Iterator

from keras import ops

from keras_acl.models.classifier_options import check_weight
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.system.keras_internals import compiled_loss
from keras_acl.training.losses import monitored_metric

STREAMS = ("spatial", "temporal")


class SupervisedStreams(VideoClassifier):
    """Base of the two-stream classifiers: what each stream says by itself.

    The dense layer adds up what the rows of each stream give. A stream's own logits are those of
    its rows and the bias, which is the spatial mean of its class activation maps; with
    `stream_supervision` w they are in the loss:

        ℓ = ℓ_c(both) + w · (ℓ_c(spatial) + ℓ_c(temporal))

    Without it a stream may leave the class to the other, and its maps are maps of nothing. The
    weight 0 is the paper's training. Inference is the same either way.

    Args:
        *args: Those of `VideoClassifier`.
        stream_supervision: w, the weight of each stream's own loss.
        **options: Those of `VideoClassifier`.

    Raises:
        ValueError: If `stream_supervision` is negative or not finite.
    """

    scored_streams = STREAMS

    def __init__(self, *args, stream_supervision: float = 0.0, **options):
        super().__init__(*args, **options)
        self._accuracy_alone: _AccuracyAlone | None = None
        self._shows_streams = False
        self.stream_supervision = stream_supervision

    @property
    def stream_supervision(self) -> float:
        """w, the weight of each stream's own loss; 0 for none.

        Compile after setting it, as functions that are compiled keep what they were compiled
        with; it is saved with the model.
        """
        return self._stream_supervision

    @stream_supervision.setter
    def stream_supervision(self, value: float) -> None:
        check_supervision(value)
        self._stream_supervision = value
        if value and self._accuracy_alone is None:
            self._accuracy_alone = _AccuracyAlone(self.num_classes, self.multi_label)

    @property
    def metrics(self) -> list:
        """Those of every Keras model and, if the streams are supervised, each one's accuracy."""
        alone = self._accuracy_alone if self.stream_supervision else None
        return [*super().metrics, *(alone.by_stream.values() if alone else ())]

    def build_classifier(self, spatial_channels: int, temporal_channels: int) -> None:
        """Create the dense layer, whose rows are [spatial | temporal]."""
        self._spatial_channels = spatial_channels
        self.classifier.build((None, spatial_channels + temporal_channels))
        self.built = True

    @property
    def class_weights(self):
        """Dense weights W of the spatial and the temporal stream, (C, L) each."""
        kernel, channels = self.classifier.kernel, self._spatial_channels
        return kernel[:channels], kernel[channels:]

    def stream_logits(self, clip) -> dict:
        """Logits at inference: of both streams together and of each alone, from one pass.

        Args:
            clip: Clips as the model takes them.

        Returns:
            `"logits"`, `"spatial_logits"` and `"temporal_logits"`, (B, L) each.
        """
        pooled = self.pool(*self.features(clip))
        return {"logits": self.classifier(pooled), **self.logits_alone(pooled)}

    def logits_alone(self, pooled, spatial_map=None) -> dict:
        """Each stream's own logits.

        Args:
            pooled: Pooled features of both, (..., C).
            spatial_map: S of Eq. 1, (B, H, W, L), whose mean the spatial logits then are.
        """
        W_s, W_t = self.class_weights
        spatial = pooled[..., : W_s.shape[0]]
        spatial = ops.matmul(spatial, W_s) if spatial_map is None else _mean(spatial_map)
        temporal = ops.matmul(pooled[..., W_s.shape[0] :], W_t)
        bias = self.classifier.bias
        return {"spatial_logits": spatial + bias, "temporal_logits": temporal + bias}

    def shows_streams(self, training) -> bool:
        """Whether `call` is to return the streams' own logits, too: for loss and metrics."""
        return bool(self.stream_supervision) and bool(training or self._shows_streams)

    def test_step(self, *args, **kwargs):
        """Evaluate a batch as any Keras model, and each stream alone."""
        with self._streams_shown():
            return super().test_step(*args, **kwargs)

    @contextlib.contextmanager
    def _streams_shown(self) -> Iterator[None]:
        self._shows_streams = True
        try:
            yield
        finally:
            self._shows_streams = False

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """ℓ_c of both streams together and, in training, w times that of each."""
        outputs = y_pred if isinstance(y_pred, dict) else {"logits": y_pred}
        loss = super().compute_loss(x, y, outputs["logits"], sample_weight, training)
        if training and "spatial_logits" in outputs:
            for stream in STREAMS:
                alone = compiled_loss(self, y, outputs[f"{stream}_logits"], sample_weight)
                loss = loss + self.stream_supervision * alone
        return loss

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Metrics of both streams together, and of each where it was computed."""
        if not isinstance(y_pred, dict):
            return super().compute_metrics(x, y, y_pred, sample_weight)
        if self._accuracy_alone is not None and "spatial_logits" in y_pred:
            self._accuracy_alone.update(y, y_pred, sample_weight)
        return super().compute_metrics(x, y, y_pred["logits"], sample_weight)

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "stream_supervision": self.stream_supervision}


def check_supervision(weight: float) -> None:
    """Refuse a weight of the streams' own losses that is none.

    Raises:
        ValueError: If it is negative or not finite.
    """
    check_weight("stream_supervision", weight)


class _AccuracyAlone:
    """Accuracy of each stream by itself; of several labels its mean average precision.

    No Keras object: Keras would save its counts with the weights, which then would not fit the same
    network without supervision.
    """

    def __init__(self, num_classes: int, multi_label: bool):
        self.by_stream = {
            name: monitored_metric(num_classes, multi_label, prefix=f"{name}_") for name in STREAMS
        }

    def update(self, y, outputs: dict, sample_weight) -> None:
        """Count the clips of a batch."""
        for stream, metric in self.by_stream.items():
            metric.update_state(y, outputs[f"{stream}_logits"], sample_weight)


def _mean(maps):
    return ops.mean(ops.cast(maps, "float32"), axis=(1, 2))
