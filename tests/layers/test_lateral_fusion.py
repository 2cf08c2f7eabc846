import keras
import numpy as np
import pytest
from harness import to_numpy

from keras_acl.layers import lateral_fusion

pytestmark = pytest.mark.backends

# α = 2, one pixel: two slow frames of two channels, four fast frames of one.
SLOW = np.reshape([[1, 2], [3, 4]], (1, 2, 1, 1, 2)).astype("float32")
FAST = np.reshape([1, 2, 3, 4], (1, 4, 1, 1, 1)).astype("float32")
# Of each output, the weights of the frame before, the frame and the frame after.
KERNEL = np.reshape([[1, -1], [10, 0], [100, 0]], (3, 1, 1, 1, 2)).astype("float32")


def fuse(kind):
    slow, fast = keras.Input((2, None, None, 2)), keras.Input((4, None, None, 1))
    fused = lateral_fusion(slow, fast, kind, 2, kernel=3, name="fuse1")
    model = keras.Model([slow, fast], fused)
    if kind in ("conv", "conv_linear", "sum", "max"):
        model.get_layer("fuse1_conv").set_weights([KERNEL])
    return to_numpy(model([SLOW, FAST]))[0, :, 0, 0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # The convolution gives 10 + 200 and 2 + 30 + 400; its second output, 0 and -2, is cut off.
        ("conv", [[1, 2, 210, 0], [3, 4, 432, 0]]),
        ("conv_linear", [[1, 2, 210, 0], [3, 4, 432, -2]]),
        ("sum", [[211, 2], [435, 4]]),
        ("max", [[210, 2], [432, 4]]),
        ("concat", [[1, 2, 1], [3, 4, 3]]),
        ("none", [[1, 2], [3, 4]]),
    ],
)
def test_every_kind(kind, expected):
    np.testing.assert_allclose(fuse(kind), expected, rtol=1e-5)  # BN's epsilon: 5e-6


@pytest.mark.parametrize(("kind", "filters"), [("conv", 6), ("sum", 8), ("max", 8)])
def test_convolution_of_the_lateral_connection(kind, filters):
    slow, fast = keras.Input((2, 4, 4, 8)), keras.Input((16, 4, 4, 3))
    model = keras.Model([slow, fast], lateral_fusion(slow, fast, kind, 8, name="fuse3"))
    layer = model.get_layer("fuse3_conv")
    assert (layer.kernel_size, layer.strides) == ((5, 1, 1), (8, 1, 1))
    assert layer.filters == filters  # twice the fast channels, or the slow ones
    assert not layer.use_bias
    assert model.output_shape == (None, 2, 4, 4, 14 if kind == "conv" else 8)
    assert {"fuse3_bn", "fuse3_relu", "fuse3_join"} < {layer.name for layer in model.layers}


def test_linear_convolution_has_no_normalisation():
    slow, fast = keras.Input((2, 4, 4, 8)), keras.Input((16, 4, 4, 3))
    model = keras.Model([slow, fast], lateral_fusion(slow, fast, "conv_linear", 8, name="fuse3"))
    assert model.output_shape == (None, 2, 4, 4, 14)
    assert [variable.path for variable in model.variables] == ["fuse3_conv/kernel"]


def test_errors():
    with pytest.raises(ValueError, match=r"`fusion` to be one of .*'conv'.* fusion='mean'"):
        lateral_fusion(None, None, "mean", 8, name="fuse1")
