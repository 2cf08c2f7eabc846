import keras
import numpy as np
import pytest
from harness import BASE_LOSS, check_config, to_numpy

from keras_acl.training.losses import (
    Crossentropy,
    MeanAveragePrecision,
    MeanCrossentropy,
    TopAccuracy,
)

pytestmark = pytest.mark.backends

LOGITS = np.array([[np.log(3), 0.0]], "float32")  # probabilities 3/4, 1/4


@pytest.mark.parametrize("labels", [[0], [[0]], [[1.0, 0.0]]])
def test_crossentropy_takes_labels_in_every_form(labels):
    assert float(Crossentropy()(np.array(labels), LOGITS)) == pytest.approx(np.log(4 / 3), rel=1e-5)


def test_soft_labels_by_hand():
    expected = -(0.3 * np.log(0.75) + 0.7 * np.log(0.25))
    assert float(Crossentropy()(np.array([[0.3, 0.7]]), LOGITS)) == pytest.approx(
        expected, rel=1e-5
    )


def test_label_smoothing_by_hand():
    expected = -(0.9 * np.log(0.75) + 0.1 * np.log(0.25))  # ε = 0.2: targets 0.9, 0.1
    loss = Crossentropy(label_smoothing=0.2)
    assert float(loss(np.array([0]), LOGITS)) == pytest.approx(expected, rel=1e-5)
    copy = Crossentropy.from_config(loss.get_config())
    assert float(copy(np.array([0]), LOGITS)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("labels", [[0, 1], [[1.0, 0.0], [0.0, 1.0]]])
def test_classes_are_weighted_as_in_fit(labels):
    logits = np.repeat(LOGITS, 2, axis=0)
    loss = Crossentropy(0.2, class_weights=[0.5, 3.0], reduction=None)
    plain = Crossentropy(0.2, reduction=None)(np.array(labels), logits)
    weighted = loss(np.array(labels), logits)
    np.testing.assert_allclose(to_numpy(weighted), to_numpy(plain) * [0.5, 3.0], rtol=1e-6)
    check_config(loss, BASE_LOSS)


def test_soft_labels_are_weighted_by_their_shares():
    values = -(0.3 * np.log(0.75) + 0.7 * np.log(0.25))
    loss = Crossentropy(class_weights=[0.5, 3.0])
    found = float(loss(np.array([[0.3, 0.7]]), LOGITS))
    assert found == pytest.approx(values * (0.3 * 0.5 + 0.7 * 3.0), rel=1e-5)


@pytest.mark.parametrize("label_smoothing", [-0.1, 1.0])
def test_smoothing_out_of_range_is_refused(label_smoothing):
    with pytest.raises(ValueError, match=f"label_smoothing={label_smoothing}"):
        Crossentropy(label_smoothing)


@pytest.mark.parametrize(("k", "share"), [(1, 1 / 3), (2, 2 / 3), (3, 1.0)])
@pytest.mark.parametrize("soft", [False, True])
def test_top_accuracy_by_hand(k, share, soft):
    logits = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], "float32")
    labels = np.array([0, 1, 2])
    metric = TopAccuracy(k)
    metric.update_state(0.6 * np.eye(3)[labels] + 0.1 if soft else labels, logits)
    assert float(metric.result()) == pytest.approx(share)
    assert TopAccuracy.from_config(metric.get_config()).k == k


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="torch refuses such a label with an error"
)
def test_a_label_that_is_no_class_is_no_hit_and_no_loss():
    metric = TopAccuracy()
    metric.update_state(np.array([2, 0]), np.repeat(LOGITS, 2, axis=0))
    assert float(metric.result()) == 0.5
    assert np.isnan(float(Crossentropy()(np.array([2]), LOGITS)))


@pytest.mark.parametrize("k", [1, 2])
def test_of_equal_logits_the_label_comes_last(k):
    metric = TopAccuracy(k)
    metric.update_state(np.array([0, 1, 2]), np.zeros((3, 3), "float32"))
    assert float(metric.result()) == 0
    metric.update_state(np.array([0]), np.array([[1.0, 0.0, 0.0]], "float32"))
    assert float(metric.result()) == 0.25


def test_the_accuracy_of_logits_that_are_no_numbers_is_no_number():
    metric = TopAccuracy()
    metric.update_state(np.array([0, 1]), np.array([[1.0, 0.0], [np.nan, np.nan]], "float32"))
    assert np.isnan(float(metric.result()))


def test_the_metric_of_crossentropy_is_the_loss():
    metric = MeanCrossentropy(label_smoothing=0.2)
    labels, logits = np.array([0, 1]), np.array([[2.0, 0.5], [0.0, 1.5]], "float32")
    metric.update_state(labels[:1], logits[:1])
    metric.update_state(labels[1:], logits[1:])
    expected = float(Crossentropy(label_smoothing=0.2)(labels, logits))
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
    assert MeanCrossentropy.from_config(metric.get_config()).loss.label_smoothing == 0.2


def mean_average_precision(labels, logits, weights=None, batch=2) -> float:
    labels, logits = np.array(labels, "float32"), np.array(logits, "float32")
    metric = MeanAveragePrecision(logits.shape[-1])
    for first in range(0, len(logits), batch):
        part = slice(first, first + batch)
        metric.update_state(labels[part], logits[part], None if weights is None else weights[part])
    copy = MeanAveragePrecision.from_config(metric.get_config())
    assert (copy.name, copy.num_classes) == ("mean_average_precision", logits.shape[-1])
    return float(metric.result())


def test_mean_average_precision_is_one_where_the_positives_come_first():
    labels = [[1, 0], [0, 1], [1, 1], [0, 0]]
    assert mean_average_precision(labels, [[5, -9], [-8, 0], [6, 1], [4, -1]]) == pytest.approx(1)
    # However near each other the scores of a network that was hardly trained are.
    near = np.array([[5, -9], [-8, 0], [6, 1], [4, -1]]) * 0.2 - 6
    assert mean_average_precision(labels, near) == pytest.approx(1)


def test_it_is_compiled_and_knows_logits_that_are_no_numbers():
    labels = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], "float32")
    logits = np.array([[5, -9], [-8, 0], [6, 1], [4, np.nan]], "float32")
    model = keras.Sequential([keras.layers.Identity()])
    model.compile(metrics=[MeanAveragePrecision(2)], loss="mse")
    logs = model.evaluate(logits, labels, batch_size=2, verbose=0, return_dict=True)
    assert logs["mean_average_precision"] == pytest.approx(1)


def test_classes_without_a_positive_clip_are_left_out():
    labels, logits = [[1, 0], [0, 0], [0, 0]], [[3, 3], [2, 2], [1, 1]]
    assert mean_average_precision(labels, logits) == pytest.approx(1)
    assert mean_average_precision(np.zeros((3, 2)), logits) == 0


@pytest.mark.parametrize("scale", [0.05, 1.0, 8.0])
def test_it_is_near_the_exact_one(scale):
    """However sure the network is: the order of the clips alone counts."""
    rng = np.random.default_rng(0)
    labels = rng.random((400, 3)) < [0.5, 0.2, 0.05]
    logits = scale * (labels * [2, 1, 1.5] + rng.normal(size=(400, 3)))
    exact = []
    for positive, values in zip(labels.T, logits.T, strict=True):
        hits = positive[np.argsort(-values)]
        exact.append((np.cumsum(hits) / np.arange(1, 401))[hits].mean())
    found = mean_average_precision(labels, logits, batch=50)
    assert found == pytest.approx(np.mean(exact), abs=0.01)


def test_labels_that_were_mixed_are_positive_from_one_half_on_and_clips_have_weights():
    labels, logits = [[0.6, 0.0], [0.4, 1.0]], [[1.0, -2.0], [-1.0, 2.0]]
    assert mean_average_precision(labels, logits) == pytest.approx(1)
    labels, logits = [[1, 1], [0, 0], [1, 1]], [[2, 5], [1, 4], [0, 3]]
    assert mean_average_precision(labels, logits) < 0.95
    weights = np.array([1, 0, 1], "float32")
    assert mean_average_precision(labels, logits, weights) == pytest.approx(1)
