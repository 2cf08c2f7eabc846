"""Losses and metrics for labels in all their forms: whole numbers, soft ones, several a clip.

With mixup the training labels are class probabilities while the validation labels stay whole
numbers; Keras' own losses and metrics take one kind or the other.
"""

from collections.abc import Sequence

import keras
from keras import ops

from keras_acl.layers.consistency import label_weights

MOST = 50.0  # logits beyond are alike to `MeanAveragePrecision`
THRESHOLDS = 10_001  # of it, from -MOST to MOST


@keras.saving.register_keras_serializable(package="keras_acl")
class Crossentropy(keras.losses.Loss):
    """Cross-entropy on logits.

    Args:
        label_smoothing: ε; of every label's weight, ε is spread evenly over all classes.
        class_weights: Factor of each class's clips, L of them, as `class_weight` in `fit` but for
            soft labels, too; `None` weighs all alike.
        name: Name of the loss.
        **kwargs: Dtype and reduction of every Keras loss.

    Call arguments:
        y_true: Whole numbers `(batch,)` or `(batch, 1)`, or class probabilities `(batch, L)`.
        y_pred: Logits, `(batch, L)`.

    Raises:
        ValueError: If `label_smoothing` is not in [0, 1).
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        name="crossentropy",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"Expected 0 <= label_smoothing < 1. Received: label_smoothing={label_smoothing}"
            )
        self.label_smoothing = label_smoothing
        self.class_weights = None if class_weights is None else list(class_weights)

    def call(self, y_true, y_pred):
        """Return one value per clip; NaN for a label that is no class, which nothing else shows."""
        weights = ops.cast(label_weights(y_true, y_pred.shape[-1]), y_pred.dtype)
        values = keras.losses.categorical_crossentropy(
            weights, y_pred, from_logits=True, label_smoothing=self.label_smoothing
        )
        values = ops.where(ops.any(weights > 0, axis=-1), values, float("nan"))
        if self.class_weights is None:
            return values
        factors = ops.cast(self.class_weights, values.dtype)
        return values * ops.sum(weights * factors, axis=-1)

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
            "class_weights": self.class_weights,
        }


@keras.saving.register_keras_serializable(package="keras_acl")
class TopAccuracy(keras.metrics.Mean):
    """How often the label, or a soft label's likeliest class, is among the k highest logits.

    Of equal logits the label's comes last, so that a network that says nothing is never right.
    It is NaN where a logit is.

    Args:
        k: How many logits count.
        name: Name of the metric.
        **kwargs: Dtype of every Keras metric.
    """

    def __init__(self, k: int = 1, name="accuracy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.k = k
        self._direction = "up"  # for Keras' callbacks that monitor it

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count the clips of a batch."""
        y_pred = ops.convert_to_tensor(y_pred)
        weights = label_weights(y_true, y_pred.shape[-1])
        labels = ops.argmax(weights, axis=-1)
        score = ops.take_along_axis(y_pred, ops.expand_dims(labels, -1), axis=-1)
        rank = ops.sum(ops.cast(y_pred >= score, "int32"), axis=-1)  # (B,), 1 for the best
        # A label that is no class has no weight at all, and is no hit.
        hits = ops.logical_and(rank <= self.k, ops.max(weights, axis=-1) > 0)
        known = ops.logical_not(ops.any(ops.isnan(y_pred), axis=-1))
        values = ops.where(known, ops.cast(hits, "float32"), float("nan"))
        return super().update_state(values, sample_weight)

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "k": self.k}


@keras.saving.register_keras_serializable(package="keras_acl")
class MeanCrossentropy(keras.metrics.Mean):
    """The cross-entropy alone: in training, `loss` holds the consistency term as well.

    Args:
        label_smoothing: As in `Crossentropy`.
        name: Name of the metric.
        **kwargs: Dtype of every Keras metric.
    """

    def __init__(self, label_smoothing: float = 0.0, name="crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.loss = Crossentropy(label_smoothing)
        self._direction = "down"

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add the clips of a batch."""
        return super().update_state(self.loss.call(y_true, y_pred), sample_weight)

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "label_smoothing": self.loss.label_smoothing}


@keras.saving.register_keras_serializable(package="keras_acl")
class MeanAveragePrecision(keras.metrics.AUC):
    """Mean over the classes of the area under the curve of precision by recall, from logits.

    Keras' metric at thresholds a hundredth of a logit apart, as memory must not grow with the
    clips: near the exact average precision, which `keras_acl.evaluation` computes from saved
    scores. As there, classes without a positive clip are left out; Keras would count them as 0. A
    soft label is positive from one half on.

    Args:
        num_classes: Number of classes (L).
        name: Name of the metric.
        dtype: Dtype of every Keras metric.
    """

    def __init__(self, num_classes: int, name="mean_average_precision", dtype=None):
        super().__init__(
            num_thresholds=THRESHOLDS,
            curve="PR",
            multi_label=True,
            num_labels=num_classes,
            name=name,
            dtype=dtype,
        )
        self.num_classes = num_classes

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count the clips of a batch."""
        positive = ops.cast(label_weights(y_true, self.num_classes) >= 0.5, "float32")
        if sample_weight is not None:
            sample_weight = ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
        # Thresholds at equal steps: those of `from_logits` would be far apart, and JAX compiles no
        # others. The order of the clips alone counts; one without a number comes last.
        places = ops.clip((y_pred + MOST) / (2 * MOST), 0.0, 1.0)
        places = ops.where(ops.isnan(places), 0.0, places)
        return super().update_state(positive, places, sample_weight)

    def result(self):
        """The mean so far; 0 before there is a positive clip."""
        positives = self.true_positives[0] + self.false_negatives[0]  # (L,)
        seen = ops.sum(ops.cast(positives > 0, "float32"))
        return ops.divide_no_nan(super().result() * self.num_classes, seen)

    def get_config(self):
        """Arguments of the constructor."""
        return {"num_classes": self.num_classes, "name": self.name, "dtype": self.dtype}


def monitored_metric(num_classes: int, multi_label: bool, prefix: str = "") -> keras.metrics.Metric:
    """What a training is judged by: `accuracy`, or of several labels `mean_average_precision`."""
    if multi_label:
        return MeanAveragePrecision(num_classes, name=f"{prefix}mean_average_precision")
    return TopAccuracy(name=f"{prefix}accuracy")
