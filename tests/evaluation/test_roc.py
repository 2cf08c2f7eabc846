import numpy as np
import pytest
from made_scores import hand_made, made_scores

from keras_acl.evaluation.roc import mean_area, mean_curve, roc_curves


def two_classes(values, truth):
    """Scores of two classes, from those of the second."""
    return hand_made([[1 - value, value] for value in values], truth, labels=("no", "yes"))


def test_a_curve_by_hand():
    _, yes = roc_curves(two_classes([0.9, 0.8, 0.6, 0.3], [1, 0, 1, 0]))
    assert yes.label == "yes"
    np.testing.assert_allclose(yes.false_positives, [0, 0, 0.5, 0.5, 1])
    np.testing.assert_allclose(yes.true_positives, [0, 0.5, 0.5, 1, 1])
    assert yes.area == pytest.approx(3 / 4)  # pairs in the right order: 3 of 4


def test_videos_of_equal_score_count_half():
    no, yes = roc_curves(two_classes([0.5, 0.5, 0.5], [1, 0, 0]))
    assert (no.area, yes.area) == (0.5, 0.5)


def test_the_area_is_the_share_of_pairs_in_order():
    scores = made_scores(seed=3)
    curves = roc_curves(scores)
    assert [curve.label for curve in curves] == list(scores.labels)
    for index, curve in enumerate(curves):
        values = scores.probabilities[:, index]
        one, other = values[scores.truth == index], values[scores.truth != index]
        assert curve.area == pytest.approx((one[:, None] > other).mean())
    assert mean_area(curves) == pytest.approx(np.mean([curve.area for curve in curves]))
    mean = mean_curve(curves)
    assert mean.area == pytest.approx(mean_area(curves), abs=5e-3)
    assert np.diff(mean.true_positives).min() >= 0


def test_a_class_without_videos_has_no_curve():
    curves = roc_curves(hand_made([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1]], [0, 1]))
    assert [curve.label for curve in curves] == ["run", "sit"]
    assert np.isnan(mean_area([]))
