import keras
import numpy as np
import pytest
from harness import dtype_of, to_numpy
from tiny_network import (
    LABELS,
    predict,
    random_clips,
    slow,
    slowfast,
    two_stream,
)

from keras_acl import load_model, load_pretrained, optimize, save_pretrained
from keras_acl.layers import ClipBatchNormalization
from keras_acl.models import SlowClassifier, TwoStreamClassifier
from keras_acl.models.video_classifier import FullPrecisionDense
from keras_acl.system.keras_internals import all_layers


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        # (x / 255 - mean) / std of a pixel (0, 102, 255)
        (0.45, 0.225, [-2, -0.2222222, 2.4444444]),
        ([0.5, 0.4, 0.0], [0.5, 0.1, 0.25], [-1, 0, 4]),
        ([0.5, 0.4, 0.2], 0.5, [-1, 0, 1.6]),
        (0.0, [1, 2, 4], [0, 0.2, 0.25]),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pixels_are_normalised(mean, std, expected, dtype):
    pixel = np.reshape([0, 102, 255], (1, 1, 1, 1, 3)).astype(dtype)
    found = to_numpy(slow(mean=mean, std=std).normalize(pixel))
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-6)


def test_head_pools_each_stream_and_joins_spatial_first():
    model = slow()
    spatial = np.arange(8, dtype="float32").reshape(1, 2, 1, 2, 2)  # means 3 and 4
    temporal = np.array([[[[[10.0]]], [[[30.0]]]]], "float32")  # two frames, mean 20
    np.testing.assert_array_equal(to_numpy(model.pool(spatial, temporal)), [[3, 4, 20]])


def test_head_starts_small():
    model = slow(width=32)
    kernel = to_numpy(model.classifier.kernel)
    assert kernel.shape == (512, 3)
    assert kernel.std() == pytest.approx(0.01, rel=0.06)
    np.testing.assert_array_equal(to_numpy(model.classifier.bias), 0)


def test_head_weights_are_never_cast():
    class Reader(keras.layers.Layer):
        def __init__(self):
            super().__init__(dtype="mixed_bfloat16")
            self.dense = FullPrecisionDense(1, dtype="float32")
            self.dense.build((None, 1))

        def call(self, x):
            return self.dense.kernel * 1, self.dense(x)

    reader = Reader()
    reader.dense.set_weights([np.array([[1.001]]), np.zeros(1)])  # 1.0 in bfloat16
    kernel, out = reader(np.ones((1, 1), "float32"))
    assert (dtype_of(kernel), dtype_of(out)) == ("float32", "float32")
    np.testing.assert_allclose([to_numpy(kernel), to_numpy(out)], 1.001, rtol=1e-6)


def test_model_knows_its_input():
    model = slow()
    assert model.labels == LABELS
    assert model.input_shape == (None, 8, None, None, 3)
    assert slow(labels=None).labels is None


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((8, 32, 32, 3), r"shape=\(8, 32, 32, 3\). One clip is a batch of one: clip\[None\]"),
        ((1, 4, 32, 32, 3), r"SlowClassifier takes RGB clips of shape \(batch, 8, height, width"),
        ((1, 8, 32, 32, 1), r"values 0-255. Received: shape=\(1, 8, 32, 32, 1\).$"),
    ],
)
def test_wrong_shapes_are_explained(shape, message):
    with pytest.raises(ValueError, match=message):
        slow().check_clip(np.zeros(shape, "uint8"))


def test_wrong_shape_is_caught_by_the_call():
    with pytest.raises(ValueError, match=r"Received: shape=\(8, 32, 32, 3\). One clip is"):
        slow()(random_clips()[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 18}, r"`depth` to be one of \[11, 14, 50, 101\]. Received: depth=18"),
        ({"speed_ratio": 3}, "multiple of `speed_ratio`. Received: frames=8, speed_ratio=3"),
        ({"frame_indices": "all"}, r"one of \('linspace', 'stride'\). Received: 'all'"),
        ({"scales": (0.5,)}, r"start with 1.0 .* Received: \(0.5,\)"),
        ({"form": "1d"}, r"one of \('auto', 'native', '2d'\). Received: form='1d'"),
    ],
)
def test_arguments_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        slow(**options)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_own_precision_wins_over_the_global_one(policy):
    other = "mixed_bfloat16" if policy == "float32" else "float32"
    keras.config.set_dtype_policy(other)
    try:
        model = slow(dtype=policy)
        assert keras.config.dtype_policy().name == other
    finally:
        keras.config.set_dtype_policy("float32")
    policies = {layer.dtype_policy.name for layer in model.spatial_stream.layers}
    assert policies == {policy}
    assert model.normalize.dtype_policy.name == policy
    assert model.get_config()["dtype"]["config"]["name"] == policy
    copy = type(model).from_config(model.get_config())
    assert {layer.dtype_policy.name for layer in copy.spatial_stream.layers} == {policy}


def test_global_image_format_is_ignored():
    model = slow(mean=(0.4, 0.5, 0.6), scales=(1.0, 0.5))
    expected = predict(model)
    keras.config.set_image_data_format("channels_first")
    try:
        copy = type(model).from_config(model.get_config())
        copy.set_weights(model.get_weights())
        found = predict(copy)
        assert tuple(copy(random_clips(), training=True).shape) == (2, 3)
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(found, expected)


def test_other_keyword_arguments_are_refused():
    with pytest.raises(ValueError, match="widht"):
        slow(widht=8)


def groups(model) -> set:
    layers = all_layers(model)
    return {layer.clips_per_group for layer in layers if isinstance(layer, ClipBatchNormalization)}


@pytest.mark.backends
@pytest.mark.parametrize("build", [two_stream, slowfast, slow])
def test_the_group_of_batch_statistics_is_kept_on_reload(build, tmp_path):
    model = build()
    assert groups(model) == {None}
    model.clips_per_group = 4
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.clips_per_group == 4
    assert groups(loaded) == groups(model) == {4}


@pytest.mark.parametrize("count", [1, 0, -1])
def test_one_class_is_no_classification(count):
    with pytest.raises(ValueError, match=f"at least two classes .* Received: num_classes={count}"):
        SlowClassifier(count)


@pytest.mark.parametrize(
    "options",
    [
        *({"num_classes": wrong} for wrong in (2.5, True, "3")),
        *({"multi_label": wrong} for wrong in ("no", 1, None)),
        *({"dropout": wrong} for wrong in (1.0, -0.1, float("nan"), "0.5", True)),
        *({"clips_per_group": wrong} for wrong in (0, -8, 2.5, True)),
        *({"labels": wrong} for wrong in ("abc", [0, 1, 2])),
        *({"scales": wrong} for wrong in (0.5, "1", (True, 0.5), [1.0, float("nan")])),
        *({"stream_supervision": wrong} for wrong in (True, "0.5", -1, float("nan"))),
        *({"consistency_weight": wrong} for wrong in (-1.5, float("nan"), "1", True)),
    ],
    ids=str,
)
def test_nonsense_is_refused_with_its_name(options):
    [(name, value)] = options.items()
    with pytest.raises(ValueError, match="Expected `") as error:
        TwoStreamClassifier(**{"num_classes": 3, **options})
    assert f"`{name}`" in str(error.value)
    assert repr(value) in str(error.value)


@pytest.mark.parametrize("count", [0, True, 2.5])
def test_the_group_of_batch_statistics_is_a_count(count):
    model = slow()
    with pytest.raises(ValueError, match="Expected `clips_per_group`"):
        model.clips_per_group = count
    assert groups(model) == {None}


LOGITS = np.log([[1, 3, 4], [8, 1, 1]]).astype("float32")


@pytest.mark.backends
def test_scores_are_the_softmax_or_the_sigmoid_of_each_class():
    one, several = slow(), slow(multi_label=True)
    np.testing.assert_allclose(
        to_numpy(one.scores(LOGITS)), [[0.125, 0.375, 0.5], [0.8, 0.1, 0.1]], rtol=1e-6
    )
    expected = [[1 / 2, 3 / 4, 4 / 5], [8 / 9, 1 / 2, 1 / 2]]  # x / (1 + x)
    np.testing.assert_allclose(to_numpy(several.scores(LOGITS)), expected, rtol=1e-6)


def by_keras(model, folder):
    model.save(folder / "model.keras")
    return load_model(folder / "model.keras")


def by_save_pretrained(model, folder):
    return load_pretrained(save_pretrained(model, folder / "saved"))


@pytest.mark.backends
@pytest.mark.parametrize(
    "copied",
    [
        by_keras,
        by_save_pretrained,
        lambda model, folder: model.copy_with(dropout=0.1),
        lambda model, folder: optimize(model, "float32"),  # whatever the device is fast in
    ],
    ids=["keras", "save_pretrained", "copy_with", "optimize"],
)
def test_a_copy_of_a_multi_label_model_is_one(copied, tmp_path):
    model = two_stream(multi_label=True)
    copy = copied(model, tmp_path)
    assert copy.multi_label
    np.testing.assert_allclose(predict(copy), predict(model), atol=1e-4)  # logits


def test_a_config_of_before_is_of_one_label_a_clip():
    config = slow().get_config()
    del config["multi_label"]
    assert not SlowClassifier.from_config(config).multi_label
