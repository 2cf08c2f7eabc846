import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_scores import certain, hand_made

from keras_acl.evaluation.metrics import (
    NOT_FOUND,
    ClassAccuracy,
    calibration,
    calibration_error,
    class_table,
    confusion_matrix,
    mean_class_accuracy,
    summary,
    top_k_accuracy,
    wilson_interval,
)

# Five scored videos: run twice, sit three times, wave never.
FIVE = hand_made(
    [
        [0.7, 0.2, 0.1],  # right
        [0.3, 0.1, 0.6],  # second best
        [0.1, 0.9, 0.0],  # right
        [0.5, 0.2, 0.3],  # last
        [0.1, 0.3, 0.6],  # second best
    ],
    [0, 0, 1, 1, 1],
)
# The same, and one each of: failed, not on disk, without a label, pending.
MORE = hand_made(
    [*FIVE.probabilities, None, None, [0.0, 0.0, 1.0], None],
    [*FIVE.truth, 2, 0, -1, 2],
    [*FIVE.problems, "broken", NOT_FOUND, None, None],
)


@pytest.mark.parametrize("scores", [FIVE, MORE], ids=["all done", "some not"])
class TestHandComputed:
    @pytest.mark.parametrize(("k", "share"), [(1, 0.4), (2, 0.8), (3, 1.0), (5, 1.0)])
    def test_top_k(self, scores, k, share):
        assert top_k_accuracy(scores, k) == pytest.approx(share)

    def test_mean_class_accuracy_leaves_out_classes_without_videos(self, scores):
        assert mean_class_accuracy(scores) == pytest.approx((1 / 2 + 1 / 3) / 2)

    def test_confusion_matrix(self, scores):
        matrix = confusion_matrix(scores)
        assert matrix.tolist() == [[1, 0, 1], [1, 1, 1], [0, 0, 0]]

    def test_class_table(self, scores):
        rows = class_table(scores)
        assert rows[:2] == [
            ClassAccuracy("run", 2, 1, "wave", 2),
            ClassAccuracy("sit", 3, 1, "run", 1),  # of equals the first
        ]
        assert rows[2] == ClassAccuracy("wave", 0, 0, None, 2)
        assert rows[1].accuracy == pytest.approx(1 / 3)
        assert math.isnan(rows[2].accuracy)
        assert [row.precision for row in rows] == pytest.approx([1 / 2, 1, 0])
        assert [row.f1 for row in rows] == pytest.approx([1 / 2, 1 / 2, 0])

    def test_calibration(self, scores):
        rows = calibration(scores, bins=5)  # best scores .7 .6 .9 .5 .6; right, wrong, right, ...
        assert [row.videos for row in rows] == [0, 0, 1, 3, 1]
        assert [(row.low, row.high) for row in rows][3] == pytest.approx((0.6, 0.8))
        assert rows[3].confidence == pytest.approx((0.7 + 0.6 + 0.6) / 3)
        assert rows[3].accuracy == pytest.approx(1 / 3)
        assert math.isnan(rows[0].confidence)
        assert math.isnan(rows[0].accuracy)
        # |0 - .5| once, |1/3 - 1.9/3| three times, |1 - .9| once
        assert calibration_error(rows) == pytest.approx((0.5 + 0.9 + 0.1) / 5)


def test_videos_that_failed_or_have_no_label_are_counted_not_scored():
    values = summary(MORE)
    assert (values.asked, values.found, values.failed, values.scored) == (9, 8, 1, 5)
    assert values.top1 == pytest.approx(0.4)
    assert values.top5 is None  # of three classes
    assert values.mean_class == pytest.approx(5 / 12)
    assert values.interval == wilson_interval(2, 5)
    assert values.calibration_error == calibration_error(calibration(MORE))
    assert str(values) == (
        "Top-1 40.00% (95 % interval 11.8% to 76.9%), mean over classes 41.67%; "
        "10 clips x 3 crops of 256, softmax averaged over 30 views. "
        "9 videos asked for, 8 found, 1 failed."
    )


def test_top_5_stands_where_there_are_more_classes():
    labels = tuple("abcdef")
    ascending = np.arange(6) / 15
    scores = hand_made([ascending, ascending], [1, 0], labels=labels)
    assert summary(scores).top5 == 0.5
    assert ", top-5 50.00%," in str(summary(scores))
    five = hand_made([np.ones(5) / 5], [4], labels=labels[:5])
    assert summary(five).top5 is None


def test_each_stream_alone_is_measured():
    labels = tuple("abcdef")
    descending = np.arange(6)[::-1] / 15
    scores = hand_made([descending] * 4, [0, 0, 1, 5], labels=labels)
    rows = np.float32([descending[::-1]] * 3 + [descending])
    values = summary(dataclasses.replace(scores, streams={"spatial": rows, "temporal": 1 - rows}))
    assert (values.top1, values.top5) == (0.5, 0.75)
    assert (values.streams["spatial"].top1, values.streams["spatial"].top5) == (0.0, 0.25)
    assert (values.streams["temporal"].top1, values.streams["temporal"].top5) == (0.75, 1.0)
    assert values.streams["temporal"].interval == wilson_interval(3, 4)
    assert str(values).splitlines()[1:] == [
        "Spatial stream alone: top-1 0.00% (95 % interval 0.0% to 49.0%), top-5 25.00%",
        "Temporal stream alone: top-1 75.00% (95 % interval 30.1% to 95.4%), top-5 100.00%",
    ]
    assert "75.00\xa0%" in values._repr_html_()


def test_of_equal_scores_the_first_classes_count():
    scores = hand_made([[0.4, 0.4, 0.2]] * 3, [0, 1, 2])
    assert top_k_accuracy(scores, 1) == pytest.approx(1 / 3)
    assert top_k_accuracy(scores, 2) == pytest.approx(2 / 3)
    assert confusion_matrix(scores)[:, 0].tolist() == [1, 1, 1]  # as top-1 has it
    assert mean_class_accuracy(scores) == pytest.approx(1 / 3)


def test_k_must_be_positive():
    with pytest.raises(ValueError, match=r"k >= 1\. Received: k=0"):
        top_k_accuracy(FIVE, 0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(2, 8))
def test_metrics_agree_with_each_other(seed, videos, classes):
    rng = np.random.default_rng(seed)
    scores = hand_made(
        rng.dirichlet(np.ones(classes), videos),
        rng.integers(0, classes, videos),
        labels=[f"class {index}" for index in range(classes)],
    )
    matrix, rows = confusion_matrix(scores), class_table(scores)
    assert matrix.sum() == sum(row.videos for row in rows) == videos
    assert top_k_accuracy(scores, 1) == pytest.approx(np.trace(matrix) / videos)
    shares = [top_k_accuracy(scores, k) for k in range(1, classes + 1)]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    bins = calibration(scores)
    assert sum(row.videos for row in bins) == videos
    assert sum(row.videos * row.accuracy for row in bins if row.videos) == pytest.approx(
        np.trace(matrix)
    )
    assert all(row.low - 1e-6 <= row.confidence <= row.high + 1e-6 for row in bins if row.videos)


def test_certainty_is_in_the_last_bin():
    rows = calibration(hand_made(certain([0, 1]), [0, 0]))
    assert [row.videos for row in rows] == [0] * 14 + [2]
    assert calibration_error(rows) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("correct", "videos", "low", "high"),
    [
        (8, 10, 0.4901625, 0.9433178),
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (81, 263, 0.2552577, 0.3661794),  # Newcombe, 1998, table I
        (15, 148, 0.0623866, 0.1604881),
        (0, 20, 0.0, 0.1611252),
        (1, 29, 0.0061128, 0.1717551),
    ],
)
def test_wilson_interval_has_the_published_values(correct, videos, low, high):
    assert wilson_interval(correct, videos) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("correct", "videos"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_interval_needs_videos(correct, videos):
    with pytest.raises(ValueError, match=f"Received: correct={correct}, videos={videos}"):
        wilson_interval(correct, videos)


@pytest.mark.parametrize(
    ("scores", "received"),
    [
        (hand_made([], []), "0 videos, 0 with scores, 0 with a label"),
        (hand_made([None, [1, 0, 0]], [0, -1]), "2 videos, 1 with scores, 1 with a label"),
    ],
)
def test_nothing_to_measure_is_said(scores, received):
    for measure in (summary, top_k_accuracy, mean_class_accuracy, confusion_matrix, calibration):
        with pytest.raises(ValueError, match=f"nothing to measure. Received: {received}"):
            measure(scores)


def test_a_summary_shows_itself():
    shown = summary(dataclasses.replace(MORE, labels=("<run>", "sit", "wave")))._repr_html_()
    assert "40.00\xa0%" in shown  # top-1
    assert "5 of 9" in shown  # videos scored
