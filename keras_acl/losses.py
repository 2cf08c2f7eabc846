"""Classification losses that Keras does not have."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_acl")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of whole-number labels with label smoothing, on logits.

    Args:
        num_classes: Number of classes (L).
        label_smoothing: ε; the labelled class weighs 1 − ε + ε/L, every other one ε/L.
        name: Name of the loss.
        **kwargs: Dtype and reduction of every Keras loss.

    Call arguments:
        y_true: Whole numbers, `(batch,)` or `(batch, 1)`.
        y_pred: Logits, `(batch, L)`.

    Raises:
        ValueError: If `label_smoothing` is not in [0, 1).
    """

    def __init__(
        self, num_classes: int, label_smoothing: float, name="smoothed_crossentropy", **kwargs
    ):
        super().__init__(name=name, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"Expected 0 <= label_smoothing < 1. Received: label_smoothing={label_smoothing}"
            )
        self.num_classes = num_classes
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """Return one value a clip."""
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        return keras.losses.categorical_crossentropy(
            ops.one_hot(labels, self.num_classes, dtype=y_pred.dtype),
            y_pred,
            from_logits=True,
            label_smoothing=self.label_smoothing,
        )

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "label_smoothing": self.label_smoothing,
        }
