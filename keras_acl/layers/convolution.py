"""One convolution layer, two forms, one set of weights."""

import math

import keras
import numpy as np
from keras import ops

from keras_acl.system.devices import (
    compiles_random_draws,
    convolves_in_groups,
    prefers_2d_convolutions,
    tensorflow,
)

_FORMS = ("auto", "native", "2d")
_PADDINGS = ("symmetric", "same")


def explicit_padding(kernel_size: int) -> int:
    """Zeros on each side that keep an odd kernel centred, whatever the stride (torch's habit)."""
    return kernel_size // 2


@keras.saving.register_keras_serializable(package="keras_acl")
class PaddedConv3D(keras.layers.Layer):
    """3D convolution with explicit symmetric padding, computed natively or in 2D.

    `padding="same"` with stride 2 pads even sizes on one side only and shifts every feature by half
    a pixel against the reference implementations; this layer pads `kernel // 2` on both sides.

    A separable kernel (1×k×k or k×1×1) is a 2D convolution over (B·T, H, W) or (B, T, H·W). A
    k×k×k kernel is a 2D convolution of every frame with all k slices of the kernel, whose results
    are added up, each shifted by its place in time. Both forms use the same weights and give the
    same numbers but for rounding; which one is faster depends on backend and device, so the layer
    chooses.

    Args:
        filters: Number of output channels.
        kernel_size: Kernel sizes (T, H, W), odd unless the padding is `"same"`.
        strides: Strides (T, H, W).
        use_bias: Whether to add a bias. Off, as batch normalisation follows.
        form: `"native"` (3D), `"2d"`, or `"auto"`: separable kernels in 2D on the JAX backend and
            k×1×1 kernels in bfloat16, native elsewhere.
        kernel_initializer: Defaults to Kaiming normal, fan-out.
        padding: `"symmetric"`, `kernel // 2` on both sides; or `"same"`, TensorFlow's, whose sides
            depend on the size: for networks that were trained with it.
        groups: Groups of channels that see nothing of each other. Where the backend's own grouped
            convolutions fail or are slow, and in 2D, each group is convolved by itself.
        **kwargs: Name, dtype and the other arguments of every Keras layer.

    Input shape:
        `(batch, time, height, width, channels)`; height and width may be `None`.

    Output shape:
        `(batch, new_time, new_height, new_width, filters)`; each size is divided by its stride and
        rounded up.

    Attributes:
        constant_kernel: Whether functions compiled by TensorFlow get the kernel as a constant, the
            value of the time when they are traced. TensorFlow brings a constant into the order
            that its convolution wants once, a variable at every call. Not saved with the layer.

    Raises:
        ValueError: For an even kernel, an unknown form or padding, or filters or channels that the
            groups do not divide.

    Example:
        >>> layer = PaddedConv3D(8, kernel_size=(1, 3, 3), strides=(1, 2, 2))
        >>> layer(keras.ops.ones((2, 4, 16, 16, 3))).shape
        (2, 4, 8, 8, 8)
    """

    constant_kernel = False

    def __init__(
        self,
        filters: int,
        kernel_size: tuple[int, int, int],
        strides: tuple[int, int, int] = (1, 1, 1),
        use_bias: bool = False,
        form: str = "auto",
        kernel_initializer=None,
        padding: str = "symmetric",
        groups: int = 1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if padding == "symmetric" and any(k % 2 == 0 for k in kernel_size):
            raise ValueError(f"Expected odd kernel sizes. Received: kernel_size={kernel_size}")
        if form not in _FORMS:
            raise ValueError(f"Expected `form` to be one of {_FORMS}. Received: form={form!r}")
        if padding not in _PADDINGS:
            raise ValueError(
                f"Expected `padding` to be one of {_PADDINGS}. Received: padding={padding!r}"
            )
        _check_groups(groups, filters=filters)
        separable = kernel_size[0] == 1 or tuple(kernel_size[1:]) == (1, 1)
        self.filters = filters
        self.kernel_size = tuple(kernel_size)
        self.strides = tuple(strides)
        self.use_bias = use_bias
        self.form = form
        self.padding = padding
        self.groups = groups
        self.kernel_initializer = keras.initializers.get(kernel_initializer or KaimingNormal())
        lowered = form == "2d" or (form == "auto" and separable and self._prefers_2d())
        self._convolve = self._convolve_native
        if lowered:
            self._convolve = self._convolve_2d if separable else self._convolve_slices
        self._split = groups > 1 and (lowered or not convolves_in_groups())

    def _prefers_2d(self) -> bool:
        # TensorFlow's bfloat16 filter gradient of k×1×1 reads uninitialised memory on the CPU: NaN.
        # A layer with a bias is folded: for inference only.
        unsafe = self.kernel_size[0] > 1 and self.compute_dtype == "bfloat16" and not self.use_bias
        return prefers_2d_convolutions() or unsafe

    def build(self, input_shape):
        """Create the kernel (T, H, W, in / groups, out) and the bias."""
        _check_groups(self.groups, channels=input_shape[-1])
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, input_shape[-1] // self.groups, self.filters),
            initializer=self.kernel_initializer,
        )
        self.bias = (
            self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
            if self.use_bias
            else None
        )

    def call(self, inputs):
        """Convolve a batch of frame sequences."""
        kernel = self.read_kernel()
        if self._split:
            parts = (ops.split(each, self.groups, axis=-1) for each in (inputs, kernel))
            convolved = [self._convolve(*part) for part in zip(*parts, strict=True)]
            x = ops.concatenate(convolved, axis=-1)
        else:
            x = self._convolve(inputs, kernel)
        if self.bias is None:
            return x
        # By its own name TensorFlow makes one operation of it with the convolution before it and
        # the sum and activation behind it.
        tf, bias = tensorflow(), ops.convert_to_tensor(self.bias)
        return x + bias if tf is None else tf.nn.bias_add(x, bias)

    def read_kernel(self):
        """The kernel; as a constant in functions of TensorFlow, if it is to be."""
        tf = tensorflow()
        if not self.constant_kernel or tf is None or tf.executing_eagerly():
            return self.kernel
        with tf.init_scope():  # outside the graph that is being traced
            value = keras.ops.convert_to_numpy(self.kernel)
        return tf.constant(value)

    def _convolve_native(self, x, kernel):
        return self._convolve_padded(x, kernel, self.strides)

    def _convolve_2d(self, x, kernel):
        filters = kernel.shape[-1]
        temporal, *spatial = self.strides
        if self.kernel_size[0] == 1:
            x = x[:, ::temporal] if temporal > 1 else x
            _, frames, height, width, channels = ops.shape(x)
            x = ops.reshape(x, (-1, height, width, channels))  # (B·T, H, W, C)
            x = self._convolve_padded(x, kernel[0], tuple(spatial))
            _, height, width, _ = ops.shape(x)
            return ops.reshape(x, (-1, frames, height, width, filters))
        x = x[:, :, :: spatial[0], :: spatial[1]] if spatial != [1, 1] else x
        _, frames, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (-1, frames, height * width, channels))  # (B, T, H·W, C)
        x = self._convolve_padded(x, kernel[:, 0], (temporal, 1))
        return ops.reshape(x, (-1, ops.shape(x)[1], height, width, filters))

    def _convolve_slices(self, x, kernel):
        """Σ_i of kernel slice i on frame s·t + i - k // 2, all slices in one 2D convolution."""
        taps, *window = self.kernel_size
        filters = kernel.shape[-1]
        _, frames, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (-1, height, width, channels))  # (B·T, H, W, C)
        kernel = ops.transpose(kernel, (1, 2, 3, 0, 4))
        kernel = ops.reshape(kernel, (*window, channels, taps * filters))
        x = self._convolve_padded(x, kernel, self.strides[1:])
        _, height, width, _ = ops.shape(x)
        x = ops.reshape(x, (-1, frames, height, width, taps * filters))
        stride = self.strides[0]
        last = (-(-frames // stride) - 1) * stride + 1  # of the frames that a slice meets
        before = after = explicit_padding(taps)
        if self.padding == "same":
            around = max(last - 1 + taps - frames, 0)
            before, after = around // 2, around - around // 2
        x = ops.pad(x, [(0, 0), (before, after), (0, 0), (0, 0), (0, 0)])
        parts = [slice(i * filters, (i + 1) * filters) for i in range(taps)]
        return sum(x[:, i : i + last : stride, ..., part] for i, part in enumerate(parts))

    def _convolve_padded(self, x, kernel, strides: tuple[int, ...]):
        if self.padding == "same":
            return ops.conv(x, kernel, strides, padding="same", data_format="channels_last")
        return _padded_conv(x, kernel, strides)

    def compute_output_shape(self, input_shape):
        """Sizes shrink by the strides alone, rounded up."""
        sizes = [
            None if size is None else -(-size // stride)
            for size, stride in zip(input_shape[1:4], self.strides, strict=True)
        ]
        return (input_shape[0], *sizes, self.filters)

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "use_bias": self.use_bias,
            "form": self.form,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "padding": self.padding,
            "groups": self.groups,
        }


@keras.saving.register_keras_serializable(package="keras_acl")
class KaimingNormal(keras.initializers.VarianceScaling):
    """Normally distributed kernels of variance 2 / fan-out, as the reference implementations start.

    Args:
        seed: Seed of the draw; `None` for another one each time.
    """

    def __init__(self, seed: int | None = None):
        super().__init__(2.0, "fan_out", "untruncated_normal", seed)

    def __call__(self, shape, dtype=None):
        """Draw a kernel `(..., in, out)`."""
        if not compiles_random_draws() or not isinstance(self.seed, int):
            return super().__call__(shape, dtype)
        deviation = math.sqrt(2 / (math.prod(shape[:-2]) * shape[-1]))
        values = np.random.default_rng(self.seed).normal(0, deviation, shape).astype("float32")
        return ops.convert_to_tensor(values, dtype)

    def get_config(self):
        """Arguments of the constructor."""
        return {"seed": super().get_config()["seed"]}


def _check_groups(groups: int, **channels: int) -> None:
    """Refuse groups that do not divide channels."""
    ((name, count),) = channels.items()
    if groups < 1 or count % groups:
        raise ValueError(
            f"Expected `groups` to divide the {count} {name}. Received: groups={groups}"
        )


def _padded_conv(x, kernel, strides: tuple[int, ...]):
    """Convolve in as many dimensions as there are strides."""
    if set(strides) == {1}:  # then "same" is symmetric
        return ops.conv(x, kernel, padding="same", data_format="channels_last")
    pads = [explicit_padding(k) for k in kernel.shape[: len(strides)]]
    if any(pads):
        x = ops.pad(x, [(0, 0), *[(p, p) for p in pads], (0, 0)])
    return ops.conv(x, kernel, strides=strides, padding="valid", data_format="channels_last")
