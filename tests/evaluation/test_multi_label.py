import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_scores import hand_made

from keras_acl.evaluation import (
    Protocol,
    Scores,
    average_precision,
    compare,
    label_table,
    multi_label_summary,
    roc_curves,
    summary,
)
from keras_acl.evaluation.multi_label import chance_precision, mean_average_precision


def several(truth, probabilities, problems=None) -> Scores:
    rows = [[np.nan] * 3 if row is None else row for row in probabilities]
    return Scores(
        paths=tuple(f"{index}.mp4" for index in range(len(rows))),
        truth=np.array(truth, np.int32),
        probabilities=np.array(rows, np.float32),
        problems=tuple(problems or [None] * len(rows)),
        labels=("left", "red", "up"),
        protocol=Protocol(10, 3, 256, activation="sigmoid"),
    )


TRUTH = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]]
SCORES = [[0.9, 0.6, 0.1], [0.8, 0.2, 0.7], [0.4, 0.9, 0.2], [0.1, 0.3, 0.3]]


@pytest.mark.parametrize(
    ("positive", "values", "expected"),
    [
        ([1, 0, 1, 0], [4, 3, 2, 1], (1 + 2 / 3) / 2),
        ([0, 0, 1], [3, 2, 1], 1 / 3),
        ([1, 1, 0], [3, 2, 1], 1),
        ([1, 0], [5, 5], 1 / 2),  # equal scores have one rank
        ([0, 1, 0, 1], [9, 5, 5, 1], (1 / 3 + 2 / 4) / 2),
    ],
)
def test_average_precision_by_hand(positive, values, expected):
    found = average_precision(np.array(positive, bool), np.array(values, float))
    assert found == pytest.approx(expected)


def test_without_a_positive_there_is_none():
    assert math.isnan(average_precision(np.zeros(3, bool), np.arange(3.0)))


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=20).filter(
        lambda pairs: any(positive for positive, _ in pairs)
    )
)
def test_it_is_the_precision_at_the_rank_of_each_positive(pairs):
    positive, values = (np.array(column) for column in zip(*pairs, strict=True))
    at_rank = [positive[values >= value].mean() for value in values[positive]]
    assert average_precision(positive, values) == pytest.approx(np.mean(at_rank))
    shuffled = np.random.default_rng(0).permutation(len(values))
    again = average_precision(positive[shuffled], np.exp(values[shuffled]))
    assert again == pytest.approx(np.mean(at_rank))


def test_the_table_has_a_row_for_each_label():
    left, red, up = label_table(several(TRUTH, SCORES))
    assert (left.label, left.videos, red.videos, up.videos) == ("left", 2, 2, 0)
    assert left.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert (left.precision, left.recall, left.f1) == (0.5, 0.5, 0.5)  # 0 and 1 are said
    assert red.average_precision == pytest.approx((1 + 2 / 4) / 2)
    assert (red.precision, red.recall) == (0.5, 0.5)
    assert math.isnan(up.average_precision)
    assert (up.precision, up.f1) == (0, 0)  # said of video 1
    assert math.isnan(up.recall)


def test_the_summary_is_of_labels_that_some_video_has():
    scores = several(
        [*TRUTH, [-1, -1, -1], [1, 0, 1]], [*SCORES, [1, 1, 1], None], [None] * 5 + ["broken"]
    )
    values = multi_label_summary(scores)
    assert (values.asked, values.found, values.failed, values.scored) == (6, 6, 1, 4)
    assert values.classes == 2
    assert values.mean_average_precision == pytest.approx((5 / 6 + 3 / 4) / 2)
    assert (values.chance, values.f1) == (0.5, 0.5)
    assert "over 2 classes (at random 50.00%)" in str(values)
    assert "sigmoid averaged over 30 views" in str(values)
    assert "mean average precision" in values._repr_html_()


def test_each_stream_alone_has_a_mean_average_precision():
    plain = several(TRUTH, SCORES)
    backwards = 1 - plain.probabilities
    scores = dataclasses.replace(
        plain, streams={"spatial": plain.probabilities, "temporal": backwards}
    )
    values = multi_label_summary(scores)
    assert values.streams["spatial"] == values.mean_average_precision
    alone = multi_label_summary(dataclasses.replace(plain, probabilities=backwards))
    assert values.streams["temporal"] == alone.mean_average_precision
    assert "Temporal stream alone: mean average precision" in str(values)


def test_scores_at_random_have_the_precision_of_chance():
    rng = np.random.default_rng(0)
    truth = rng.random((4000, 3)) < [0.5, 0.2, 0]
    found = mean_average_precision(truth, rng.random((4000, 3)))
    assert found == pytest.approx(chance_precision(truth), abs=0.02)
    assert chance_precision(truth) == pytest.approx(0.35, abs=0.02)


@pytest.mark.parametrize(
    "ask",
    [summary, roc_curves, lambda scores: compare(scores, scores)],
    ids=["summary", "roc_curves", "compare"],
)
def test_numbers_of_one_label_a_video_are_refused(ask):
    with pytest.raises(ValueError, match=r"several.* label_table"):
        ask(several(TRUTH, SCORES))


def test_one_label_a_video_is_refused():
    with pytest.raises(ValueError, match="one label each"):
        multi_label_summary(hand_made([[1, 0, 0]], [0]))
    with pytest.raises(ValueError, match=r"nothing to measure\. Received: 4 videos, 4 with scores"):
        multi_label_summary(several(np.full((4, 3), -1), SCORES))


def test_they_are_saved_and_say_the_labels_of_a_video(tmp_path):
    scores = several([*TRUTH[:3], [-1, -1, -1]], SCORES)
    scores.save(tmp_path / "scores.npz")
    again = Scores.load(tmp_path)
    assert again.same_evaluation(scores)
    assert again.multi_label
    assert [again.video(index).label for index in range(4)] == [(0,), (1,), (0, 1), None]
    assert again.labelled.tolist() == [True, True, True, False]


@pytest.mark.parametrize("truth", [[[1, 0, 2]], [[1, 0]]])
def test_a_truth_that_makes_no_sense_is_refused(truth):
    with pytest.raises(ValueError, match="Expected"):
        several(truth, [[0, 0, 0]])
