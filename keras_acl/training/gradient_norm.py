"""The norm of the gradient, epoch by epoch."""

import logging
import math

import keras
from keras import ops

from keras_acl.training.optimizers import CoupledSGD

logger = logging.getLogger("keras_acl")

GROWTH = 100  # times the smallest norm so far: no training that goes well does that


class GradientNorm(keras.callbacks.Callback):
    """Log the norm of the gradient as `gradient_norm`, and warn once if it explodes.

    It is that of the last steps' mean, as momentum gathers it: (1 − m) ‖v‖ over all weights, weight
    decay included. So it costs nothing in a step, and needs an optimiser with momentum whose
    velocity holds gradients, as `keras_acl.optimizers.CoupledSGD`; with others nothing is logged.

    Example:
        >>> history = model.fit(train, callbacks=[GradientNorm()])
        >>> history.history["gradient_norm"]
    """

    def __init__(self):
        super().__init__()
        self._least: float | None = None
        self._warned = False

    def on_epoch_end(self, epoch, logs=None):
        """Measure, log and compare with the epochs before."""
        norm = gradient_norm(getattr(self.model, "optimizer", None))
        if norm is None:
            return
        if logs is not None:
            logs["gradient_norm"] = norm
        if self._least is not None and not norm <= GROWTH * self._least and not self._warned:
            self._warned = True
            logger.warning(
                "The norm of the gradient is %.3g after epoch %d; it was %.3g. Training explodes: "
                "lower the learning rate or the weight of the consistency term.",
                norm,
                epoch + 1,
                self._least,
            )
        if norm > 0 and math.isfinite(norm):
            self._least = norm if self._least is None else min(norm, self._least)


def gradient_norm(optimizer) -> float | None:
    """Norm of the mean gradient of the last steps; `None` if the optimiser does not gather it."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of mixed_float16
    if not isinstance(optimizer, CoupledSGD) or not optimizer.built or not optimizer.momentum:
        return None
    squares = [ops.sum(ops.square(ops.cast(v, "float32"))) for v in optimizer.momentums]
    return (1 - optimizer.momentum) * math.sqrt(sum(float(square) for square in squares))
