"""What must hold for every network of the zoo."""

import keras
import numpy as np
import pytest
from harness import check_config, dtype_of, to_numpy
from models.zoo import SMALL, answers, clips_for, made, make
from tiny_network import TARGETS, at_once, compiled, predict

from keras_acl import export, load_model, load_pretrained, optimize, save_pretrained
from keras_acl.attention import attention_maps
from keras_acl.evaluation.view_scorer import ViewScorer
from keras_acl.models.compile_and_fit import streams_of

# Arguments that the small network leaves at their defaults.
CHANGED = {
    "r3d": {"mixed": True},
    "r2plus1d": {"midplanes": "convolution", "epsilon": 1e-3, "stem_pool": True, "split_all": True},
    "c3d": {"normalized": True},
    "i3d_resnet": {"inflated": False, "temporal_stride": 2},
    "csn": {"epsilon": 1e-3, "preserved": True},
    "tsn": {"depth": 14},
    "stc": {"reduction": 8},
    "t3d": {"temporal_depths": [1, 3]},
}
pytestmark = pytest.mark.parametrize("name", list(SMALL))


@pytest.mark.backends
def test_logits_are_the_dense_layer_on_the_pooled_features(name):
    model = made(name)
    x = clips_for(model)
    (F, logits), (W,) = answers(name)(x), model.class_weights
    assert tuple(F.shape[:1]) == (2,)
    expected = to_numpy(model.pool(F)) @ to_numpy(W) + to_numpy(model.classifier.bias)
    logits = to_numpy(logits)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(logits, axis=0).min() > 1e-3
    _, half = answers(name)(x[:1])
    np.testing.assert_allclose(to_numpy(half), logits[:1], rtol=1e-3, atol=1e-3)


@pytest.mark.backends
def test_a_step_lowers_the_loss(name):
    # C3D without normalisation sees pixels as they are, of a hundred, not of one.
    model = compiled(make(name, dropout=0.0), 1e-4 if name == "c3d" else 0.02, eager=True)
    x = clips_for(model)
    losses = model.fit(x, TARGETS, epochs=3, batch_size=2, shuffle=False, verbose=0).history["loss"]
    assert losses[-1] < 0.99 * losses[0]


def test_the_same_logits_after_every_way_of_saving(name, tmp_path):
    model = made(name)
    x = clips_for(model, 1)
    expected = to_numpy(model(x))  # no graph to compile: it takes seconds
    model.save(tmp_path / "model.keras")
    save_pretrained(model, tmp_path / "folder")
    for loaded in (load_model(tmp_path / "model.keras"), load_pretrained(tmp_path / "folder")):
        assert type(loaded) is type(model)
        np.testing.assert_array_equal(to_numpy(loaded(x)), expected)


@pytest.mark.backends
def test_optimized_it_says_the_same(name):
    model = made(name)
    x = clips_for(model, 1)
    fast = optimize(model, "float32")
    names = {layer.name for stream in streams_of(fast) for layer in stream.layers}
    convolutions = [name for name in names if name.endswith("_conv")]
    assert convolutions
    assert not any(name.removesuffix("_conv") + "_bn" in names for name in convolutions)
    found = at_once(fast, lambda clips: fast(clips, training=False))(x)
    _, expected = answers(name)(x)
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), rtol=1e-4, atol=1e-3)
    assert fast.count_params() <= model.count_params()


def test_a_copy_with_other_arguments_says_the_same(name):
    model = made(name)
    x = clips_for(model, 1)
    copy = model.copy_with(dropout=0.1)
    np.testing.assert_array_equal(to_numpy(copy(x)), to_numpy(model(x)))


@pytest.mark.slow
def test_exported_it_says_the_same(name, tmp_path):
    model = made(name)
    x = clips_for(model)
    exported = load_model(export(model, tmp_path / "model.onnx", maps="all").path)
    found = exported.predict(x)
    np.testing.assert_allclose(found, predict(model, x), rtol=1e-3, atol=1e-3)


def test_maps_weigh_the_features_with_the_classs_weights(name):
    model = made(name)
    x = clips_for(model, 1, 64)
    (F,), (W,) = model.features(x), model.class_weights
    maps = (to_numpy(model.places(F)) @ to_numpy(W)).mean(axis=1)  # (1, h, w, L), over time
    for label in range(3):
        found = attention_maps(model, x, classes=[label], size=F.shape[2:4]).spatial
        expected = maps[..., label]
        expected = (expected - expected.min()) / np.ptp(expected)
        np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-3)


def test_views_are_scored_at_every_place(name):
    model = made(name)
    x = clips_for(model, 1, 64)
    scores = to_numpy(ViewScorer(model, fully_convolutional=True)(x))
    (F,) = model.features(x)
    (trained,) = model.features(clips_for(model, 1))
    frames = to_numpy(model.before_pooling(F)).mean(axis=1)  # (1, h, w, C)
    side, window = frames.shape[1], trained.shape[2]
    logits = [
        model.classifier(model.places(frames[:, i : i + window, j : j + window].mean(axis=(1, 2))))
        for i in range(side - window + 1)
        for j in range(side - window + 1)
    ]
    assert len(logits) > 1
    expected = np.mean([to_numpy(keras.ops.softmax(each)) for each in logits], axis=0)
    np.testing.assert_allclose(scores, expected[:, None], rtol=1e-3, atol=1e-5)
    same = to_numpy(ViewScorer(model, fully_convolutional=True)(clips_for(model, 1)))
    plain = to_numpy(ViewScorer(model)(clips_for(model, 1)))
    np.testing.assert_allclose(same, plain, rtol=1e-4, atol=1e-5)


def test_the_config_makes_it_again(name):
    options = {"mean": [0.4, 0.5, 0.6], "std": 0.3, "dropout": 0.1, "form": "native"}
    flags = {"multi_label": True, "folded": True, "clips_per_group": 4}
    model = make(name, **options, **flags, **CHANGED.get(name, {}))
    check_config(model)
    assert keras.saving.get_registered_name(type(model)).startswith("keras_acl>")


def test_rematerialized_it_trains_the_same(name):
    model = made(name)
    x, weights = clips_for(model), model.get_weights()
    plain = to_numpy(model(x, training=True))
    model.rematerialize = True
    found = to_numpy(model(x, training=True))
    model.rematerialize = False
    model.set_weights(weights)  # training moved the running statistics
    np.testing.assert_allclose(found, plain, rtol=1e-3, atol=1e-3)


def test_logits_are_float32_in_mixed_precision(name):
    model = make(name, dtype="mixed_bfloat16")
    assert dtype_of(model(clips_for(model, 1))) == "float32"
