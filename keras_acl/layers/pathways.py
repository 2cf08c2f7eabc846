"""Split one clip into the frames of the two streams."""

import keras
import numpy as np
from keras import ops

_METHODS = ("linspace", "stride")


def slow_frame_indices(frames: int, speed_ratio: int, method: str = "linspace") -> np.ndarray:
    """Which frames of the clip the spatial stream sees.

    Args:
        frames: Frames of the clip (T).
        speed_ratio: α; the spatial stream sees `frames // α` of them.
        method: `"linspace"`: evenly from the first to the last frame, truncated to whole numbers
            (PySlowFast, PyTorchVideo: [0, 10, 20, 31] for 32 frames and α = 8); `"stride"`: every
            α-th frame (MMAction2: [0, 8, 16, 24]).

    Returns:
        Increasing indices, int64, of shape `(frames // α,)`.

    Raises:
        ValueError: If `frames` is not a multiple of α, or the method is unknown.
    """
    if speed_ratio < 1 or frames % speed_ratio:
        raise ValueError(
            "The clip must hold a whole number of spatial-stream frames: expected `frames` to be "
            f"a multiple of `speed_ratio`. Received: frames={frames}, speed_ratio={speed_ratio}"
        )
    if method == "linspace":
        return np.linspace(0, frames - 1, frames // speed_ratio).astype(np.int64)
    if method == "stride":
        return np.arange(0, frames, speed_ratio)
    raise ValueError(f"Expected `method` to be one of {_METHODS}. Received: {method!r}")


@keras.saving.register_keras_serializable(package="keras_acl")
class PackPathways(keras.layers.Layer):
    """Give the spatial stream T/α frames of the clip and the temporal stream all T (section 3.1).

    Args:
        speed_ratio: α, how many times fewer frames the spatial stream sees.
        method: How its frames are chosen; see `slow_frame_indices`.
        **kwargs: Name, dtype and the other arguments of every Keras layer.

    Input shape:
        `(batch, T, height, width, channels)`.

    Output shape:
        Two tensors, `(batch, T // α, height, width, channels)` and the input itself.

    Raises:
        ValueError: If T is not a multiple of α.

    Example:
        >>> slow, fast = PackPathways(speed_ratio=8)(keras.ops.zeros((1, 32, 64, 64, 3)))
        >>> slow.shape, fast.shape
        ((1, 4, 64, 64, 3), (1, 32, 64, 64, 3))
    """

    def __init__(self, speed_ratio: int = 8, method: str = "linspace", **kwargs):
        super().__init__(**kwargs)
        if method not in _METHODS:
            raise ValueError(f"Expected `method` to be one of {_METHODS}. Received: {method!r}")
        self.speed_ratio = speed_ratio  # α
        self.method = method
        self.built = True  # it has no weights

    def call(self, inputs):
        """Return (slow, fast)."""
        indices = slow_frame_indices(inputs.shape[1], self.speed_ratio, self.method)
        return ops.take(inputs, indices, axis=1), inputs

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "speed_ratio": self.speed_ratio, "method": self.method}
