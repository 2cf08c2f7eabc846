import itertools

import keras
import numpy as np
import pytest
from harness import check_layer, gradients, to_numpy
from keras import ops

from keras_acl.layers import PaddedConv3D, PaddedMaxPooling3D
from keras_acl.layers.convolution import KaimingNormal

pytestmark = pytest.mark.backends

GRID = np.arange(1, 17, dtype="float32").reshape(1, 1, 4, 4, 1)  # 1 … 16, one frame


def convolve(x, kernel, strides=(1, 1, 1), form="auto", bias=None, padding="symmetric"):
    """PaddedConv3D with a given kernel (T, H, W) or (T, H, W, in, out)."""
    kernel = np.asarray(kernel, "float32")
    kernel = kernel[..., None, None] if kernel.ndim == 3 else kernel
    size, has_bias = kernel.shape[:3], bias is not None
    layer = PaddedConv3D(kernel.shape[-1], size, strides, has_bias, form, padding=padding)
    layer.build(x.shape)
    layer.set_weights([kernel] if bias is None else [kernel, np.asarray(bias, "float32")])
    return to_numpy(layer(x))


@pytest.mark.parametrize("form", ["native", "2d"])
def test_strided_spatial_kernel_is_centred_on_even_pixels(form):
    kernel = [[[1, 0, 0], [0, 10, 0], [0, 0, 100]]]
    out = convolve(GRID, kernel, (1, 2, 2), form)
    # Centres 1, 3, 9, 11; ten times each, plus the pixel below right times 100, above left once.
    np.testing.assert_array_equal(out[0, 0, ..., 0], [[610, 830], [1490, 1716]])


def test_keras_same_padding_is_centred_on_odd_pixels():
    # What explicit padding is for: at even sizes Keras' "same" samples other pixels.
    kernel = np.zeros((3, 3, 1, 1), "float32")
    kernel[1, 1] = 1
    same = ops.conv(GRID[:, 0], kernel, strides=2, padding="same", data_format="channels_last")
    np.testing.assert_array_equal(to_numpy(same)[0, ..., 0], [[6, 8], [14, 16]])
    ours = convolve(GRID, kernel[None], (1, 2, 2))
    np.testing.assert_array_equal(ours[0, 0, ..., 0], [[1, 3], [9, 11]])


@pytest.mark.parametrize("form", ["native", "2d"])
@pytest.mark.parametrize(
    ("stride", "expected"), [(1, [210, 321, 432, 43]), (2, [210, 432]), (4, [210])]
)
def test_temporal_kernel(form, stride, expected):
    x = np.arange(1, 5, dtype="float32").reshape(1, 4, 1, 1, 1)
    out = convolve(x, np.reshape([1, 10, 100], (3, 1, 1)), (stride, 1, 1), form)
    np.testing.assert_array_equal(out.ravel(), expected)


@pytest.mark.parametrize("form", ["native", "2d"])
def test_temporal_stride_of_the_lateral_connection(form):
    x = np.arange(1, 9, dtype="float32").reshape(1, 8, 1, 1, 1)
    out = convolve(x, np.reshape([1, 10, 100, 1000, 10000], (5, 1, 1)), (4, 1, 1), form)
    np.testing.assert_array_equal(out.ravel(), [32100, 76543])


@pytest.mark.parametrize("form", ["native", "2d"])
@pytest.mark.parametrize(("strides", "expected"), [((1, 1, 1), [810, 81]), ((1, 2, 2), [810, 50])])
def test_true_3d_kernel(strides, expected, form):
    x = np.arange(1, 9, dtype="float32").reshape(1, 2, 2, 2, 1)
    kernel = np.zeros((3, 3, 3))
    kernel[0, 0, 0], kernel[1, 1, 1], kernel[2, 2, 2] = 1, 10, 100
    out = convolve(x, kernel, strides, form)
    assert [out[0, 0, 0, 0, 0], out[0, -1, -1, -1, 0]] == expected


@pytest.mark.parametrize("form", ["native", "2d"])
def test_channels_and_bias(form):
    x = np.reshape([5.0, 6.0], (1, 1, 1, 1, 2)).astype("float32")
    kernel = np.reshape([[1, 2], [3, 4]], (1, 1, 1, 2, 2))
    out = convolve(x, kernel, form=form, bias=[100, 200])
    np.testing.assert_array_equal(out.ravel(), [123, 234])


@pytest.mark.parametrize(
    ("kernel_size", "strides"),
    [
        *itertools.product([(1, 3, 3)], [(1, 1, 1), (1, 2, 2), (2, 2, 1)]),
        *itertools.product([(3, 1, 1)], [(1, 1, 1), (2, 1, 1), (2, 2, 2)]),
        ((1, 1, 1), (1, 2, 2)),
        *itertools.product([(3, 3, 3), (5, 7, 7)], [(1, 1, 1), (1, 2, 2), (2, 2, 2)]),
    ],
)
@pytest.mark.parametrize("padding", ["symmetric", "same"])
def test_both_forms_agree(kernel_size, strides, padding):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 5, 6, 3)).astype("float32")
    kernel = rng.normal(size=(*kernel_size, 3, 4))
    native, lowered = (
        convolve(x, kernel, strides, form, padding=padding) for form in ("native", "2d")
    )
    assert native.shape == lowered.shape
    np.testing.assert_allclose(native, lowered, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernel_size", [(1, 3, 3), (3, 1, 1), (5, 7, 7), (1, 1, 1)])
@pytest.mark.parametrize("size", [7, 8])
def test_sizes_shrink_by_the_strides_alone(kernel_size, size):
    layer = PaddedConv3D(2, kernel_size, (1, 2, 2))
    expected = (1, 4, 4, 4, 2)  # 7 and 8 both become 4
    assert layer(np.zeros((1, 4, size, size, 3), "float32")).shape == expected
    assert layer.compute_output_shape((1, 4, size, size, 3)) == expected
    assert layer.compute_output_shape((None, 4, None, None, 3)) == (None, 4, None, None, 2)


@pytest.mark.parametrize("strides", [(1, 1, 1), (2, 2, 2)])
@pytest.mark.parametrize("kernel_size", [(3, 3, 3), (1, 3, 3), (3, 1, 1)])
@pytest.mark.parametrize("form", ["native", "2d"])
def test_groups_are_a_dense_kernel_with_zeros(form, kernel_size, strides):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 5, 6, 6)).astype("float32")
    kernel = rng.normal(size=(*kernel_size, 2, 9)).astype("float32")
    dense = np.zeros((*kernel_size, 6, 9))
    for group in range(3):
        filters = slice(3 * group, 3 * group + 3)
        dense[..., 2 * group : 2 * group + 2, filters] = kernel[..., filters]
    layer = PaddedConv3D(9, kernel_size, strides, form=form, groups=3)
    layer.build(x.shape)
    layer.set_weights([kernel])
    np.testing.assert_allclose(
        to_numpy(layer(x)), convolve(x, dense, strides, form), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("form", ["native", "2d"])
def test_even_kernels_look_ahead(form):
    x = np.arange(1, 5, dtype="float32").reshape(1, 4, 1, 1, 1)
    layer = PaddedConv3D(1, (4, 3, 3), form=form, padding="same")
    layer.build(x.shape)
    kernel = np.zeros((4, 3, 3, 1, 1), "float32")
    kernel[:, 1, 1, 0, 0] = 1, 10, 100, 1000
    layer.set_weights([kernel])
    np.testing.assert_array_equal(to_numpy(layer(x)).ravel(), [3210, 4321, 432, 43])


def test_gradients_through_groups():
    layer = PaddedConv3D(4, (3, 1, 1), form="native", groups=2)
    x = np.ones((1, 3, 1, 1, 4), "float32")
    x[..., 2:] = 2  # the second group
    layer.build(x.shape)

    def total(kernel, x):
        return ops.sum(layer.stateless_call([kernel], [], x)[0])

    kernel = np.ones((3, 1, 1, 2, 4), "float32")
    kernel[..., 2:] = 3
    by_kernel, by_input = gradients(total, kernel, x)
    taps = np.broadcast_to(np.reshape([2, 3, 2], (3, 1, 1, 1)), (3, 1, 1, 2))  # frames it meets
    for filters, value in ((0, 1), (1, 1), (2, 2), (3, 2)):
        np.testing.assert_array_equal(by_kernel[..., filters], value * taps)
    # Two filters of its group, through as many taps as meet the frame.
    np.testing.assert_array_equal(by_input[0, :, 0, 0, 0], [4, 6, 4])
    np.testing.assert_array_equal(by_input[0, :, 0, 0, 3], [12, 18, 12])


def test_kernel_starts_as_kaiming_normal_over_the_outputs():
    layer = PaddedConv3D(64, (1, 3, 3))
    layer.build((None, 4, 8, 8, 16))
    kernel = to_numpy(layer.kernel)
    deviation = 0.0589256  # sqrt(2 / (9 * 64))
    assert kernel.std() == pytest.approx(deviation, rel=0.04)
    assert abs(kernel.mean()) < 0.002
    assert np.abs(kernel).max() > 3 * deviation  # not truncated


def test_kernels_are_drawn_from_the_seed():
    draws = [to_numpy(KaimingNormal(seed)((3, 1, 1, 2, 4))) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert np.abs(draws[0] - draws[2]).max() > 0.1
    again = KaimingNormal.from_config(KaimingNormal(1).get_config())
    np.testing.assert_array_equal(to_numpy(again((3, 1, 1, 2, 4))), draws[0])
    generator = keras.random.SeedGenerator(1)
    assert to_numpy(KaimingNormal(generator)((3, 1, 1, 2, 4))).shape == (3, 1, 1, 2, 4)


def test_bfloat16_filter_gradients_are_finite():
    # TensorFlow's native gradient of k×1×1 kernels reads uninitialised memory on the CPU.
    layer = PaddedConv3D(4, (3, 1, 1), dtype="mixed_bfloat16")
    x = np.ones((2, 8, 4, 4, 4), "float32")
    layer.build(x.shape)

    def total(kernel):
        outputs, _ = layer.stateless_call([kernel], [], x)
        return ops.sum(ops.cast(outputs, "float32"))

    (gradient,) = gradients(total, np.ones((3, 1, 1, 4, 4)))
    taps = np.reshape([224, 256, 224], (3, 1, 1, 1, 1))  # ones seen: 2 · 7 · 16 and 2 · 8 · 16
    np.testing.assert_array_equal(gradient, np.broadcast_to(taps, gradient.shape))


def test_config():
    layer = PaddedConv3D(
        2,
        (1, 3, 3),
        (1, 2, 2),
        use_bias=True,
        form="2d",
        kernel_initializer="ones",
        padding="same",
        groups=2,
    )
    check_layer(layer, np.concatenate([GRID, 2 * GRID], axis=-1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1, 2, 2),), r"odd kernel sizes. Received: kernel_size=\(1, 2, 2\)"),
        (((1, 3, 3), (1, 1, 1), False, "3d"), r"one of \('auto', 'native', '2d'\).*form='3d'"),
        (((1, 3, 3), (1, 1, 1), False, "2d", None, "valid"), "'same'.*Received: padding='valid'"),
        (((1, 3, 3), (1, 1, 1), False, "2d", None, "same", 3), "the 4 filters.*groups=3"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        PaddedConv3D(4, *arguments)


def test_groups_that_do_not_divide_the_channels():
    with pytest.raises(ValueError, match=r"divide the 3 channels\. Received: groups=2"):
        PaddedConv3D(4, (1, 3, 3), groups=2).build((None, 4, 8, 8, 3))


def test_global_image_format_is_ignored():
    x = np.arange(32, dtype="float32").reshape(1, 1, 4, 4, 2)
    layers = PaddedConv3D(2, (1, 3, 3), (1, 2, 2), kernel_initializer="ones"), PaddedMaxPooling3D()
    before = [to_numpy(layer(x)) for layer in layers]
    keras.config.set_image_data_format("channels_first")
    try:
        after = [to_numpy(layer(x)) for layer in layers]
    finally:
        keras.config.set_image_data_format("channels_last")
    for ours, theirs in zip(after, before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
