import dataclasses

import pytest
from made_scores import hand_made

from keras_acl.evaluation import card_metric
from keras_acl.evaluation.scores import NOT_FOUND

# Five scored videos, and one each of: failed, not on disk, without a label, pending.
MORE = hand_made(
    [
        [0.7, 0.2, 0.1],  # right
        [0.3, 0.1, 0.6],
        [0.1, 0.9, 0.0],  # right
        [0.5, 0.2, 0.3],
        [0.1, 0.3, 0.6],
        *[None, None, [0.0, 0.0, 1.0], None],
    ],
    [0, 0, 1, 1, 1, 2, 0, -1, 2],
    [*[None] * 5, "broken", NOT_FOUND, None, None],
)


def test_a_card_says_what_was_measured():
    finished = dataclasses.replace(MORE, problems=(*MORE.problems[:-1], "broken"))
    metric = card_metric(finished, "keras-acl evaluate tiny videos")
    assert dataclasses.asdict(metric) == {
        "dataset": "hand made",
        "top1": 40.0,
        "top5": None,
        "videos": 5,
        "mean_average_precision": None,
        "protocol": "10 clips x 3 crops of 256, softmax averaged over 30 views",
        "measured_by": "keras-acl evaluate tiny videos",
    }
    third = hand_made([[0.9, 0.02, 0.02, 0.02, 0.02, 0.02]] * 3, [0, 1, 5], labels=tuple("abcdef"))
    metric = card_metric(third, "me")
    assert (metric.top1, metric.top5) == (33.33, 66.67)


def test_a_card_waits_for_the_whole_evaluation():
    with pytest.raises(ValueError, match="1 of 9 videos are pending: finish the evaluation"):
        card_metric(MORE, "me")
