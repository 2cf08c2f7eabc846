"""Pools over space and time, padded as the reference implementations do."""

import functools
from collections.abc import Callable

import keras
from keras import ops

Size = tuple[int, int, int]


class _PaddedPooling3D(keras.layers.Layer):
    """What both pools share: padding, and frames folded into the batch, so that pooling is 2D."""

    ceil_mode = False
    named_paddings: tuple[str, ...] = ()
    # What a kind of pool does: pool (B, H, W, C); make one frame of a list, those of a window.
    pool_frames: Callable
    join: Callable

    def __init__(
        self,
        pool_size: Size = (1, 3, 3),
        strides: Size = (1, 2, 2),
        padding: Size | str | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if isinstance(padding, str) and padding not in self.named_paddings:
            raise ValueError(
                f"Expected `padding` to be {' or '.join(('sizes', *self.named_paddings))}. "
                f"Received: padding={padding!r}"
            )
        self.pool_size, self.strides = tuple(pool_size), tuple(strides)
        half = tuple(size // 2 for size in pool_size)
        self.padding: tuple[int, ...] | str = (
            padding if isinstance(padding, str) else tuple(padding or half)
        )

    def _pads(self, frames: int) -> list[tuple[int, int]]:
        """Zeros before and behind, (T, H, W); in space "same" is left to the backend."""
        if isinstance(self.padding, str):
            taps, stride = self.pool_size[0], self.strides[0]
            around = max((-(-frames // stride) - 1) * stride + taps - frames, 0)
            return [(around // 2, around - around // 2), (0, 0), (0, 0)]
        more = [stride - 1 if self.ceil_mode else 0 for stride in self.strides]
        return [(pad, pad + extra) for pad, extra in zip(self.padding, more, strict=True)]

    def call(self, inputs):
        """Pool every frame, then the frames."""
        taps, stride = self.pool_size[0], self.strides[0]
        _, frames, height, width, channels = ops.shape(inputs)
        in_time, *in_space = self._pads(frames)
        x = ops.reshape(inputs, (-1, height, width, channels))  # (B·T, H, W, C)
        if any(map(any, in_space)):
            x = ops.pad(x, [(0, 0), *in_space, (0, 0)])
        if self.pool_size[1:] != (1, 1) or self.strides[1:] != (1, 1):
            x = self.pool_frames(x)
        _, height, width, _ = ops.shape(x)
        x = ops.reshape(x, (-1, frames, height, width, channels))
        if any(in_time):
            x = ops.pad(x, [(0, 0), in_time, (0, 0), (0, 0), (0, 0)])
        last = frames + sum(in_time) - taps + 1
        return self.join([x[:, tap : tap + last : stride] for tap in range(taps)])

    def compute_output_shape(self, input_shape):
        """Sizes of what the windows that fit make."""
        batch, *sizes, channels = input_shape
        if self.padding == "same":
            pooled = [
                None if size is None else -(-size // stride)
                for size, stride in zip(sizes, self.strides, strict=True)
            ]
            return (batch, *pooled, channels)
        pooled = [
            None if size is None else (size + sum(pads) - window) // stride + 1
            for size, pads, window, stride in zip(
                sizes, self._pads(sizes[0]), self.pool_size, self.strides, strict=True
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
class PaddedMaxPooling3D(_PaddedPooling3D):
    """Max pooling, padded on both sides as the reference implementations do.

    By default the pool of a ResNet stem, 1×3×3 with stride (1, 2, 2), padded by one pixel. Frames
    are folded into the batch: pooling is 2D, and over time it is a maximum of shifted frames.
    Inputs follow a ReLU, so padding with zeros equals the padding with −∞ of the references.

    Args:
        pool_size: Sizes (T, H, W).
        strides: Strides (T, H, W).
        padding: Zeros (T, H, W) on each side; `None` for half of each size, rounded down; `"same"`
            for TensorFlow's, whose sides depend on the size.
        ceil_mode: Whether a window may stand over the far edge, as torch's and Caffe's `ceil_mode`.
        **kwargs: Name, dtype and the other arguments of every Keras layer.

    Input shape:
        `(batch, time, height, width, channels)`, values ≥ 0.

    Output shape:
        `(batch, new_time, new_height, new_width, channels)`, sizes rounded as in torch.

    Raises:
        ValueError: For a padding of another name.
    """

    named_paddings = ("same",)

    def __init__(
        self,
        pool_size: Size = (1, 3, 3),
        strides: Size = (1, 2, 2),
        padding: Size | str | None = None,
        ceil_mode: bool = False,
        **kwargs,
    ):
        super().__init__(pool_size, strides, padding, **kwargs)
        self.ceil_mode = ceil_mode

    def pool_frames(self, x):
        """Pool (B, H, W, C)."""
        padding = "same" if self.padding == "same" else "valid"
        return ops.max_pool(
            x, self.pool_size[1:], self.strides[1:], padding=padding, data_format="channels_last"
        )

    def join(self, frames: list):
        """The maximum of the frames of a window."""
        return functools.reduce(ops.maximum, frames)

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "ceil_mode": self.ceil_mode}


@keras.saving.register_keras_serializable(package="keras_acl")
class PaddedAveragePooling3D(_PaddedPooling3D):
    """Average pooling; zeros of the padding count, as in torch and Caffe.

    Args:
        pool_size: Sizes (T, H, W).
        strides: Strides (T, H, W).
        padding: Zeros (T, H, W) on each side; `None` for half of each size, rounded down.
        **kwargs: Name, dtype and the other arguments of every Keras layer.

    Input shape:
        `(batch, time, height, width, channels)`.

    Output shape:
        `(batch, new_time, new_height, new_width, channels)`, sizes rounded as in torch.
    """

    def pool_frames(self, x):
        """Pool (B, H, W, C)."""
        return ops.average_pool(
            x, self.pool_size[1:], self.strides[1:], padding="valid", data_format="channels_last"
        )

    def join(self, frames: list):
        """The mean of the frames of a window."""
        return functools.reduce(ops.add, frames) / len(frames) if len(frames) > 1 else frames[0]


@keras.saving.register_keras_serializable(package="keras_acl")
class AveragePairs(keras.layers.Layer):
    """Averages of two in each of time, height and width; the last of an odd size stays alone.

    Frames are folded into the batch, as in `PaddedMaxPooling3D`.

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
