import dataclasses
from pathlib import Path

import numpy as np
import pytest
from made_scores import LABELS, made_scores

from keras_acl.evaluation.metrics import NOT_FOUND, class_table, summary, wilson_interval
from keras_acl.report.one_run import (
    Strips,
    confused_pairs,
    group_rows,
    hardest_videos,
    run_context,
    short_paths,
)
from keras_acl.report.run import Run


def scores_of(rows, truth, labels=("a", "b", "c")):
    made = made_scores(labels=labels, count=len(truth))
    return dataclasses.replace(
        made, probabilities=np.array(rows, np.float32), truth=np.array(truth, np.int32)
    )


def context_of(scores, groups=(), **changes):
    return run_context(Run(Path("run"), scores, **changes), dict(groups), [], Strips(), "run1")


def test_hardest_are_wrong_and_ordered():
    rows = [
        [0.9, 0.05, 0.05],  # right
        [0.7, 0.1, 0.2],  # wrong, 0.1
        [0.6, 0.3, 0.1],  # wrong, 0.3
        [0.95, 0.02, 0.03],  # wrong, 0.03
        [np.nan] * 3,
        [0.1, 0.8, 0.1],  # no label
    ]
    scores = scores_of(rows, [0, 1, 1, 2, 1, -1])
    hardest = hardest_videos(scores, 8)
    assert [video.index for video in hardest] == [3, 1, 2]
    assert (hardest[1].truth, hardest[1].predicted, hardest[1].rank) == (1, 0, 3)
    assert hardest[1].score == pytest.approx(0.1)
    assert hardest[0].top == (
        ("a", pytest.approx(0.95)),
        ("c", pytest.approx(0.03)),
        ("b", pytest.approx(0.02)),
    )
    assert len(hardest_videos(scores, 2)) == 2
    assert hardest_videos(scores, 0) == []


def test_confused_pairs_are_counted():
    matrix = np.array([[5, 3, 0], [0, 4, 1], [0, 0, 0]])
    assert confused_pairs(matrix, ("a", "b", "c")) == [
        {"truth": "a", "predicted": "b", "videos": 3, "share": 3 / 8},
        {"truth": "b", "predicted": "c", "videos": 1, "share": 1 / 5},
    ]
    assert confused_pairs(np.diag([3, 4]), ("a", "b")) == []
    assert matrix[0, 0] == 5


def test_groups_add_up():
    scores = made_scores()
    rows = class_table(scores)
    [group, nobody] = group_rows(rows, {"first": [*LABELS[:2], LABELS[0]], "nobody": []})
    correct, videos = (sum(getattr(row, n) for row in rows[:2]) for n in ("correct", "videos"))
    assert group["accuracy"] == correct / videos
    assert group["interval"] == wilson_interval(correct, videos)
    assert group["members"] == list(LABELS[:2])
    assert (nobody["videos"], nobody["accuracy"], nobody["interval"]) == (0, None, None)


def test_context_sorts_failed_from_missing():
    scores = made_scores(count=20)
    scores.probabilities[[1, 2, 5]] = np.nan
    problems = [None] * 20
    problems[1], problems[2] = "cut off", NOT_FOUND
    context = context_of(dataclasses.replace(scores, problems=tuple(problems)))
    assert context["failed"] == [{"name": "1/0001.mp4", "reason": "cut off", "missing": False}]
    assert [row["name"] for row in context["missing"]] == ["2/0002.mp4"]
    assert context["pending"] == 1
    assert context["summary"] == summary(dataclasses.replace(scores, problems=tuple(problems)))


def test_tables_of_few_and_of_many_classes():
    few = context_of(made_scores())["table"]
    assert (few["worst"], few["best"]) == ([], [])
    accuracies = [row["row"].accuracy for row in few["all"]]
    assert accuracies == sorted(accuracies)
    many = context_of(made_scores(labels=[f"c{i}" for i in range(50)], count=200))
    assert not many["named"]
    assert len(many["table"]["worst"]) == len(many["table"]["best"]) == 10
    assert many["table"]["best"][0]["row"].accuracy >= many["table"]["worst"][-1]["row"].accuracy
    assert many["table"]["best"][0] == many["table"]["all"][-1]


def test_classes_without_videos_are_named():
    scores = scores_of([[0.9, 0.1, 0], [0.4, 0.6, 0]], [0, 0])
    table = context_of(scores)["table"]
    assert table["unseen"] == ["b", "c"]
    assert [row["row"].label for row in table["all"]] == ["a"]


@pytest.mark.parametrize(
    ("paths", "folder", "names"),
    [
        (("/v/a/1.mp4", "/v/b/2.mp4"), "/v", ["a/1.mp4", "b/2.mp4"]),
        (("/1.mp4", "/2.mp4"), "/", ["1.mp4", "2.mp4"]),
        (("a/1.mp4",), "a", ["1.mp4"]),
        (("1.mp4", "a/2.mp4"), "", ["1.mp4", "a/2.mp4"]),
        (("1.mp4", "/a/2.mp4"), "", ["1.mp4", "/a/2.mp4"]),
    ],
)
def test_short_paths(paths, folder, names):
    scores = scores_of(np.full((len(paths), 3), 1 / 3), [0] * len(paths))
    assert short_paths(dataclasses.replace(scores, paths=paths)) == (folder, names)


def test_short_paths_without_a_video_on_disk():
    scores = dataclasses.replace(made_scores(count=2), problems=(NOT_FOUND, NOT_FOUND))
    assert short_paths(scores) == ("", list(scores.paths))


def test_each_stream_has_its_accuracies():
    scores = made_scores(labels=("run", "sit", "wave"), count=6)  # two videos of each
    sure = np.eye(3, dtype=np.float32)
    streams = {"spatial": sure[[0, 1, 1, 0, 1, 1]], "temporal": sure[[2] * 6]}
    found = context_of(dataclasses.replace(scores, streams=streams))
    rows = {row["name"]: row for row in found["streams"]}
    assert list(rows) == ["both together", "spatial alone", "temporal alone"]
    assert rows["both together"]["accuracy"].top1 == found["summary"].top1
    assert rows["spatial alone"]["accuracy"].top1 == pytest.approx(4 / 6)
    assert rows["temporal alone"]["mean_class"] == pytest.approx(1 / 3)
    alone = {one["row"].label: one["alone"] for one in found["table"]["all"]}
    assert alone == {"run": [1.0, 0.0], "sit": [1.0, 0.0], "wave": [0.0, 1.0]}
    found = context_of(scores)
    assert found["streams"] == []
    assert [one["alone"] for one in found["table"]["all"]] == [[]] * 3


def test_curves_are_drawn_where_there_is_a_history():
    assert context_of(made_scores())["curves"] == []
    history = {"epoch": [0.0, 1.0], "loss": [2.0, 1.0]}
    assert len(context_of(made_scores(), history=history)["curves"]) == 1
