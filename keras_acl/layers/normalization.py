"""Batch normalisation over a fixed number of clips."""

import contextlib
import contextvars
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from keras_acl.system.devices import tensorflow

_kept = contextvars.ContextVar("kept", default=False)


@contextlib.contextmanager
def running_statistics_kept(kept: bool = True) -> Iterator[None]:
    """Within it, training normalises by the batch's statistics and leaves the running ones alone.

    For another pass of the same network over other inputs, such as a smaller scale.
    """
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)


def are_running_statistics_kept() -> bool:
    """Whether `running_statistics_kept` is in force."""
    return _kept.get()


def check_clips_per_group(count: int | None) -> None:
    """Refuse a size of groups that is none.

    Raises:
        ValueError: If it is neither None nor a whole number from 1 on.
    """
    if count is None:
        return
    whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
    if not whole or count < 1:
        raise ValueError(
            "Expected `clips_per_group` to be None, for the whole batch, or a whole number from 1 "
            f"on, such as 8. Received: clips_per_group={count!r}"
        )


@keras.saving.register_keras_serializable(package="keras_acl")
class ClipBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation with the networks' constants, over groups of clips on request.

    The published networks normalise over the 8 clips of one GPU. `clips_per_group` keeps that
    when one device, or one XLA program over many devices, holds a larger batch: each group is
    normalised by its own statistics, the running ones move to the groups' average. Where the
    batch size is not known when the graph is built, or is no multiple, the whole batch is one
    group; under `tf.distribute` every replica is one anyway.

    The running statistics are constants to a gradient, on JAX too, where assigning keeps what a
    value depends on: another pass on them, such as that of a smaller scale, says nothing of the
    batch that moved them.

    Args:
        clips_per_group: Clips that share statistics; `None` for the whole batch.
        momentum: 0.9 (0.1 in torch's sense).
        epsilon: 1e-5.
        **kwargs: The other arguments of `keras.layers.BatchNormalization`, but for the last axis,
            which is that of the channels.

    Raises:
        ValueError: For another axis, groups of no clip, or statistics shared or renormalised in
            Keras' ways.

    Input shape:
        `(batch, ..., channels)`.

    Output shape:
        Shape of the input.
    """

    def __init__(self, clips_per_group: int | None = None, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)
        if self.axis != -1 or self.synchronized or self.renorm:
            raise ValueError(
                "Expected axis=-1, synchronized=False and renorm=False. Received: "
                f"axis={self.axis}, synchronized={self.synchronized}, renorm={self.renorm}"
            )
        check_clips_per_group(clips_per_group)
        self.clips_per_group = clips_per_group

    def call(self, inputs, training=None, mask=None):
        """Normalise; in training by the statistics of each group."""
        size, batch = self.clips_per_group, inputs.shape[0]
        grouped = size and batch and batch > size and batch % size == 0
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        if not grouped and self.compute_dtype != "float64" and tensorflow() is not None:
            return self._call_fused(inputs)
        if not (grouped or _kept.get()):
            outputs = super().call(inputs, training=training, mask=mask)
            for moved in (self.moving_mean, self.moving_variance):
                moved.assign(ops.stop_gradient(moved.value))
            return outputs
        shape = ops.shape(inputs)
        groups = batch // size if grouped else 1
        x = ops.reshape(inputs, (groups, -1, *shape[1:]))  # (G, B/G, ..., C)
        x = ops.cast(x, "float32")
        mean, variance = ops.moments(x, axes=tuple(range(1, x.ndim - 1)), keepdims=True)
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        x = (x - mean) * ops.rsqrt(variance + self.epsilon)
        if self.scale:
            x = x * ops.cast(self.gamma, x.dtype)
        if self.center:
            x = x + ops.cast(self.beta, x.dtype)
        return ops.cast(ops.reshape(x, shape), self.compute_dtype)

    def _call_fused(self, inputs):
        """TensorFlow's one operation each way instead of Keras' twenty."""
        tf = tensorflow()
        shape, channels = tf.shape(inputs), inputs.shape[-1]
        x = tf.reshape(inputs, (1, 1, -1, channels))  # the operation wants four axes
        values, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x,
            self.gamma if self.scale else tf.ones(channels),
            self.beta if self.center else tf.zeros(channels),
            epsilon=self.epsilon,
        )
        count = tf.cast(tf.size(inputs) // channels, variance.dtype)
        biased = variance * (count - 1) / count
        self._move(self.moving_mean, mean[None])
        self._move(self.moving_variance, biased[None])
        return tf.ensure_shape(tf.reshape(values, shape), inputs.shape)

    def _move(self, variable, group_statistics):
        if _kept.get():
            return
        average = ops.reshape(ops.mean(group_statistics, axis=0), variable.shape)
        value = variable * self.momentum + ops.cast(average, variable.dtype) * (1 - self.momentum)
        variable.assign(ops.stop_gradient(value))

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "clips_per_group": self.clips_per_group}
