import keras
import numpy as np
import pytest
from harness import check_layer, dtype_of, to_numpy

from keras_acl.layers import SCAM, ClassActivationMaps

pytestmark = pytest.mark.backends

FEATURES = np.array([[1, 2], [3, 4]], "float32").reshape(1, 1, 1, 2, 2)  # two pixels, C = 2
KERNEL = np.array([[1, 10], [100, 1000]], "float32")  # L = 2


def test_maps_weigh_the_channels_of_each_pixel():
    maps = to_numpy(ClassActivationMaps()((FEATURES, KERNEL)))
    np.testing.assert_array_equal(maps[0, 0, 0], [[201, 2010], [403, 4030]])


def test_mean_of_a_map_is_the_logit_without_bias():
    dense = keras.layers.Dense(2)
    dense.build((None, 2))
    dense.set_weights([KERNEL, np.array([7, 8], "float32")])
    pooled = FEATURES.mean(axis=(1, 2, 3))  # (2, 3)
    logits = to_numpy(dense(pooled))[0]
    np.testing.assert_array_equal(logits, [309, 3028])
    maps = to_numpy(ClassActivationMaps()((FEATURES, KERNEL)))
    np.testing.assert_array_equal(maps.mean(axis=(1, 2, 3))[0] + [7, 8], logits)


def frames(*maps):
    """Features (1, T, H, W, 1) from one map a frame."""
    return np.array(maps, "float32")[None, ..., None]


def test_eq_1_at_two_scales():
    full = frames([[1, 2], [3, 4]], [[3, 4], [5, 6]])  # mean over frames 2 3 4 5
    small = frames([[10]], [[20]])  # mean over frames 15
    S = to_numpy(SCAM()(([full, small], np.array([[1, -2]], "float32"))))
    np.testing.assert_array_equal(S[0, ..., 0], [[8.5, 9], [9.5, 10]])
    np.testing.assert_array_equal(S[0, ..., 1], [[-17, -18], [-19, -20]])


def test_eq_1_resizes_bilinearly():
    full = frames([[0, 0, 0, 0], [0, 0, 0, 8]])
    small = frames([[0, 4]])  # becomes 0 1 3 4 in both rows
    S = to_numpy(SCAM()(([full, small], np.ones((1, 1), "float32"))))
    np.testing.assert_allclose(S[0, ..., 0], [[0, 0.5, 1.5, 2], [0, 0.5, 1.5, 6]], atol=1e-6)


def test_one_scale_is_the_mean_of_the_frames_maps():
    S = to_numpy(SCAM()(([frames([[1, 2]], [[3, 6]])], np.array([[1, 3]], "float32"))))
    np.testing.assert_array_equal(S[0, 0], [[2, 6], [4, 12]])


@pytest.mark.parametrize("layer", [ClassActivationMaps, SCAM])
def test_float32_inside_under_mixed_precision(layer):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        made = layer()
    finally:
        keras.config.set_dtype_policy("float32")
    features = keras.ops.cast(frames([[1, 1]]), "bfloat16")
    kernel = np.array([[1.001]], "float32")  # 1.0 in bfloat16
    out = made(([features], kernel) if layer is SCAM else (features, kernel))
    assert dtype_of(out) == "float32"
    np.testing.assert_allclose(to_numpy(out).ravel(), 1.001, rtol=1e-6)


def test_config():
    check_layer(ClassActivationMaps(name="maps"), (FEATURES, KERNEL))
    check_layer(SCAM(name="scam"), ([FEATURES, FEATURES], KERNEL))


def test_scam_in_a_functional_graph():
    full, small = keras.Input((2, 4, 4, 3)), keras.Input((2, 2, 2, 3))
    S = SCAM()(([full, small], np.ones((3, 5), "float32")))
    assert S.shape == (None, 4, 4, 5)


def test_errors():
    with pytest.raises(ValueError, match=r"features of at least one scale. Received: \[\]"):
        SCAM()(([], KERNEL))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others know every size")
def test_unknown_sizes_cannot_be_resized():
    full, small = keras.Input((2, None, None, 3)), keras.Input((2, None, None, 3))
    message = r"known when the graph is built. Received: shape=\(None, None, None, 5\)"
    with pytest.raises(ValueError, match=message):
        SCAM()(([full, small], np.ones((3, 5), "float32")))
