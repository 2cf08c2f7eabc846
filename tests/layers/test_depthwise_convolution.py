import json

import numpy as np
import pytest
from harness import to_numpy

from keras_acl.layers import DepthwiseConv3D

pytestmark = pytest.mark.backends


@pytest.mark.parametrize("strides", [(1, 1, 1), (1, 2, 2), (2, 2, 2)])
@pytest.mark.parametrize("kernel_size", [(3, 3, 3), (5, 1, 1), (1, 3, 3)])
def test_each_channel_is_convolved_by_itself(kernel_size, strides):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 5, 6, 3)).astype("float32")
    layer = DepthwiseConv3D(kernel_size, strides, use_bias=True)
    layer.build(x.shape)
    kernel, bias = rng.normal(size=(*kernel_size, 1, 3)), rng.normal(size=3)
    layer.set_weights([kernel, bias])
    found = to_numpy(layer(x))
    assert found.shape == layer.compute_output_shape(x.shape)
    pads = [(size // 2, size // 2) for size in kernel_size]
    padded = np.pad(x, [(0, 0), *pads, (0, 0)])
    for place in np.ndindex(found.shape[1:4]):
        begins = [i * s for i, s in zip(place, strides, strict=True)]
        inside = (slice(i, i + k) for i, k in zip(begins, kernel_size, strict=True))
        window = padded[(slice(None), *inside)]
        expected = (window * kernel[..., 0, :]).sum(axis=(1, 2, 3)) + bias
        np.testing.assert_allclose(found[(slice(None), *place)], expected, rtol=1e-4, atol=1e-4)


def test_config():
    x = np.ones((1, 2, 4, 4, 2), "float32")
    layer = DepthwiseConv3D((1, 3, 3), (1, 2, 2), use_bias=True, name="own")
    expected = to_numpy(layer(x))
    copy = DepthwiseConv3D.from_config(json.loads(json.dumps(layer.get_config())))
    copy.build(x.shape)
    copy.set_weights(layer.get_weights())
    assert copy.get_config() == layer.get_config()
    np.testing.assert_array_equal(to_numpy(copy(x)), expected)


def test_strides_are_alike_in_space():
    with pytest.raises(ValueError, match=r"alike in space.*strides=\(1, 1, 2\)"):
        DepthwiseConv3D((3, 3, 3), (1, 1, 2))
