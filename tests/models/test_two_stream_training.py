import json

import keras
import numpy as np
import pytest
from harness import crossentropy, to_numpy
from tiny_network import TARGETS, compiled, fit, random_clips, two_stream

from keras_acl.layers import AttentionConsistency
from keras_acl.models import TwoStreamClassifier

pytestmark = pytest.mark.backends

TRACED = keras.backend.backend() != "torch"  # torch runs eagerly: nothing to retrace

# Of two clips and three classes: all classes equally likely, so ℓ_c = ln 3 for any label.
LOGITS = np.zeros((2, 3), "float32")
DISAGREEMENT = np.array([[0.1, 0.2, 0.4], [0.3, 0.5, 0.7]], "float32")
LN_3 = 1.0986123


@pytest.fixture(scope="module")
def model() -> TwoStreamClassifier:
    """Compiled, never trained: λ = 1.5."""
    return compiled(two_stream())


def loss_and_term(model, labels, weights=None):
    """What `compute_loss` returns for the values above, and the metric it updated."""
    outputs = {
        "logits": keras.ops.array(LOGITS),
        "disagreement": keras.ops.array(DISAGREEMENT),
    }
    weights = None if weights is None else keras.ops.array(weights, "float32")
    model.consistency_metric.reset_state()
    loss = model.compute_loss(None, keras.ops.array(labels), outputs, weights)
    return float(to_numpy(loss)), float(to_numpy(model.consistency_metric.result()))


def test_eq_4(model):
    loss, term = loss_and_term(model, [2, 0])
    assert term == pytest.approx(0.35)  # (0.4 + 0.3) / 2
    assert loss == pytest.approx(LN_3 + 1.5 * 0.35)


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_eq_4_follows_the_variable(model, weight):
    model.consistency_weight.assign(weight)
    loss, term = loss_and_term(model, [2, 0])
    model.consistency_weight.assign(1.5)
    assert term == pytest.approx(0.35)  # the metric is unweighted
    assert loss == pytest.approx(LN_3 + weight * 0.35)


def test_sample_weights_weigh_both_terms(model):
    loss, _ = loss_and_term(model, [2, 0], [1, 3])
    assert loss == pytest.approx((1 + 3) / 2 * LN_3 + 1.5 * (0.4 + 3 * 0.3) / 2)
    loss, _ = loss_and_term(model, [2, 0], [0, 1])
    assert loss == pytest.approx(LN_3 / 2 + 1.5 * 0.3 / 2)


@pytest.mark.parametrize(
    ("labels", "term"),
    [([[0, 0, 1], [1, 0, 0]], 0.35), ([[0.5, 0.5, 0], [0, 0, 1]], (0.15 + 0.7) / 2)],
    ids=["one-hot", "mixed"],
)
def test_labels_as_weights(labels, term):
    model = two_stream()
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    found = loss_and_term(model, np.array(labels, "float32"))
    assert found == pytest.approx((LN_3 + 1.5 * term, term))


def test_all_classes():
    model = compiled(two_stream(consistency=AttentionConsistency(classes="all")))
    assert loss_and_term(model, [2, 0])[1] == pytest.approx((0.7 + 1.5) / 2)


def test_without_the_term_the_loss_is_plain(model):
    loss = model.compute_loss(None, np.array([2, 0]), keras.ops.array(LOGITS))
    assert float(to_numpy(loss)) == pytest.approx(LN_3)


# JAX compiles a step for long: there in the precision that could go wrong in more ways.
POLICIES = ["mixed_bfloat16"] if keras.backend.backend() == "jax" else ["float32", "mixed_bfloat16"]


@pytest.fixture(scope="module", params=POLICIES)
def trained(request):
    """A network with options of its own, after two epochs, and the history."""
    consistency = AttentionConsistency("mean", "l2", stop_gradient="spatial", name="mine")
    model = compiled(two_stream(dtype=request.param, dropout=0.0, consistency=consistency))
    history = model.fit(
        random_clips(),
        TARGETS,
        batch_size=2,
        epochs=2,
        validation_data=(random_clips(), TARGETS),
        verbose=0,
    )
    return model, history.history


def test_history(trained):
    _, history = trained
    assert set(history) == {"loss", "accuracy", "consistency", "val_loss", "val_accuracy"}
    assert np.isfinite(list(history.values())).all()
    assert min(history["consistency"]) > 0


def test_evaluation_has_no_term(trained):
    model, _ = trained
    logs = model.evaluate(random_clips(), TARGETS, batch_size=2, verbose=0, return_dict=True)
    assert set(logs) == {"loss", "accuracy"}
    logits = model.predict(random_clips(), batch_size=2, verbose=0)
    assert (logits.shape, logits.dtype) == ((2, 3), "float32")
    tolerance = 1e-5 if model.compute_dtype == "float32" else 0.02
    assert logs["loss"] == pytest.approx(crossentropy(logits, TARGETS), rel=tolerance)


def test_weight_changes_without_a_new_trace(trained, monkeypatch):
    model, _ = trained
    model.optimizer.learning_rate = 0.0
    before = model.get_weights()
    # So that the maps have all the contrast that counts.
    model.classifier.kernel.assign(10 * model.classifier.kernel)
    weights = model.get_weights()
    if TRACED:  # a compiled step does not run the Python code again
        monkeypatch.setattr(model.pathways, "call", None)
    logs = {}
    for weight in (0.0, 2.0):
        model.set_weights(weights)  # the second scale reads the running statistics
        model.consistency_weight.assign(weight)
        logs[weight] = fit(model)
    model.optimizer.learning_rate = 0.01
    model.set_weights(before)
    term = logs[0.0]["consistency"]
    assert term > 0.01
    assert logs[2.0]["consistency"] == pytest.approx(term, rel=1e-4)
    assert logs[2.0]["loss"] - logs[0.0]["loss"] == pytest.approx(2 * term, rel=1e-3)


def test_saved_and_loaded(trained, tmp_path):
    model, _ = trained
    model.consistency_weight.assign(0.25)  # as a callback left it
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is TwoStreamClassifier
    assert (loaded.clip, loaded.labels) == (model.clip, model.labels)
    assert json.dumps(loaded.get_config()) == json.dumps(model.get_config())
    assert loaded.consistency.get_config() == model.consistency.get_config()
    assert float(to_numpy(loaded.consistency_weight)) == 0.25
    found, expected = (m.predict(random_clips(), verbose=0) for m in (loaded, model))
    np.testing.assert_array_equal(found, expected)
    assert loaded.optimizer.iterations == model.optimizer.iterations
