import dataclasses
from pathlib import Path

import numpy as np
import pytest
from made_scores import LABELS, made_scores

from keras_acl.evaluation.comparison import compare
from keras_acl.report.run import Run
from keras_acl.report.two_runs import comparison_context, display_names, flipped_videos

FIRST = made_scores(0)
SECOND = dataclasses.replace(made_scores(1, skill=3.0), model="other_net")


def runs(first=FIRST, second=SECOND) -> tuple[Run, Run]:
    return Run(Path("runs/one"), first), Run(Path("runs/two"), second)


def test_context_holds_the_comparison():
    context = comparison_context(*runs(), {"sports": LABELS[:3]}, ("a", "b"))
    expected = compare(FIRST, SECOND, {"sports": LABELS[:3]})
    assert context["overall"] == expected.overall
    assert context["groups"] == expected.groups
    assert set(context["classes"]) == set(expected.classes)
    changes = [row.change for row in context["classes"]]
    assert changes == sorted(changes, reverse=True)
    assert (context["same_protocol"], context["all_named"], context["profile"]) == (True, True, "")


def test_many_classes_get_a_profile():
    labels = [f"class {index}" for index in range(60)]
    pair = [made_scores(seed, labels, 300, 2) for seed in (0, 1)]
    context = comparison_context(*runs(*pair), {}, ("a", "b"))
    assert "All" not in context["profile"]
    assert "60 classes better" in context["profile"]
    assert context["bars"].count("<text") < 120
    assert not context["all_named"]


def test_flipped_videos_are_those_of_the_test():
    comparison = compare(FIRST, SECOND)
    gained, lost = flipped_videos(FIRST, SECOND, comparison)
    right = [s.probabilities.argmax(axis=1) == s.truth for s in (FIRST, SECOND)]
    assert gained["count"] == (right[1] & ~right[0]).sum() > 20
    assert lost["count"] == (right[0] & ~right[1]).sum() == len(lost["rows"])
    assert len(gained["rows"]) == 20
    for row in gained["rows"]:
        assert row["said"][0] != row["truth"] == row["said"][1]
    for row in lost["rows"]:
        assert row["said"][0] == row["truth"] != row["said"][1]
    steps = [abs(row["scores"][1] - row["scores"][0]) for row in gained["rows"]]
    assert steps == sorted(steps, reverse=True)


def test_flipped_videos_leave_out_what_one_run_did_not_score():
    second = dataclasses.replace(SECOND, probabilities=SECOND.probabilities.copy())
    second.probabilities[:] = np.nan
    second.probabilities[0] = np.eye(len(LABELS))[FIRST.truth[0]]
    tables = flipped_videos(FIRST, second, compare(FIRST, second))
    assert sum(len(table["rows"]) for table in tables) <= 1


def test_flipped_parts_of_one_file_are_told_apart():
    paths = (FIRST.paths[0],) * len(FIRST.paths)
    pair = [dataclasses.replace(scores, paths=paths) for scores in (FIRST, SECOND)]
    expected = [
        len(table["rows"]) for table in flipped_videos(FIRST, SECOND, compare(FIRST, SECOND))
    ]
    assert [len(t["rows"]) for t in flipped_videos(*pair, compare(*pair))] == expected


def test_other_protocol_is_noticed():
    protocol = dataclasses.replace(SECOND.protocol, crops=1)
    pair = runs(FIRST, dataclasses.replace(SECOND, protocol=protocol))
    assert not comparison_context(*pair, {}, ("a", "b"))["same_protocol"]


def test_other_classes_cannot_be_compared():
    with pytest.raises(ValueError, match="Only runs with the same classes"):
        comparison_context(*runs(FIRST, made_scores(labels=LABELS[:3])), {}, ("a", "b"))


def test_names_tell_runs_apart():
    assert display_names(*runs()) == ("some_net", "other_net")
    assert display_names(*runs(FIRST, FIRST)) == ("some_net (one)", "some_net (two)")
    one = Run(Path("runs/one"), FIRST)
    assert display_names(one, one) == ("some_net (one), first", "some_net (one), second")
