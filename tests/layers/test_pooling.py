import keras
import numpy as np
import pytest
from harness import check_layer, to_numpy

from keras_acl.layers import AveragePairs, PaddedAveragePooling3D, PaddedMaxPooling3D

pytestmark = pytest.mark.backends

GRID = np.arange(1, 17, dtype="float32").reshape(1, 1, 4, 4, 1)  # 1 … 16, one frame


def test_pooling_windows_start_one_pixel_outside():
    second = GRID[:, :, ::-1]
    out = to_numpy(PaddedMaxPooling3D()(np.concatenate([GRID, second], axis=1)))
    np.testing.assert_array_equal(out[0, 0, ..., 0], [[6, 8], [14, 16]])
    np.testing.assert_array_equal(out[0, 1, ..., 0], [[14, 16], [10, 12]])


def test_pooling_odd_sizes_and_channels():
    x = np.arange(1, 10, dtype="float32").reshape(1, 1, 3, 3, 1)
    layer = PaddedMaxPooling3D()
    out = to_numpy(layer(np.concatenate([x, 10 * x], axis=-1)))
    np.testing.assert_array_equal(out[0, 0, ..., 0], [[5, 6], [8, 9]])
    np.testing.assert_array_equal(out[0, 0, ..., 1], [[50, 60], [80, 90]])
    assert layer.compute_output_shape((None, 1, 3, None, 2)) == (None, 1, 2, None, 2)


def test_pooling_config():
    changed = (1, 2, 2), (1, 1, 1), (0, 0, 0)
    check_layer(PaddedMaxPooling3D(*changed, ceil_mode=True, name="pool"), GRID)
    check_layer(PaddedAveragePooling3D(*changed, name="pool"), GRID)
    with pytest.raises(ValueError, match=r"sizes or same\. Received: padding='valid'"):
        PaddedMaxPooling3D(padding="valid")
    with pytest.raises(ValueError, match=r"to be sizes\. Received: padding='same'"):
        PaddedAveragePooling3D(padding="same")


@pytest.mark.parametrize("stride", [1, 2])
def test_pooling_over_time(stride):
    x = np.array([5, 1, 2, 9, 3, 4], "float32").reshape(1, 6, 1, 1, 1)
    layer = PaddedMaxPooling3D((3, 1, 1), (stride, 1, 1))
    expected = [5, 5, 9, 9, 9, 4][::stride]
    np.testing.assert_array_equal(to_numpy(layer(x)).ravel(), expected)
    assert layer.compute_output_shape(x.shape) == (1, 6 // stride, 1, 1, 1)
    pairs = PaddedMaxPooling3D((2, 1, 1), (2, 1, 1), (0, 0, 0))
    np.testing.assert_array_equal(to_numpy(pairs(x)).ravel(), [5, 9, 4])


@pytest.mark.parametrize("layer", [PaddedMaxPooling3D, PaddedAveragePooling3D])
def test_pooling_in_three_dimensions_is_torchs(layer):
    torch = pytest.importorskip("torch")
    theirs = {PaddedMaxPooling3D: torch.nn.MaxPool3d, PaddedAveragePooling3D: torch.nn.AvgPool3d}
    x = np.random.default_rng(0).random((1, 5, 7, 6, 2)).astype("float32")
    for window, stride, pad in ((3, 2, 1), (3, 1, 1), (2, 2, 0)):
        pool = layer((window,) * 3, (stride,) * 3, (pad,) * 3)
        expected = theirs[layer](window, stride, pad)(torch.tensor(x.transpose(0, 4, 1, 2, 3)))
        ours = to_numpy(pool(x))
        np.testing.assert_allclose(ours, expected.numpy().transpose(0, 2, 3, 4, 1), rtol=1e-6)
        assert pool.compute_output_shape(x.shape) == ours.shape


@pytest.mark.parametrize("sizes", [(4, 7, 6), (5, 8, 5)])
@pytest.mark.parametrize(("window", "stride"), [((3, 3, 3), (2, 2, 2)), ((1, 3, 3), (1, 2, 2))])
def test_same_padding_is_that_of_keras(sizes, window, stride):
    x = np.random.default_rng(0).random((1, *sizes, 2)).astype("float32")
    pool = PaddedMaxPooling3D(window, stride, "same", name="pool")
    theirs = keras.layers.MaxPooling3D(window, stride, "same", data_format="channels_last")
    np.testing.assert_array_equal(to_numpy(pool(x)), to_numpy(theirs(x)))
    assert pool.compute_output_shape(x.shape) == theirs.compute_output_shape(x.shape)
    copy = PaddedMaxPooling3D.from_config(pool.get_config())
    np.testing.assert_array_equal(to_numpy(copy(x)), to_numpy(pool(x)))


@pytest.mark.parametrize("sides", [(7, 6), (8, 5)])
def test_windows_over_the_far_edge_are_torchs(sides):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).random((1, 2, *sides, 2)).astype("float32")
    pool = PaddedMaxPooling3D(padding=(0, 0, 0), ceil_mode=True)
    theirs = torch.nn.MaxPool3d((1, 3, 3), (1, 2, 2), ceil_mode=True)
    expected = theirs(torch.tensor(x.transpose(0, 4, 1, 2, 3))).numpy().transpose(0, 2, 3, 4, 1)
    np.testing.assert_array_equal(to_numpy(pool(x)), expected)
    assert pool.compute_output_shape(x.shape) == expected.shape


def test_averages_of_pairs():
    x = np.concatenate([GRID, 10 * GRID, 100 * GRID], axis=1)
    out = to_numpy(AveragePairs()(x))
    pairs = np.array([[3.5, 5.5], [11.5, 13.5]])  # of the grid's 2 x 2 windows
    np.testing.assert_allclose(out[0, ..., 0], [5.5 * pairs, 100 * pairs], rtol=1e-6)
    odd = to_numpy(AveragePairs()(GRID[:, :, :3, :3]))
    np.testing.assert_allclose(odd[0, 0, ..., 0], [[3.5, 5], [9.5, 11]], rtol=1e-6)
    assert AveragePairs().compute_output_shape((None, 3, None, 5, 2)) == (None, 2, None, 3, 2)
    check_layer(AveragePairs(name="pairs"), GRID)
