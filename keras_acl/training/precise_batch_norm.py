"""Running statistics of batch normalisation as means over many batches."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from keras_acl.models.compiled_call import CompiledCall
from keras_acl.system.distribution import of_all_processes
from keras_acl.system.keras_internals import all_layers


class PreciseBatchNorm(keras.callbacks.Callback):
    """Re-estimate the running statistics of batch normalisation before each validation.

    The running averages lag behind weights that still move. As PySlowFast does before it
    evaluates, forward passes in training mode over many batches give each layer the plain mean of
    its batch statistics.

    Args:
        data: Training batches: a `VideoDataset` or anything with `len` and `[]` whose items are
            batches, `(clips, ...)`. A `VideoDataset` is left where it was.
        batches: How many of them to use.

    Raises:
        ValueError: If `data` is empty or `batches` is not positive.
    """

    def __init__(self, data, batches: int = 200):
        super().__init__()
        if batches < 1 or not len(data):
            raise ValueError(
                "Expected at least one batch to estimate statistics from. Received: "
                f"batches={batches}, len(data)={len(data)}"
            )
        self.data = data
        self.batches = batches
        self._forward = None
        self._estimated = False

    def on_epoch_begin(self, epoch, logs=None):
        """Forget the estimate: the weights move."""
        self._estimated = False

    def on_test_begin(self, logs=None):
        """Estimate; called by `fit` before it validates."""
        self._estimate()

    def _estimate(self) -> None:
        if self._forward is None:
            self._forward = training_forward(self.model)
        with _borrowed_pass(self.data):
            precise_statistics(self._forward, self.data, self.batches)
        self._estimated = True

    def on_train_end(self, logs=None):
        """Estimate for weights that `fit` has replaced by their average; let what is compiled go.

        Where it validated, the estimate was of the average already.
        """
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of mixed_float16
        if optimizer.use_ema and not self._estimated:
            self._estimate()
        self._forward = None


@contextlib.contextmanager
def _borrowed_pass(data) -> Iterator[None]:
    """Let a data set read ahead as in `fit`; afterwards it stands where it stood."""
    if not hasattr(data, "set_epoch"):
        yield
        return
    epoch = data.epoch
    data.on_epoch_begin()
    try:
        yield
    finally:
        data.set_epoch(epoch)


def training_forward(model: keras.Model) -> CompiledCall:
    """A model's forward pass with `training=True`, of which one number is enough."""

    def mean_logit(clips):
        outputs = model(clips, training=True)
        mean = ops.mean(outputs["logits"] if isinstance(outputs, dict) else outputs)
        return ops.reshape(mean, (1,))  # of several replicas they are strung together

    return CompiledCall(mean_logit, [model], name="training_forward")


def precise_statistics(forward: keras.Model, data, batches: int) -> None:
    """Give every batch normalisation layer of `forward` the mean of its batch statistics.

    `forward` is a `training_forward`. One step moves a running value to
    `momentum · old + (1 − momentum) · batch`; started from zero it holds the batch's share alone,
    whatever the backend. Frozen layers keep theirs.
    """
    layers = [
        layer
        for layer in all_layers(forward)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    variables = [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
    momenta = [layer.momentum for layer in layers for _ in range(2)]
    if not variables:
        return
    before = [ops.convert_to_numpy(v).copy() for v in variables]  # torch hands out its own memory
    sums = [np.zeros(v.shape) for v in variables]
    count = min(batches, len(data))
    try:
        for index in range(count):
            for variable in variables:
                variable.assign(np.zeros(variable.shape))
            forward.predict_on_batch(of_all_processes(data[index][0]))
            for total, variable, momentum in zip(sums, variables, momenta, strict=True):
                total += ops.convert_to_numpy(variable) / (1 - momentum)
        before = [total / count for total in sums]
    finally:  # an interrupted estimate leaves the running averages as they were
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value.astype("float32"))
