import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_scores import MOVES, certain, hand_made

from keras_acl.evaluation.comparison import compare, holm, mcnemar


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        (10, 2, 0.03857421875),  # 2 (1 + 12 + 66) / 4096
        (2, 10, 0.03857421875),
        (5, 0, 0.0625),
        (6, 0, 0.03125),
        (0, 0, 1.0),
        (1, 0, 1.0),
        (4, 4, 1.0),
        (7, 8, 1.0),
        (1, 8, 0.0390625),  # 2 (1 + 9) / 512
    ],
)
def test_mcnemar_is_exact(gained, lost, p):
    assert mcnemar(gained, lost) == p


def test_mcnemar_of_large_numbers():
    assert mcnemar(1100, 0) == 0.0  # below what a float can hold
    # A normal approximation with continuity correction: z = (|gained - lost| - 1) / sqrt(both).
    normal = math.erfc(199 / math.sqrt(12_000) / math.sqrt(2))
    assert mcnemar(6100, 5900) == pytest.approx(normal, rel=1e-3)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.2, 0.9, 0.4]) == pytest.approx([0.6, 0.9, 0.8])
    assert holm([0.6, 0.7]) == [1.0, 1.0]  # never above 1, never falling
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1))
def test_holm_keeps_the_order(values):
    adjusted = holm(values)
    assert all(mine >= p for mine, p in zip(adjusted, values, strict=True))
    assert max(adjusted) <= 1
    by_rank = [adjusted[index] for index in np.argsort(values, kind="stable")]
    assert by_rank == sorted(by_rank)
    assert by_rank[0] == min(1, len(values) * min(values))


TRUTH = [0, 0, 0, 0, 1, 1, 1, 2]
FIRST = hand_made(certain([0, 1, 1, 1, 1, 1, 0, 2]), TRUTH)
SECOND = hand_made(certain([0, 0, 0, 0, 1, 0, 0, 2]), TRUTH, fingerprint="other weights")


def assert_row(row, name, videos, first, second, gained, lost, p) -> None:
    assert (row.name, row.videos, row.gained, row.lost) == (name, videos, gained, lost)
    assert (row.first, row.second, row.p) == pytest.approx((first, second, p))
    assert row.change == pytest.approx(second - first)


def assert_difference_of_the_two(found) -> None:
    assert_row(found.overall, "all", 8, 4 / 8, 6 / 8, 3, 1, 0.625)
    assert found.overall.adjusted == 0.625  # of one
    run, sit, wave = found.classes
    assert_row(run, "run", 4, 1 / 4, 1, 3, 0, 0.25)
    assert_row(sit, "sit", 3, 2 / 3, 1 / 3, 0, 1, 1)
    assert_row(wave, "wave", 1, 1, 1, 0, 0, 1)
    assert [row.adjusted for row in found.classes] == [0.75, 1, 1]


def reordered(scores, order, **changes):
    taken = [list(values) for values in (scores.paths, scores.problems)]
    return dataclasses.replace(
        scores,
        paths=tuple(taken[0][index] for index in order),
        problems=tuple(taken[1][index] for index in order),
        truth=scores.truth[order],
        probabilities=scores.probabilities[order],
        **changes,
    )


def test_two_runs_by_hand():
    assert_difference_of_the_two(compare(FIRST, SECOND))
    assert compare(FIRST, SECOND).groups == ()  # the paper's classes are not here


def test_the_order_of_videos_does_not_matter():
    order = np.random.default_rng(0).permutation(8)
    assert_difference_of_the_two(compare(FIRST, reordered(SECOND, order)))
    assert_difference_of_the_two(compare(reordered(FIRST, order[::-1]), SECOND))


def test_videos_that_one_run_lacks_are_left_out():
    first = hand_made(
        [*FIRST.probabilities, None, [1, 0, 0], [1, 0, 0], [1, 0, 0], None],
        [*TRUTH, 0, 0, 0, -1, 0],
        [*FIRST.problems, "broken", None, None, None, None],
        paths=[*FIRST.paths, "failed.mp4", "failed too.mp4", "here.mp4", "unlabelled.mp4", "p.mp4"],
    )
    second = hand_made(
        [*SECOND.probabilities, [1, 0, 0], None, [1, 0, 0], [1, 0, 0], [1, 0, 0]],
        [*TRUTH, 0, 0, 0, -1, 0],
        [*SECOND.problems, None, "broken", None, None, None],
        paths=[
            *SECOND.paths,
            "failed.mp4",
            "failed too.mp4",
            "there.mp4",
            "unlabelled.mp4",
            "p.mp4",
        ],
    )
    assert_difference_of_the_two(compare(first, second))


def test_parts_of_one_file_are_paired_one_by_one():
    paths = ["long.mp4", "long.mp4", "other.mp4", "long.mp4"]
    first = hand_made(certain([0, 1, 2, 0]), [0, 1, 2, 0], paths=paths)
    second = hand_made(certain([0, 2, 2, 1]), [0, 1, 2, 0], paths=paths)
    found = compare(first, second).overall
    assert (found.videos, found.gained, found.lost) == (4, 0, 2)


def test_groups_of_classes():
    groups = {"legs": ["run"], "calm": ["sit", "wave", "sit"], "none": []}
    legs, calm, none = compare(FIRST, SECOND, groups).groups
    assert_row(legs, "legs", 4, 1 / 4, 1, 3, 0, 0.25)
    assert_row(calm, "calm", 4, 3 / 4, 2 / 4, 0, 1, 1)
    assert (none.videos, none.p, none.adjusted) == (0, 1, 1)
    assert math.isnan(none.first)
    assert math.isnan(none.change)
    assert legs.adjusted == 0.5  # of two groups: nothing was tested in the empty one
    with pytest.raises(ValueError, match=r"Group 'legs' has unknown classes: hop, jump"):
        compare(FIRST, SECOND, {"legs": ["run", "jump", "hop"]})


def test_the_papers_groups_stand_where_their_classes_are():
    labels = ("archery", "applauding", "sit")
    first, second = (dataclasses.replace(scores, labels=labels) for scores in (FIRST, SECOND))
    crowds, fast = compare(first, second).groups
    assert_row(crowds, "crowds", 3, 2 / 3, 1 / 3, 0, 1, 1)
    assert_row(fast, "fast moving", 4, 1 / 4, 1, 3, 0, 0.25)


def test_classes_without_videos_cost_no_significance():
    labels = [*MOVES, *(f"empty {index}" for index in range(97))]
    first = hand_made(certain([1] * 6, 100), [0] * 6, labels=labels)
    second = hand_made(certain([0] * 6, 100), [0] * 6, labels=labels)
    rows = compare(first, second).classes
    assert len(rows) == 100
    assert rows[0].p == rows[0].adjusted == 0.03125
    assert rows[50].adjusted == 1


def test_other_classes_cannot_be_compared():
    with pytest.raises(
        ValueError, match=r"the same classes in .* 3 and 2 classes, of which only one run has wave"
    ):
        compare(FIRST, hand_made(certain([0], 2), [0], labels=("run", "sit")))
    with pytest.raises(ValueError, match=r"3 and 3 classes, in other orders$"):
        compare(FIRST, dataclasses.replace(SECOND, labels=MOVES[::-1]))
    with pytest.raises(ValueError, match=r"3 and 3 classes, of which only one run has swim, wave$"):
        compare(FIRST, dataclasses.replace(SECOND, labels=("run", "sit", "swim")))


def test_other_videos_cannot_be_compared():
    with pytest.raises(ValueError, match="0 videos in common"):
        compare(FIRST, dataclasses.replace(SECOND, paths=tuple("abcdefgh")))
    other = np.array([1, 0, 0, 0, 1, 1, 1, 1], np.int32)
    with pytest.raises(ValueError, match="8 videos in common, 2 of them with another label"):
        compare(FIRST, dataclasses.replace(SECOND, truth=other))


def test_a_comparison_shows_groups_and_what_changed_most():
    labels = [f"c{index}" for index in range(30)]
    truth = [0] * 6 + list(range(1, 30))
    first = hand_made(certain([1] * 6 + truth[6:], 30), truth, labels=labels)
    second = hand_made(certain(truth, 30), truth, labels=labels)
    shown = compare(first, second, {"<both>": ["c0", "c1"]})._repr_html_()
    assert shown.count("<tr>") == 1 + 1 + 1 + 20
    assert "&lt;both&gt;" in shown
    assert shown.index("c0<") < shown.index("c1<")
    assert "+100.0" in shown
    assert "and 10 more" in shown
