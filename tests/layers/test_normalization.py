import keras
import numpy as np
import pytest
from harness import check_layer, dtype_of, to_numpy

from keras_acl.layers import ClipBatchNormalization
from keras_acl.layers.normalization import running_statistics_kept

pytestmark = pytest.mark.backends

# Four clips of one value: groups of two have means 1 and 12, variances 1 and 4.
CLIPS = np.reshape([0, 2, 10, 14], (4, 1, 1, 1, 1)).astype("float32")


def normalize(layer, clips=CLIPS, training=True):
    return to_numpy(layer(clips, training=training)).ravel()


def test_groups_are_normalised_alone():
    out = normalize(ClipBatchNormalization(clips_per_group=2))
    # (0 - 1) / sqrt(1 + 1e-5) and (10 - 12) / sqrt(4 + 1e-5)
    np.testing.assert_allclose(out, [-0.999995, 0.999995, -0.99999875, 0.99999875], rtol=1e-6)


def test_scale_and_offset_follow():
    layer = ClipBatchNormalization(clips_per_group=2)
    layer.build(CLIPS.shape)
    layer.gamma.assign([3.0])
    layer.beta.assign([5.0])
    np.testing.assert_allclose(normalize(layer), [2, 8, 2, 8], atol=2e-5)


def test_without_scale_and_offset():
    layer = ClipBatchNormalization(clips_per_group=2, scale=False, center=False)
    np.testing.assert_allclose(normalize(layer), [-1, 1, -1, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("group", "mean", "variance"),
    [
        (2, 0.65, 1.15),  # 0.1 * (1 + 12) / 2 and 0.9 + 0.1 * (1 + 4) / 2
        (None, 0.65, 4.175),  # variance of all four: 32.75
        (4, 0.65, 4.175),
        (8, 0.65, 4.175),
        (3, 0.65, 4.175),  # four is no multiple of three: one group
    ],
)
def test_running_statistics_move_by_a_tenth(group, mean, variance):
    layer = ClipBatchNormalization(clips_per_group=group)
    normalize(layer)
    assert to_numpy(layer.moving_mean) == pytest.approx(mean, rel=1e-6)
    assert to_numpy(layer.moving_variance) == pytest.approx(variance, rel=1e-6)


@pytest.mark.parametrize("group", [None, 3, 4, 8])
def test_whole_batch_is_plain_batch_normalisation(group):
    plain = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    ours, theirs = normalize(ClipBatchNormalization(clips_per_group=group)), normalize(plain)
    if keras.backend.backend() == "tensorflow":
        np.testing.assert_allclose(ours, theirs, rtol=2e-7)  # fused: the last bit may differ
    else:
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(ours[0], -1.1358107, rtol=1e-5)  # (0 - 6.5) / sqrt(32.75 + 1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="fused on TensorFlow only")
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("parts", [{}, {"scale": False}, {"center": False}])
def test_the_fused_operation_is_that_of_keras(dtype, parts):
    """Values, gradients and running statistics."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(3, 2, (3, 2, 4, 5, 6)), "float32")
    towards = tf.constant(rng.normal(size=x.shape), "float32")
    results = []
    for layer in (
        ClipBatchNormalization(dtype=dtype, **parts),
        keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype, **parts),
    ):
        layer.build(x.shape)
        for weight, value in zip(layer.trainable_variables, (1.5, -0.5), strict=False):
            weight.assign(np.linspace(value, 2, 6))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(tf.cast(y, "float32") * towards)
        gradients = tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])
        results.append([to_numpy(v) for v in (tf.cast(y, "float32"), *gradients, *layer.weights)])
    tolerance = 2e-5 if dtype == "float32" else 0.06
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
        assert np.ptp(theirs) > 0.01  # not all alike


@pytest.mark.parametrize("options", [{"axis": 1}, {"renorm": True}, {"synchronized": True}])
def test_other_forms_are_refused(options):
    if "synchronized" in options and keras.backend.backend() != "tensorflow":
        pytest.skip("Keras itself refuses it")
    with pytest.raises(ValueError, match=r"Expected axis=-1.*Received"):
        ClipBatchNormalization(**options)


@pytest.mark.parametrize("group", [None, 2])
def test_running_statistics_can_be_kept(group):
    layer = ClipBatchNormalization(clips_per_group=group)
    layer.build(CLIPS.shape)
    before = [to_numpy(w).copy() for w in layer.weights]
    with running_statistics_kept():
        found = normalize(layer)
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), value)
    np.testing.assert_allclose(found, normalize(layer), rtol=1e-5, atol=1e-6)
    assert np.abs(to_numpy(layer.moving_mean) - before[2]).max() > 0.1  # kept within it only


@pytest.mark.parametrize("group", [None, 2])
def test_inference_uses_the_running_statistics(group):
    layer = ClipBatchNormalization(clips_per_group=group)
    layer.build(CLIPS.shape)
    layer.moving_mean.assign([2.0])
    layer.moving_variance.assign([4.0])
    np.testing.assert_allclose(normalize(layer, training=False), [-1, 0, 4, 6], atol=1e-4)
    layer.trainable = False  # frozen: the same in training
    np.testing.assert_allclose(normalize(layer), [-1, 0, 4, 6], atol=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="others assign without gradients")
@pytest.mark.parametrize("group", [None, 2])
def test_no_gradient_flows_through_the_running_statistics(group):
    import jax

    layer = ClipBatchNormalization(clips_per_group=group)
    layer.build(CLIPS.shape)
    weights, statistics = (
        [v.value for v in vs] for vs in (layer.trainable_variables, layer.non_trainable_variables)
    )

    def sum_of_moved(x):
        _, moved = layer.stateless_call(weights, statistics, x, training=True)
        return sum(value.sum() for value in moved[:2])

    value, gradient = jax.value_and_grad(sum_of_moved)(CLIPS)
    assert value > 1.5  # they moved
    np.testing.assert_array_equal(gradient, 0)


def test_frames_and_pixels_of_a_group_count_together():
    clips = np.array([[0, 2, 4, 6], [8, 8, 8, 8]], "float32").reshape(2, 2, 1, 2, 1)
    layer = ClipBatchNormalization(clips_per_group=1)
    out = normalize(layer, clips)
    # mean 3, variance 5; then mean 8, variance 0
    np.testing.assert_allclose(out[:4], [-1.3416394, -0.4472131, 0.4472131, 1.3416394], rtol=1e-5)
    np.testing.assert_allclose(out[4:], 0, atol=1e-6)
    assert to_numpy(layer.moving_mean) == pytest.approx(0.55)
    assert to_numpy(layer.moving_variance) == pytest.approx(1.15)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others know every size")
def test_groups_where_height_and_width_are_unknown():
    import tensorflow as tf

    layer = ClipBatchNormalization(clips_per_group=2)
    layer.build(CLIPS.shape)
    traced = tf.function(lambda x: layer(x, training=True)).get_concrete_function(
        tf.TensorSpec((4, 1, None, None, 1))
    )
    out = to_numpy(traced(tf.constant(CLIPS))).ravel()
    np.testing.assert_allclose(out, [-1, 1, -1, 1], atol=1e-5)


@pytest.mark.parametrize("group", [None, 2])
def test_statistics_are_float32_under_mixed_precision(group):
    layer = ClipBatchNormalization(clips_per_group=group, dtype="mixed_bfloat16")
    out = layer(CLIPS + 256, training=True)  # bfloat16 has 256, 258, 266 and 270
    assert dtype_of(out) == "bfloat16"
    assert dtype_of(layer.moving_mean) == "float32"
    assert to_numpy(layer.moving_mean) == pytest.approx(26.25, rel=1e-6)  # 0.1 * 262.5


def test_config():
    layer = ClipBatchNormalization(clips_per_group=2, momentum=0.5, epsilon=0.1, scale=False)
    base = set(keras.layers.BatchNormalization().get_config())
    assert "momentum" in base
    check_layer(layer, CLIPS, base)


def test_defaults_are_those_of_the_published_networks():
    config = ClipBatchNormalization().get_config()
    assert (config["momentum"], config["epsilon"], config["clips_per_group"]) == (0.9, 1e-5, None)
