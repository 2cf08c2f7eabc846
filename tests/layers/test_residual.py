import keras
import numpy as np
import pytest
from harness import to_numpy

from keras_acl.layers import bottleneck, conv_norm

pytestmark = pytest.mark.backends

POSITIVE = np.random.default_rng(0).uniform(0, 1, (2, 3, 5, 5, 8)).astype("float32")


def graph(function, *arguments, channels, **options) -> keras.Model:
    inputs = keras.Input((None, None, None, channels))
    return keras.Model(inputs, function(inputs, *arguments, **options))


def test_conv_norm_convolves_normalises_and_rectifies():
    model = graph(conv_norm, 2, (1, 1, 1), channels=1, name="x")
    model.get_layer("x_conv").set_weights([np.reshape([3.0, -3.0], (1, 1, 1, 1, 2))])
    # gamma, beta, mean, variance
    norm = [np.array(v, "float32") for v in ([2, 2], [1, 1], [4, 4], [25, 25])]
    model.get_layer("x_bn").set_weights(norm)
    out = to_numpy(model(np.full((1, 1, 1, 1, 1), 8, "float32")))
    # 2 (24 - 4) / 5 + 1 = 9 and 2 (-24 - 4) / 5 + 1 = -10.2
    np.testing.assert_allclose(out.ravel(), [9, 0], rtol=1e-5)


def test_conv_norm_without_activation():
    model = graph(conv_norm, 1, (1, 1, 1), channels=1, name="x", activation=None)
    assert [layer.name for layer in model.layers[1:]] == ["x_conv", "x_bn"]
    model.get_layer("x_conv").set_weights([np.full((1, 1, 1, 1, 1), -2.0)])
    out = to_numpy(model(np.full((1, 1, 1, 1, 1), 3, "float32")))
    assert out == pytest.approx(-6, rel=1e-4)


@pytest.mark.parametrize("training", [False, True])
def test_new_block_is_the_identity(training):
    model = graph(bottleneck, 2, 3, channels=8, name="res")
    np.testing.assert_array_equal(to_numpy(model(POSITIVE, training=training)), POSITIVE)


def test_projected_block_starts_as_its_shortcut():
    model = graph(bottleneck, 2, 3, 2, channels=4, name="res")
    projection = np.zeros((1, 1, 1, 4, 8), "float32")
    projection[0, 0, 0, 0] = [1, 2, 3, 4, -1, -2, -3, -4]
    model.get_layer("res_shortcut_conv").set_weights([projection])
    out = to_numpy(model(POSITIVE[..., :4]))
    pixels = POSITIVE[:, :, ::2, ::2, :1]
    np.testing.assert_allclose(out[..., :4], pixels * [1, 2, 3, 4], rtol=1e-4)
    np.testing.assert_array_equal(out[..., 4:], 0)


def test_hand_computed_block():
    model = graph(bottleneck, 1, 1, channels=4, name="res")
    kernels = {"a": [1, 1, 1, 1], "b": [0, 0, 0, 0, 2, 0, 0, 0, 0], "c": [1, 0, 0, -1]}
    for part, values in kernels.items():
        layer = model.get_layer(f"res_{part}_conv")
        layer.set_weights([np.reshape(values, layer.kernel.shape).astype("float32")])
    model.get_layer("res_c_bn").gamma.assign(np.ones(4, "float32"))
    out = to_numpy(model(np.reshape([1, 2, 3, 4], (1, 1, 1, 1, 4)).astype("float32")))
    # 10, then 20, then [20, 0, 0, -20] onto [1, 2, 3, 4]
    np.testing.assert_allclose(out.ravel(), [21, 2, 3, 0], rtol=1e-4)


@pytest.mark.parametrize(("channels", "stride", "projected"), [(8, 1, 0), (4, 1, 1), (8, 2, 1)])
def test_where_kernels_and_strides_sit(channels, stride, projected):
    model = graph(bottleneck, 2, 3, stride, channels=channels, name="res")
    found = {
        layer.name: (layer.kernel_size, layer.strides, layer.filters)
        for layer in model.layers
        if hasattr(layer, "kernel_size")
    }
    expected = {
        "res_a_conv": ((3, 1, 1), (1, 1, 1), 2),
        "res_b_conv": ((1, 3, 3), (1, stride, stride), 2),
        "res_c_conv": ((1, 1, 1), (1, 1, 1), 8),
    }
    if projected:
        expected["res_shortcut_conv"] = ((1, 1, 1), (1, stride, stride), 8)
    assert found == expected


def test_only_the_last_gamma_starts_at_zero():
    model = graph(bottleneck, 2, 3, channels=4, name="res")
    gammas = {
        layer.name: float(to_numpy(layer.gamma).mean())
        for layer in model.layers
        if hasattr(layer, "gamma")
    }
    assert gammas == {"res_a_bn": 1, "res_b_bn": 1, "res_c_bn": 0, "res_shortcut_bn": 1}
