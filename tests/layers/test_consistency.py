import keras
import numpy as np
import pytest
from harness import BASE_LOSS, check_config, check_layer, dtype_of, gradients, to_numpy
from keras import ops

from keras_acl.layers import AttentionConsistency, AttentionConsistencyLoss

pytestmark = pytest.mark.backends

# One clip, L = 2, maps of 2x2. The two frames add up to [[0, 2], [2, 4]]; the class weights are
# 1 and 2, so T^0 = [[0, 2], [2, 4]] and T^1 = [[0, 4], [4, 8]].
S = np.stack([[[0, 2], [2, 1]], [[0, 4], [1, 4]]], axis=-1).astype("float32")[None]
FEATURES = np.array([[[0, 1], [2, 3]], [[0, 1], [0, 1]]], "float32")[None, ..., None]
KERNEL = np.array([[1, 2]], "float32")


def distances(S=S, features=FEATURES, kernel=KERNEL, **options):
    return to_numpy(AttentionConsistency(**options)((S, features, kernel)))


@pytest.mark.parametrize(
    ("temporal", "normalize", "expected"),
    [
        # T - S is [[0, 0], [0, 3]] and [[0, 0], [3, 4]]; norms 3 and 5, over H·W = 4.
        ("weighted", None, [0.75, 1.25]),
        # T / 2 - S is [[0, -1], [-1, 1]] and [[0, -2], [1, 0]].
        ("mean", None, [0.4330127, 0.5590170]),
        # T is [[0, .5], [.5, 1]] for both; S is [[0, 1], [1, .5]] and [[0, 1], [.25, 1]].
        ("weighted", "min_max", [0.2165064, 0.1397542]),
        ("mean", "min_max", [0.2165064, 0.1397542]),  # a map's size does not matter
        # Cosines 12 / (sqrt(24) · 3) and 52 / sqrt(96 · 33); sqrt(2 - 2 cos) / 4.
        ("weighted", "l2", [0.1514527, 0.0975515]),
        ("mean", "l2", [0.1514527, 0.0975515]),
    ],
)
def test_eq_2_and_3(temporal, normalize, expected):
    found = distances(temporal=temporal, normalize=normalize)
    np.testing.assert_allclose(found, [expected], rtol=2e-5)


def test_default_is_the_shape_of_the_summed_maps():
    np.testing.assert_allclose(distances(), [[0.2165064, 0.1397542]], rtol=2e-5)


def test_channels_are_summed():
    features = np.concatenate([FEATURES, 10 * FEATURES], axis=-1)
    kernel = np.array([[-9, 12], [1, -1]], "float32")  # -9 + 10 = 1 and 12 - 10 = 2
    np.testing.assert_allclose(
        distances(features=features, kernel=kernel, normalize=None), [[0.75, 1.25]], rtol=1e-5
    )


def test_one_random_frame_of_every_clip():
    layer = AttentionConsistency(temporal="random", normalize=None, seed=3)
    inputs = np.repeat(S, 32, axis=0), np.repeat(FEATURES, 32, axis=0), KERNEL
    first, second = (to_numpy(layer(inputs))[:, 1] for _ in range(2))
    # Class 1, T - S: [[0, -2], [3, 2]] of frame 0, [[0, -2], [-1, -2]] of frame 1.
    of_frame_0 = np.isclose(first, 1.0307764)
    assert np.all(of_frame_0 | np.isclose(first, 0.75))
    assert 4 < of_frame_0.sum() < 28  # both frames are drawn, clip by clip
    assert not np.array_equal(first, second)


def test_sizes_meet_at_the_larger():
    wide = np.array([[0, 1, 3, 0]], "float32")[None, ..., None]  # (1, 1, 4, 1)
    small = np.array([[[0, 4]]], "float32")[None, ..., None]  # one frame; resized 0 1 3 4
    one = np.ones((1, 1), "float32")
    np.testing.assert_allclose(distances(wide, small, one, normalize=None), [[1]], rtol=1e-5)
    larger = np.array([[[0, 1, 3, 0]]], "float32")[None, ..., None]
    small_S = np.array([[0, 4]], "float32")[None, ..., None]
    np.testing.assert_allclose(distances(small_S, larger, one, normalize=None), [[1]], rtol=1e-5)


@pytest.mark.parametrize("stopped", ["spatial", "temporal", None])
def test_stopped_stream_is_not_pulled(stopped):
    layer = AttentionConsistency(stop_gradient=stopped, normalize="l2")

    def total(S, features, kernel):
        return ops.sum(layer((S, features, kernel)))

    of_S, of_features, of_kernel = gradients(total, S, FEATURES, KERNEL * [[1, -1]])
    assert np.any(of_S) == (stopped != "spatial")
    assert np.any(of_features) == (stopped != "temporal")
    assert np.any(of_kernel) == (stopped != "temporal")


def test_gradient_is_that_of_the_norm():
    layer = AttentionConsistency(normalize=None)

    def of_class_1(S):
        return layer((S, FEATURES, KERNEL))[0, 1]

    (gradient,) = gradients(of_class_1, S)
    # -(T - S) / (5 · 4) of [[0, 0], [3, 4]]
    np.testing.assert_allclose(gradient[0, ..., 1], [[0, 0], [-0.15, -0.2]], rtol=1e-5)
    np.testing.assert_array_equal(gradient[0, ..., 0], 0)


@pytest.mark.parametrize("normalize", ["min_max", "l2", None])
@pytest.mark.parametrize("level", [0.0, 5.0])
def test_constant_maps_are_harmless(normalize, level):
    layer = AttentionConsistency(normalize=normalize)
    flat = np.full_like(S, 2 * level), np.full_like(FEATURES, level), KERNEL

    def total(*inputs):
        return ops.sum(layer(inputs))

    assert np.isfinite(distances(*flat, normalize=normalize)).all()
    for gradient in gradients(total, *flat):
        assert np.isfinite(gradient).all()


def gradient_norms(size: float, normalize: str, dtype: str, **options) -> list[float]:
    """Norms of the gradients with respect to both maps, whose contrast is 4 times `size`."""
    layer = AttentionConsistency(normalize=normalize, **options)

    def total(S, features):
        S, features = ops.cast(S, dtype), ops.cast(features, dtype)
        return ops.sum(layer((S, features, np.ones((1, 1), "float32"))))

    maps = size * S[..., :1], size * FEATURES
    return [float(np.linalg.norm(gradient)) for gradient in gradients(total, *maps)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("normalize", ["min_max", "l2"])
@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-6, 1e-3, 1e-2, 0.1, 1.0, 100.0])
def test_gradients_are_bounded_however_small_the_maps(size, normalize, dtype):
    # The Jacobian of (m - min) / max(range, c) has a norm of (1 + 2.5 sqrt(H·W)) / c at most.
    bound = (1 + 2.5 * 2) / 0.1 / 4
    for norm in gradient_norms(size, normalize, dtype):
        assert norm <= bound


@pytest.mark.parametrize("normalize", ["min_max", "l2"])
def test_without_a_minimum_they_are_not(normalize):
    assert max(gradient_norms(1e-5, normalize, "float32", minimum_contrast=0.0)) > 1e3


@pytest.mark.parametrize("normalize", ["min_max", "l2"])
def test_a_map_without_contrast_contributes_nothing(normalize):
    layer = AttentionConsistency(normalize=normalize)
    nothing = np.zeros_like(KERNEL)  # the dense rows of a stream that no class reads yet

    def total(S, features, kernel):
        return ops.sum(layer((S, features, kernel)))

    np.testing.assert_allclose(distances(kernel=nothing, normalize=normalize), 0, atol=1e-5)
    for gradient in gradients(total, S, FEATURES, nothing):
        np.testing.assert_allclose(gradient, 0, atol=1e-4)


def test_little_contrast_counts_by_its_share():
    # T in logits is half the sum: [[0, .01], [.01, .02]] of class 0 has .02 / .1 of the contrast;
    # divided by .1 it is [[0, .1], [.1, .2]]; S is [[0, 1], [1, .5]].
    expected = 0.2 * np.sqrt(0.9**2 + 0.9**2 + 0.3**2) / 4
    assert distances(features=0.01 * FEATURES)[0, 0] == pytest.approx(expected, rel=1e-3)
    # Less than a hundredth of the map's largest value is rounding: 1 / (.01 · 200) counts half.
    level = np.array([[200, 199], [199, 199]], "float32")[None, ..., None]
    of_level = distances(level, FEATURES, KERNEL[:, :1])[0, 0]
    # S is [[.5, 0], [0, 0]], T [[0, .5], [.5, 1]]
    assert of_level == pytest.approx(0.5 * np.sqrt(4 * 0.25 + 0.75) / 4, rel=1e-3)


@pytest.mark.parametrize("normalize", ["min_max", "l2"])
def test_maps_with_contrast_do_not_notice_the_minimum(normalize):
    np.testing.assert_array_equal(
        distances(normalize=normalize), distances(normalize=normalize, minimum_contrast=0.0)
    )


def test_equal_maps_are_consistent():
    same = np.stack([[[0, 2], [2, 4]], [[0, 4], [4, 8]]], axis=-1).astype("float32")[None]
    for normalize in ("min_max", "l2", None):
        np.testing.assert_allclose(distances(same, normalize=normalize), 0, atol=1e-6)


def test_float32_inside_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = AttentionConsistency(normalize=None)
    finally:
        keras.config.set_dtype_policy("float32")
    # 256 frames of 1: their bfloat16 sum would be right only by luck, that of 257 not at all.
    features = ops.ones((1, 257, 1, 1, 1), dtype="bfloat16")
    out = layer((ops.zeros((1, 1, 1, 1)), features, np.ones((1, 1), "float32")))
    assert dtype_of(out) == "float32"
    assert to_numpy(out) == pytest.approx(257)


def test_config():
    layer = AttentionConsistency("random", "l2", "all", "spatial", seed=7, minimum_contrast=0.2)
    check_layer(layer, (S, FEATURES, KERNEL))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temporal": "last"}, r"`temporal` to be one of .*'weighted'.* Received: 'last'"),
        ({"normalize": "softmax"}, r"`normalize` to be one of .*None\). Received: 'softmax'"),
        ({"classes": "top"}, r"`classes` to be one of \('labelled', 'all'\). Received: 'top'"),
        ({"stop_gradient": True}, r"`stop_gradient` to be one of .* Received: True"),
        ({"minimum_contrast": -0.1}, r"`minimum_contrast` to be 0 or more. Received: -0.1"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        AttentionConsistency(**options)


DISTANCES = np.array([[1, 2, 4], [8, 16, 32]], "float32")


@pytest.mark.parametrize(
    ("labels", "per_clip"),
    [
        ([2, 0], [4, 8]),
        ([[2], [0]], [4, 8]),
        (np.array([2, 0], "uint8"), [4, 8]),
        ([[0, 0, 1], [1, 0, 0]], [4, 8]),
        ([[0.5, 0.5, 0], [0, 0.25, 0.75]], [1.5, 28]),
        ([[1, 0, 1], [0, 0, 0]], [(1 + 4) / 2, 0]),
        ([[1, 0.5, 0.5], [0.25, 0, 0]], [(1 + 1 + 2) / 2, 2]),
    ],
    ids=["sparse", "column", "uint8", "one-hot", "soft", "multi-hot", "mixed up"],
)
def test_labels_choose_the_distances(labels, per_clip):
    loss = AttentionConsistencyLoss()
    np.testing.assert_allclose(to_numpy(loss.call(labels, ops.array(DISTANCES))), per_clip)
    assert to_numpy(loss(labels, DISTANCES)) == pytest.approx(sum(per_clip) / 2)


def test_as_many_clips_as_classes():
    square = np.vstack([DISTANCES, DISTANCES[:1]])  # (3, 3)
    assert to_numpy(AttentionConsistencyLoss()([2, 0, 1], square)) == pytest.approx(14 / 3)


@pytest.mark.parametrize("labels", [[2, 0], [[0, 0, 1], [1, 0, 0]]])
def test_all_classes_count_fully(labels):
    loss = AttentionConsistencyLoss(classes="all")
    assert to_numpy(loss(labels, DISTANCES)) == pytest.approx((7 + 56) / 2)


def test_sample_weights():
    loss = AttentionConsistencyLoss()
    weights = np.array([1, 3], "float32")
    assert to_numpy(loss([2, 0], DISTANCES, weights)) == pytest.approx((4 + 3 * 8) / 2)
    assert to_numpy(loss([2, 0], DISTANCES, weights * [1, 0])) == pytest.approx(2)


def test_literal_eq_3():
    layer = AttentionConsistency(normalize=None, classes="all")
    term = AttentionConsistencyLoss(layer.classes)([0], layer((S, FEATURES, KERNEL)))
    assert to_numpy(term) == pytest.approx(2.0, rel=1e-5)  # (3 + 5) / (1 · 2 · 2)


def test_loss_config():
    loss = AttentionConsistencyLoss(classes="all", name="other", reduction="sum")
    copy = check_config(loss, BASE_LOSS)
    assert to_numpy(copy([2, 0], DISTANCES)) == 63


def test_loss_errors():
    with pytest.raises(ValueError, match=r"one of \('labelled', 'all'\). Received: 'none'"):
        AttentionConsistencyLoss("none")
