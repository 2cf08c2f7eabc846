import keras
import numpy as np
import pytest
from harness import to_numpy
from tiny_network import (
    TARGETS,
    compiled,
    fit,
    predict,
    random_clips,
    randomize,
    slowfast,
    two_stream,
)

from keras_acl.models import optimize

pytestmark = pytest.mark.backends

NETWORKS = {"two_stream": two_stream, "slowfast": slowfast}
# Of two clips and three classes: a stream that is sure of class 0, and one that knows nothing.
SURE = np.array([[50.0, 0, 0], [50.0, 0, 0]], "float32")
NOTHING = np.zeros((2, 3), "float32")
LN_3 = 1.0986123
ALONE = {"spatial_accuracy", "temporal_accuracy"}


def loss_of(model, labels, weights=None, training=True, **alone):
    outputs = {name: keras.ops.array(value) for name, value in alone.items()}
    outputs = {"logits": keras.ops.array(NOTHING), **outputs}
    weights = None if weights is None else keras.ops.array(weights, "float32")
    loss = model.compute_loss(None, keras.ops.array(labels), outputs, weights, training)
    return float(to_numpy(loss))


@pytest.mark.parametrize("network", NETWORKS)
def test_the_loss_of_each_stream_is_weighed(network):
    model = compiled(NETWORKS[network](stream_supervision=0.5))
    alone = {"spatial_logits": SURE, "temporal_logits": NOTHING}
    assert loss_of(model, [0, 0], **alone) == pytest.approx(LN_3 + 0.5 * LN_3)
    assert loss_of(model, [1, 0], **alone) == pytest.approx(LN_3 + 0.5 * (25 + LN_3))
    assert loss_of(model, [1, 0], [2, 0], **alone) == pytest.approx(
        LN_3 + 0.5 * (50 + LN_3)
    )  # the mean over the batch of weighed losses
    assert loss_of(model, [1, 0], training=False, **alone) == pytest.approx(LN_3)


@pytest.mark.parametrize("network", NETWORKS)
def test_logits_alone_add_up_to_those_of_both(network):
    model = randomize(NETWORKS[network]())
    logits = {name: to_numpy(value) for name, value in model.stream_logits(random_clips()).items()}
    bias = to_numpy(model.classifier.bias)
    both = logits["spatial_logits"] + logits["temporal_logits"] - bias
    np.testing.assert_allclose(logits["logits"], both, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logits["logits"], predict(model), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_fit_and_evaluate_tell_the_accuracy_of_each_stream(network):
    model = compiled(NETWORKS[network](stream_supervision=0.5))
    logs = fit(model, validation_data=(random_clips(), TARGETS))
    names = {"accuracy", "spatial_accuracy", "temporal_accuracy"}
    assert names | {f"val_{name}" for name in names} <= set(logs)
    alone = model.stream_logits(random_clips())
    for stream in ("spatial", "temporal"):
        right = to_numpy(alone[f"{stream}_logits"]).argmax(axis=1) == TARGETS
        assert logs[f"val_{stream}_accuracy"] == pytest.approx(right.mean())
    assert model.predict(random_clips(), verbose=0).shape == (2, 3)


def test_without_supervision_there_is_nothing_new():
    model = compiled(two_stream(), eager=True)
    logs = fit(model, validation_data=(random_clips(), TARGETS))
    assert not [name for name in logs if "spatial" in name or "temporal" in name]


def test_with_scam_the_spatial_logits_are_the_mean_of_s():
    model = two_stream(stream_supervision=1.0, scales=(1.0, 0.5))
    outputs = model(random_clips(), training=True)
    maps = []
    model.scam.call = lambda inputs, call=model.scam.call: maps.append(call(inputs)) or maps[0]
    outputs = model(random_clips(), training=True)
    expected = to_numpy(maps[0]).mean(axis=(1, 2)) + to_numpy(model.classifier.bias)
    np.testing.assert_allclose(to_numpy(outputs["spatial_logits"]), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_weight_that_is_set_counts_from_the_next_compile_and_is_saved(network, tmp_path):
    model = compiled(randomize(NETWORKS[network](dropout=0.0)), eager=True)
    assert ALONE.isdisjoint(fit(model))
    model.stream_supervision = 0.5
    assert set(fit(compiled(model, eager=True))) > ALONE
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.stream_supervision == 0.5
    assert fit(loaded) == pytest.approx(fit(model), rel=1e-3)
    model.stream_supervision = 0.0
    assert ALONE.isdisjoint(fit(compiled(model, eager=True)))


def test_weights_fit_the_same_network_whatever_its_supervision(tmp_path):
    without, supervised = randomize(two_stream()), two_stream(stream_supervision=0.5)
    without.save_weights(tmp_path / "without.weights.h5")
    supervised.load_weights(tmp_path / "without.weights.h5")
    np.testing.assert_array_equal(predict(supervised), predict(without))
    fit(compiled(supervised, eager=True))
    supervised.save_weights(tmp_path / "supervised.weights.h5")
    without.load_weights(tmp_path / "supervised.weights.h5")
    np.testing.assert_array_equal(predict(supervised), predict(without))


@pytest.mark.parametrize("network", NETWORKS)
def test_copies_keep_the_weight(network):
    model = randomize(NETWORKS[network](stream_supervision=0.5))
    assert model.copy_with(dropout=0.1).stream_supervision == 0.5
    fast = optimize(model, "float32")
    logs, expected = (
        compiled(each, eager=True).evaluate(random_clips(), TARGETS, verbose=0, return_dict=True)
        for each in (fast, model)
    )
    assert set(logs) > ALONE
    assert logs == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_weights_that_are_none(weight):
    with pytest.raises(ValueError, match=f"stream_supervision={weight}"):
        two_stream(stream_supervision=weight)
    model = two_stream(stream_supervision=0.5)
    with pytest.raises(ValueError, match=f"stream_supervision={weight}"):
        model.stream_supervision = weight
    assert model.stream_supervision == 0.5
