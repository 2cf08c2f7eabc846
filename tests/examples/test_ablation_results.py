"""The ablation's table of differences, on runs with round numbers."""

import ablation_results
import pytest


@pytest.fixture
def cells():
    """Accuracies of two seeds without the term, with it, and with another form of it."""

    def cell(first: float, second: float) -> dict[int, dict[str, float]]:
        return {0: {"accuracy": first}, 1: {"accuracy": second}}

    task = "appearance_motion"
    return {
        ("rule", task, "no_fusion"): cell(0.50, 0.60),
        ("rule", task, "ac"): cell(0.51, 0.63),
        ("weak", task, "ac"): cell(0.49, 0.61),
        ("rule", task, "ac_mean"): {1: {"accuracy": 0.55}},
        ("alone", task, "ac_scam"): cell(0.9, 0.9),  # nothing to be compared with
    }


def test_differences_are_paired_by_seed(cells):
    compared = ablation_results.comparisons(cells)
    # Where only λ differs, the runs without the term are those of the rule.
    assert [title.partition(",")[0] for title, *_ in compared] == [
        "appearance_motion: three distractors",
        "appearance_motion: λ = 0.5",
    ]
    _, base, term = compared[0]
    assert ablation_results.paired(base, term, "accuracy") == pytest.approx([1, 3])


def test_other_forms_are_compared_too(cells):
    [(title, base, term)] = ablation_results.comparisons_of_forms(cells)
    assert title.startswith("appearance_motion, AC, mean of the frames' maps: three distractors")
    assert ablation_results.paired(base, term, "accuracy") == pytest.approx([-5])


def test_interval_is_that_of_student():
    # Mean 2, standard deviation sqrt(2), t of one degree of freedom 12.706.
    assert ablation_results.describe([1.0, 3.0]) == "+2.0 ± 12.7 (2 of 2)"
    assert ablation_results.describe([-5.0]) == "-5.0 (0 of 1)"
    assert ablation_results.describe([]) == "–"


def test_table_has_a_row_for_each(cells):
    table = ablation_results.difference_table(ablation_results.comparisons_of_forms(cells))
    assert table.splitlines()[-1].endswith("| 60.0 | -5.0 (0 of 1) | – | – | – |")
