"""Pools of frame sequences, as 2D pools of the frames."""

import functools

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_acl")
class PaddedMaxPooling3D(keras.layers.Layer):
    """Max pooling, padded on both sides as the reference implementations do.

    By default the pool of a ResNet stem, 1×3×3 with stride (1, 2, 2), padded by one pixel. Frames
    are folded into the batch: pooling is 2D, and over time it is a maximum of shifted frames.
    Inputs follow a ReLU, so padding with zeros equals the padding with −∞ of the references.

    Args:
        pool_size: Sizes (T, H, W).
        strides: Strides (T, H, W).
        padding: Zeros (T, H, W) on each side; `None` for half of each size, rounded down.
        **kwargs: Name, dtype and the other arguments of every Keras layer.

    Input shape:
        `(batch, time, height, width, channels)`, values ≥ 0.

    Output shape:
        `(batch, new_time, new_height, new_width, channels)`, sizes rounded down as in torch.
    """

    def __init__(
        self,
        pool_size: tuple[int, int, int] = (1, 3, 3),
        strides: tuple[int, int, int] = (1, 2, 2),
        padding: tuple[int, int, int] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.pool_size, self.strides = tuple(pool_size), tuple(strides)
        self.padding = tuple(padding or (size // 2 for size in pool_size))

    def call(self, inputs):
        """Pool every frame, then the frames."""
        taps, stride, before = self.pool_size[0], self.strides[0], self.padding[0]
        window, spatial, pads = self.pool_size[1:], self.strides[1:], self.padding[1:]
        _, frames, height, width, channels = ops.shape(inputs)
        x = ops.reshape(inputs, (-1, height, width, channels))  # (B·T, H, W, C)
        if any(pads):
            x = ops.pad(x, [(0, 0), *[(pad, pad) for pad in pads], (0, 0)])
        if window != (1, 1) or spatial != (1, 1):
            x = ops.max_pool(x, window, spatial, padding="valid", data_format="channels_last")
        _, height, width, _ = ops.shape(x)
        x = ops.reshape(x, (-1, frames, height, width, channels))
        if before:
            x = ops.pad(x, [(0, 0), (before, before), (0, 0), (0, 0), (0, 0)])
        last = frames + 2 * before - taps + 1
        shifted = [x[:, tap : tap + last : stride] for tap in range(taps)]
        return functools.reduce(ops.maximum, shifted)

    def compute_output_shape(self, input_shape):
        """Sizes of what the windows that fit make."""
        batch, *sizes, channels = input_shape
        pooled = [
            None if size is None else (size + 2 * pad - window) // stride + 1
            for size, pad, window, stride in zip(
                sizes, self.padding, self.pool_size, self.strides, strict=True
            )
        ]
        return (batch, *pooled, channels)

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
        }


@keras.saving.register_keras_serializable(package="keras_acl")
class AveragePairs(keras.layers.Layer):
    """Averages of two in each of time, height and width; the last of an odd size stays alone.

    Frames are folded into the batch, as in `PaddedMaxPooling3D`.

    Args:
        **kwargs: Name, dtype and the other arguments of every Keras layer.

    Input shape:
        `(batch, time, height, width, channels)`; height and width may be `None`.

    Output shape:
        `(batch, time / 2, height / 2, width / 2, channels)`, sizes rounded up.
    """

    def call(self, inputs):
        """Pool every frame, then the frames."""
        _, frames, height, width, channels = ops.shape(inputs)
        x = ops.reshape(inputs, (-1, height, width, channels))  # (B·T, H, W, C)
        x = ops.average_pool(x, 2, 2, padding="same", data_format="channels_last")
        _, height, width, _ = ops.shape(x)
        x = ops.reshape(x, (-1, frames, height, width, channels))
        first, second = x[:, ::2], x[:, 1::2]
        if frames % 2:
            second = ops.concatenate([second, x[:, -1:]], axis=1)
        return (first + second) / 2

    def compute_output_shape(self, input_shape):
        """Sizes are halved, rounded up."""
        batch, *sizes, channels = input_shape
        return (batch, *(None if size is None else -(-size // 2) for size in sizes), channels)
