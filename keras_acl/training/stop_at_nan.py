"""Training that went wrong, stopped at the step."""

import logging
import math

import keras

logger = logging.getLogger("keras_acl")


class StopAtNaN(keras.callbacks.TerminateOnNaN):
    """Stop training at the step whose loss is NaN or infinite, and say which and at what rate.

    Keras' `TerminateOnNaN` prints the batch alone. `ResumableCheckpoint` keeps the state of the
    last epoch that was none the worse.

    Example:
        >>> model.fit(train, callbacks=[StopAtNaN()])
    """

    def __init__(self):
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Note the epoch for what may have to be said."""
        self._epoch = epoch

    def on_batch_end(self, batch, logs=None):
        """Look at the loss so far: the mean of an epoch stays NaN once a step was."""
        loss = float((logs or {}).get("loss", 0.0))
        if math.isfinite(loss):
            return
        self.model.stop_training = True
        logger.warning(
            "The loss is %s from step %d of epoch %d on, at a learning rate of %.3g: "
            "training stops.",
            loss,
            batch + 1,
            self._epoch + 1,
            float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
        )
