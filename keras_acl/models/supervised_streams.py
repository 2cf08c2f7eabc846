"""A classifier of two streams, each of which may learn the label as well as both together."""

import contextlib
from collections.abc import Iterator

from keras import ops

from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.system.keras_internals import compiled_loss
from keras_acl.training.losses import TopAccuracy

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
        ValueError: If `stream_supervision` is negative or no number.
    """

    def __init__(self, *args, stream_supervision: float = 0.0, **options):
        super().__init__(*args, **options)
        if not stream_supervision >= 0:  # NaN is not
            raise ValueError(
                "Expected `stream_supervision` to be 0 or more. "
                f"Received: stream_supervision={stream_supervision}"
            )
        self.stream_supervision = stream_supervision
        self._shows_streams = False
        if stream_supervision:
            self.spatial_accuracy = TopAccuracy(name="spatial_accuracy")
            self.temporal_accuracy = TopAccuracy(name="temporal_accuracy")

    @property
    def class_weights(self):
        """Dense weights W of the spatial and the temporal stream, (C, L) each."""
        raise NotImplementedError

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
            pooled: Pooled features of both, (B, C).
            spatial_map: S of Eq. 1, (B, H, W, L), whose mean the spatial logits then are.
        """
        W_s, W_t = self.class_weights
        spatial = pooled[:, : W_s.shape[0]]
        spatial = ops.matmul(spatial, W_s) if spatial_map is None else _mean(spatial_map)
        temporal = ops.matmul(pooled[:, W_s.shape[0] :], W_t)
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
        """Metrics of both streams together, and the accuracy of each where it was computed."""
        if not isinstance(y_pred, dict):
            return super().compute_metrics(x, y, y_pred, sample_weight)
        for stream in STREAMS if "spatial_logits" in y_pred else ():
            metric = getattr(self, f"{stream}_accuracy")
            metric.update_state(y, y_pred[f"{stream}_logits"], sample_weight)
        return super().compute_metrics(x, y, y_pred["logits"], sample_weight)

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "stream_supervision": self.stream_supervision}


def _mean(maps):
    return ops.mean(ops.cast(maps, "float32"), axis=(1, 2))
