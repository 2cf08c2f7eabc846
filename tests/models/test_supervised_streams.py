import keras
import numpy as np
import pytest
from harness import to_numpy
from tiny_network import (
    EAGER,
    TARGETS,
    compiled,
    fit,
    in_training,
    predict,
    random_clips,
    randomize,
    slowfast,
    two_stream,
)

from keras_acl.models import optimize
from keras_acl.training.losses import Crossentropy

pytestmark = pytest.mark.backends

NETWORKS = {"two_stream": two_stream, "slowfast": slowfast}
# Of two clips and three classes: a stream that is sure of class 0, and one that knows nothing.
SURE = np.array([[50.0, 0, 0], [50.0, 0, 0]], "float32")
NOTHING = np.zeros((2, 3), "float32")
LN_2, LN_3 = 0.6931472, 1.0986123
BINARY = keras.losses.BinaryCrossentropy(from_logits=True)
ALONE = {"spatial_accuracy", "temporal_accuracy"}


def loss_of(model, labels, weights=None, training=True, **alone):
    outputs = {name: keras.ops.array(value) for name, value in alone.items()}
    outputs = {"logits": keras.ops.array(NOTHING), **outputs}
    weights = None if weights is None else keras.ops.array(weights, "float32")
    loss = model.compute_loss(None, keras.ops.array(labels), outputs, weights, training)
    return float(to_numpy(loss))


def evaluate(model):
    return model.evaluate(random_clips(), TARGETS, verbose=0, return_dict=True)


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


@pytest.mark.parametrize(
    ("labels", "loss", "both", "alone"),
    [
        ([[0], [1]], Crossentropy(), LN_3, 25 + LN_3),
        ([[1.0, 0, 0], [0, 1.0, 0]], Crossentropy(), LN_3, 25 + LN_3),
        ([[0.7, 0.3, 0], [0.5, 0.25, 0.25]], Crossentropy(), LN_3, 20 + LN_3),  # mixed up
        ([0, 0], Crossentropy(label_smoothing=0.3), LN_3, 10 + LN_3),
        ([0, 1], Crossentropy(class_weights=[1, 4, 1]), 2.5 * LN_3, 100 + 2.5 * LN_3),
        ([[1, 1, 0], [0, 0, 1]], BINARY, LN_2, (50 + 4 * LN_2) / 6 + LN_2),  # multi-hot
    ],
)
def test_streams_learn_from_labels_of_every_form(labels, loss, both, alone):
    model = two_stream(stream_supervision=0.5)
    model.compile("sgd", loss)
    outputs = {"spatial_logits": SURE, "temporal_logits": NOTHING}
    assert loss_of(model, labels, **outputs) == pytest.approx(both + 0.5 * alone)


def test_clips_that_weigh_nothing_count_in_no_stream():
    model = compiled(two_stream(stream_supervision=0.5))
    outputs = {"logits": NOTHING, "spatial_logits": SURE, "temporal_logits": SURE}
    outputs = {name: keras.ops.array(value) for name, value in outputs.items()}
    weights = keras.ops.array([0.0, 2.0])
    logs = model.compute_metrics(None, keras.ops.array([1, 0]), outputs, weights)
    assert float(logs["spatial_accuracy"]) == float(logs["temporal_accuracy"]) == 1.0


def test_logits_alone_are_float32_in_mixed_precision():
    exact, mixed = (
        randomize(two_stream(stream_supervision=0.5, dtype=dtype, dropout=0.0))
        for dtype in ("float32", "mixed_bfloat16")
    )
    found, expected = (in_training(model) for model in (mixed, exact))
    for name in ("spatial_logits", "temporal_logits"):
        assert keras.backend.standardize_dtype(found[name].dtype) == "float32"
        np.testing.assert_allclose(to_numpy(found[name]), to_numpy(expected[name]), atol=0.15)


def test_accumulated_gradients_are_those_of_a_larger_batch():
    # A smaller scale would see the running statistics that the first batch moved.
    options = {"dropout": 0.0, "clips_per_group": 2, "scales": (1.0,)}
    x, y = random_clips(4), np.array([2, 0, 1, 1])
    trained = []
    for batch_size, steps in ((4, None), (2, 2)):
        model = randomize(two_stream(stream_supervision=0.5, **options))
        optimizer = keras.optimizers.SGD(0.01, gradient_accumulation_steps=steps)
        model.compile(optimizer, Crossentropy(), run_eagerly=EAGER)
        model.fit(x, y, batch_size, shuffle=False, verbose=0)
        trained.append(model)
    pairs = zip(*(model.trainable_variables for model in trained), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(to_numpy(other), to_numpy(one), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_logits_alone_add_up_to_those_of_both(network):
    model = randomize(NETWORKS[network]())
    logits = {name: to_numpy(value) for name, value in model.stream_logits(random_clips()).items()}
    bias = to_numpy(model.classifier.bias)
    both = logits["spatial_logits"] + logits["temporal_logits"] - bias
    np.testing.assert_allclose(logits["logits"], both, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logits["logits"], predict(model), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_fit_and_evaluate_tell_the_accuracy_of_each_stream(network, eager):
    model = compiled(NETWORKS[network](stream_supervision=0.5, dropout=0.0))
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
    assert ALONE.isdisjoint(evaluate(model))
    model.stream_supervision = 0.5
    assert set(fit(compiled(model, eager=True))) > ALONE
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.stream_supervision == 0.5
    assert fit(loaded) == pytest.approx(fit(model), rel=1e-3)
    model.stream_supervision = 0.0
    assert ALONE.isdisjoint(evaluate(compiled(model, eager=True)))


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
    logs, expected = (evaluate(compiled(each, eager=True)) for each in (fast, model))
    assert set(logs) > ALONE
    assert logs == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("weight", [-1, float("nan"), None, "0.5", float("inf")])
def test_weights_that_are_none(weight):
    with pytest.raises(ValueError, match=f"stream_supervision={weight!r}"):
        two_stream(stream_supervision=weight)
    model = two_stream(stream_supervision=0.5)
    with pytest.raises(ValueError, match=f"stream_supervision={weight!r}"):
        model.stream_supervision = weight
    assert model.stream_supervision == 0.5
