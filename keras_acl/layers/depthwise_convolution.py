"""A 3D convolution of each channel by itself, as 2D convolutions of the frames."""

import keras
from keras import ops

from keras_acl.layers.convolution import PaddedConv3D, explicit_padding


@keras.saving.register_keras_serializable(package="keras_acl")
class DepthwiseConv3D(PaddedConv3D):
    """Depthwise 3D convolution with explicit symmetric padding, on every backend.

    Keras has none. All slices of the kernel go over each frame in one depthwise 2D convolution; the
    results are added up, each shifted by its place in time.

    Args:
        kernel_size: Odd kernel sizes (T, H, W).
        strides: Strides (T, H, W), those in space alike.
        use_bias: Whether to add a bias.
        **kwargs: Name, dtype and the other arguments of every Keras layer.

    Input shape:
        `(batch, time, height, width, channels)`; height and width may be `None`.

    Output shape:
        `(batch, new_time, new_height, new_width, channels)`, sizes divided by the strides and
        rounded up.

    Raises:
        ValueError: For an even kernel, or other strides in height than in width.
    """

    def __init__(
        self,
        kernel_size: tuple[int, int, int],
        strides: tuple[int, int, int] = (1, 1, 1),
        use_bias: bool = False,
        **kwargs,
    ):
        if strides[1] != strides[2]:
            raise ValueError(f"Expected strides alike in space. Received: strides={strides}")
        # Each output sees one channel, so that the fan-in keeps the scale of activations.
        start = keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")
        super().__init__(
            1, kernel_size, strides, use_bias, "native", kernel_initializer=start, **kwargs
        )
        self._convolve = self._convolve_channels

    def build(self, input_shape):
        """Create the kernel (T, H, W, 1, channels) and the bias."""
        self.filters = input_shape[-1]
        super().build((*input_shape[:-1], 1))

    def _convolve_channels(self, x, kernel):
        taps, height, width = self.kernel_size
        frames, channels = x.shape[1], self.filters
        x = ops.reshape(x, (-1, *ops.shape(x)[2:]))  # (B·T, H, W, C)
        pads = [explicit_padding(size) for size in (height, width)]
        if any(pads):
            x = ops.pad(x, [(0, 0), *[(pad, pad) for pad in pads], (0, 0)])
        kernel = ops.transpose(kernel[:, :, :, 0], (1, 2, 3, 0))  # (H, W, C, taps)
        x = ops.depthwise_conv(
            x, kernel, self.strides[1], padding="valid", data_format="channels_last"
        )
        # Five dimensions, as LiteRT pads no more: the taps of a channel stand side by side.
        x = ops.reshape(x, (-1, frames, *ops.shape(x)[1:3], channels * taps))
        before = explicit_padding(taps)
        if before:
            x = ops.pad(x, [(0, 0), (before, before), *[(0, 0)] * 3])
        stride = self.strides[0]
        return sum(x[:, tap : tap + frames : stride, ..., tap::taps] for tap in range(taps))

    def compute_output_shape(self, input_shape):
        """Sizes shrink by the strides alone, rounded up."""
        return (*super().compute_output_shape(input_shape)[:-1], input_shape[-1])

    def get_config(self):
        """Arguments of the constructor."""
        config = super().get_config()
        for name in ("filters", "form", "kernel_initializer", "padding", "groups"):
            del config[name]
        return config
