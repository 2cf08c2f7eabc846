"""The weight of the consistency term (Eq. 4), epoch by epoch."""

import keras


class ConsistencyLoss(keras.callbacks.Callback):
    """Set λ, the weight of the consistency term (Eq. 4), epoch by epoch.

    The term pulls both streams together, so it helps once the spatial stream knows something;
    a warm-up lets the classification loss begin. The weight changes without a recompile. Epochs
    are counted over several calls of `fit` with one callback; at the end of each call λ is `weight`
    (0 after `end_epoch`), so that a saved model is not left with a part of it. The unweighted
    term is shown as `consistency` in the progress bar, the history and TensorBoard.

    Args:
        weight: λ.
        warmup_epochs: Epochs over which λ grows linearly from 0; see `weight_at_epoch`.
        end_epoch: First epoch without the term; `None` keeps it to the end.

    Raises:
        ValueError: At the start of training, if the model has no consistency term.

    Example:
        >>> model.fit(train, epochs=20, callbacks=[ConsistencyLoss(1.5, warmup_epochs=5)])
    """

    def __init__(self, weight: float = 1.5, warmup_epochs: int = 0, end_epoch: int | None = None):
        super().__init__()
        if weight < 0 or warmup_epochs < 0:
            raise ValueError(
                "Expected weight >= 0 and warmup_epochs >= 0. Received: "
                f"weight={weight}, warmup_epochs={warmup_epochs}"
            )
        self.weight = weight
        self.warmup_epochs = warmup_epochs
        self.end_epoch = end_epoch
        self._trained: keras.Model | None = None
        self._epochs = 0  # that this model has been trained for

    def on_train_begin(self, logs=None):
        """Check that there is a term to weigh."""
        if not hasattr(self.model, "consistency_weight"):
            raise ValueError(
                "ConsistencyLoss needs a model with a consistency term: a TwoStreamClassifier with "
                "a `consistency_weight` that is not None. Received: a "
                f"{type(self.model).__name__} without one; train it without this callback."
            )

    def on_epoch_begin(self, epoch, logs=None):
        """Set the weight of this epoch."""
        if self.model is not self._trained:
            self._trained, self._epochs = self.model, 0
        self._epochs = max(epoch, self._epochs)
        self._assign(self._epochs)

    def on_epoch_end(self, epoch, logs=None):
        """Count the epoch."""
        self._epochs += 1

    def on_train_end(self, logs=None):
        """Leave the weight that λ grows to."""
        self._assign(max(self._epochs, self.warmup_epochs))

    def _assign(self, epoch: int) -> None:
        value = weight_at_epoch(epoch, self.weight, self.warmup_epochs, self.end_epoch)
        self.model.consistency_weight.assign(value)


def weight_at_epoch(
    epoch: int, weight: float, warmup_epochs: int = 0, end_epoch: int | None = None
) -> float:
    """λ of an epoch (from 0): epoch / warmup_epochs of `weight`, then all of it, then 0."""
    if end_epoch is not None and epoch >= end_epoch:
        return 0.0
    if epoch < warmup_epochs:
        return weight * epoch / warmup_epochs
    return weight
