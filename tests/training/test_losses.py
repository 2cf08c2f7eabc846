import keras
import numpy as np
import pytest
from harness import BASE_LOSS, check_config, to_numpy

from keras_acl.training.losses import Crossentropy, MeanCrossentropy, TopAccuracy

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
