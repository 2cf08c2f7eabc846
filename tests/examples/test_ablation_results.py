"""What the runs of the ablation add up to: comparisons, tables, pictures, and pages."""

import math
import re
from pathlib import Path

import charts
import comparisons
import numpy as np
import pages
import pytest
import results
import scipy.stats
import tables
from comparisons import Comparison
from matplotlib.image import imread

FOLDER = Path(results.__file__).parent
PAGES = {
    "ablation": FOLDER / "README.md",
    "trial": FOLDER / "trial" / "README.md",
    "project": FOLDER.parent.parent / "README.md",
}
TASK = "appearance_motion"
MADE_BY = {"commit": "0123abc", "machine": "one card", "backend": "jax", "versions": "keras 3.15"}


def cell(*accuracies: float, fold: str = "", **others: float) -> dict:
    """Runs of seeds 0, 1, …"""
    return {
        (fold, seed): {"accuracy": accuracy, **others} for seed, accuracy in enumerate(accuracies)
    }


@pytest.fixture
def cells():
    """Runs without the term, with it, and with other forms of it."""
    return {
        ("rule", TASK, "no_fusion"): cell(0.50, 0.60),
        ("rule", TASK, "ac"): cell(0.51, 0.63),
        ("weak", TASK, "ac"): cell(0.49, 0.61),
        ("weak", TASK, "placebo"): cell(0.48, 0.59),
        ("rule", TASK, "placebo"): {("", 1): {"accuracy": 0.55}},
        ("alone", TASK, "ac_scam"): cell(0.9, 0.9),  # nothing to be compared with
        ("long", TASK, "no_fusion"): cell(0.70, 0.80, 0.9),
        ("long", TASK, "ac"): cell(0.70, 0.82, 0.1),
    }


@pytest.fixture
def full():
    """Every method, eight seeds, in both budgets, and lips by fold and on their own split."""
    rng, made = np.random.default_rng(0), {}
    for task, regime in tables.PANELS:
        for place, variant in enumerate(tables.METHODS):
            for fold in ("0", "1", "2", "readme") if regime == "lips" else ("",):
                for seed in range(2 if fold else 8):
                    value = 0.5 + place / 50 + rng.normal(0, 0.01)
                    row = {"accuracy": value, "accuracy_spatial": value / 2, "seconds": 60.0}
                    if not fold:
                        row |= {"pointing_spatial": value - 0.2, "pointing_temporal": 0.3}
                        row |= {"chance": 0.1, "probe_spatial": value - 0.1}
                    made.setdefault((regime, task, variant), {})[fold, seed] = row | MADE_BY
    for task in ("words", "phrases"):
        floors = {(fold, 0): {"accuracy": 0.55} for fold in ("0", "1", "2", "readme")}
        made["lips", task, charts.BEST_FLOOR] = floors
    return made


# Comparisons


def test_differences_are_paired_by_seed(cells):
    row = Comparison(TASK, "rule", "ac", "no_fusion")
    assert comparisons.differences(cells, row, "accuracy") == pytest.approx([1, 3])
    placebo = Comparison(TASK, "rule", "ac", "placebo")
    assert comparisons.differences(cells, placebo, "accuracy") == pytest.approx([8])
    assert comparisons.differences(cells, row, "pointing_spatial") == []


def test_where_only_lambda_differs_the_runs_without_the_term_are_those_of_the_rule(cells):
    row = Comparison(TASK, "weak", "ac", "no_fusion")
    assert comparisons.differences(cells, row, "accuracy") == pytest.approx([-1, 1])
    # The placebo has the term: its runs have another λ.
    row = Comparison(TASK, "weak", "ac", "placebo")
    assert comparisons.differences(cells, row, "accuracy") == pytest.approx([1, 2])


def test_a_gain_that_vanishes_with_training_is_seen(cells):
    row = Comparison(TASK, "long", "ac", "no_fusion", earlier="rule")
    # +0 and +2 after three times as long, +1 and +3 before; the third seed was not run before.
    assert comparisons.differences(cells, row, "accuracy") == pytest.approx([-1, -1])


def test_every_comparison_is_made_once(cells):
    found = comparisons.comparisons(cells)
    assert len(found) == len(set(found))
    assert {row[1:] for row in found} == {
        ("rule", "ac", "no_fusion", ""),
        ("rule", "placebo", "no_fusion", ""),
        ("rule", "ac", "placebo", ""),
        ("weak", "ac", "no_fusion", ""),
        ("weak", "placebo", "no_fusion", ""),
        ("weak", "ac", "placebo", ""),
        ("long", "ac", "no_fusion", ""),
        ("long", "ac", "no_fusion", "rule"),
    }


def test_seeds_of_a_fold_are_one_unit():
    base = {**cell(0.5, 0.6, fold="0"), **cell(0.2, 0.4, fold="1"), **cell(0.9, fold="readme")}
    term = {run: {"accuracy": row["accuracy"] + 0.1} for run, row in base.items()}
    term["1", 1]["accuracy"] = 0.8
    cells = comparisons.on_folds(
        {("lips", "words", "sup"): base, ("lips", "words", "sup_ac"): term}
    )
    row = Comparison("words", "lips", "sup_ac", "sup")
    assert comparisons.differences(cells, row, "accuracy") == pytest.approx([10, 25])
    assert comparisons.levels(cells["lips", "words", "sup"], "accuracy") == pytest.approx([55, 30])
    assert tables.count(cells["lips", "words", "sup"]) == "2 folds, 4 runs"


def test_what_is_no_network_is_not_compared(full):
    assert not [row for row in comparisons.comparisons(full) if "floor" in str(row)]
    shown = tables.blocks(full)["table lips words"].splitlines()
    assert "| No network: differences ridge (3 folds, 3 runs) | 55.0 ± 0.0 | – |" in shown


def test_a_data_sets_own_split_is_no_fold(full):
    own = comparisons.on_own_split(full)
    assert {task for _, task, _ in own} == {"words", "phrases"}
    assert set(own["lips", "words", "ac"]) == {("", 0), ("", 1)}
    folds = {fold for fold, _ in comparisons.on_folds(full)["lips", "words", "ac"]}
    assert folds == {"0", "1", "2"}
    shown = tables.blocks(full)["split words"].splitlines()
    assert "| No network: differences ridge (1) | 55.0 | – |" in shown


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (4, 2.7764), (10, 2.2281), (11, 2.2010), (30, 2.0423), (999, 1.9623)],
)
def test_quantiles_are_those_of_student(freedom, quantile):
    assert comparisons.t_quantile(freedom) == pytest.approx(quantile, abs=1e-4)


def test_the_interval_narrows_beyond_eleven_seeds():
    # 31 seeds of mean 0 and standard deviation 1.
    _, half = comparisons.interval([-1.0, 1.0] * 15 + [0.0])
    assert half == pytest.approx(2.0423 / 31**0.5, abs=1e-4)


@pytest.mark.parametrize("scale", [0.01, 1, 100])
def test_p_values_are_those_of_the_t_test(scale):
    values = np.random.default_rng(0).normal(1, scale, 8)
    expected = scipy.stats.ttest_1samp(values, 0).pvalue
    assert comparisons.p_value(list(values)) == pytest.approx(expected, rel=1e-6)


def test_p_values_where_nothing_varies():
    assert comparisons.p_value([2.0, 2.0, 2.0]) == 0
    assert comparisons.p_value([0.0, 0.0]) == 1
    assert math.isnan(comparisons.p_value([3.0]))


def test_holms_correction():
    p = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005, "single": math.nan}
    corrected = comparisons.holm(p)
    assert math.isnan(corrected.pop("single"))
    assert corrected == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})
    assert comparisons.holm({"a": 0.6, "b": 0.7}) == {"a": 1, "b": 1}


# Tables


def test_only_what_survives_the_correction_is_bold():
    # Mean 2, standard deviation sqrt(2), t of one degree of freedom 12.706.
    assert tables.describe([1.0, 3.0], 0.2) == "+2.0 ± 12.7 (2 of 2)"
    assert tables.describe([2.0, 2.1], 0.04) == "**+2.0 ± 0.6** (2 of 2)"
    assert tables.describe([2.0, 2.1], 0.06) == "+2.0 ± 0.6 (2 of 2)"
    assert tables.describe([-5.0], math.nan) == "-5.0 (0 of 1)"
    assert tables.describe([], math.nan) == "–"


def test_tables_have_what_was_measured(full):
    known = tables.blocks(full)
    head, _, *rows = known["table rule motion"].splitlines()
    measured = ["accuracy", "spatial alone", "spatial probe", "S on actor", "T on actor"]
    assert head.strip("| ").split(" | ") == measured
    assert [row.split(" (8) | ")[0] for row in rows[:2]] == [
        "| SlowFast with lateral fusion",
        "| SlowFast without fusion",
    ]
    # No masks, no pointing.
    head = known["table lips words"].splitlines()[0]
    assert head.strip("| ").split(" | ") == ["accuracy", "spatial alone"]
    assert known["runs"].splitlines()[-1] == "| 0123abc | one card | jax | keras 3.15 | 288 | 4.8 |"
    assert len(known["summary"].splitlines()) == 2 + len(tables.METHODS)


def test_claims_are_corrected_among_themselves(full):
    runs = comparisons.on_folds(full)
    claims = [claim for claim in comparisons.CLAIMS if comparisons.differences(runs, *claim)]
    head, _, *rows = tables.blocks(full)["claims"].splitlines()
    assert head.endswith("| Holm, these rows | Holm, all rows |")
    assert len([row for row in rows if row.startswith("| ")]) == len(claims)
    assert f"over the {len(claims)} rows of this table" in rows[-1]
    missing, planned = len(comparisons.CLAIMS) - len(claims), len(comparisons.CLAIMS)
    assert f"{missing} of the {planned} planned rows have no such runs yet" in rows[-1]
    alone = comparisons.p_value(comparisons.differences(runs, *claims[0]))
    assert comparisons.corrected(runs, claims)[claims[0]] > alone


def test_the_page_says_over_how_many_tests_claims_are_corrected():
    pair = ("ac", "no_fusion")
    runs = {
        ("rule", "motion", "no_fusion"): cell(0.50, 0.60, 0.55),
        ("rule", "motion", "ac"): cell(0.51, 0.63, 0.60),
        ("rule", TASK, "no_fusion"): cell(0.50, 0.60),
        ("rule", TASK, "ac"): cell(0.52, 0.61),
        ("rule", TASK, "fusion"): cell(0.62, 0.68),
        ("long", TASK, "no_fusion"): cell(0.50),  # one seed: no test
        ("long", TASK, "ac"): cell(0.52),
    }
    told = tables.blocks(runs)["claims"].splitlines()[-1]
    # AC and fusion against no fusion, and AC against fusion, where there is fusion; else AC alone.
    assert "over the 2 rows" in told
    assert "in all tables: 4 of accuracy." in told
    assert f"{len(comparisons.CLAIMS) - 2} of the" in told
    alone = comparisons.p_value(
        comparisons.differences(runs, Comparison("motion", "rule", *pair), "accuracy")
    )
    p_values = tables.blocks(runs)["claims"].splitlines()[2].split(" | ")
    assert p_values[4:6] == [tables.probability(alone), tables.probability(2 * alone)]


# The file


def test_the_file_keeps_everything(full, tmp_path):
    results.write_table(tmp_path / "runs.csv", full)
    read = results.read_table(tmp_path / "runs.csv")
    assert read.keys() == full.keys()
    for key, runs in full.items():
        assert read[key].keys() == runs.keys()
        for run, row in runs.items():
            assert read[key][run] == pytest.approx(row, abs=5e-5)
    lines = (tmp_path / "runs.csv").read_text().splitlines()
    assert lines[0].startswith("regime,task,variant,fold,seed,accuracy,")
    assert lines[0].endswith(",commit,machine,backend,versions")
    assert len(lines) == 1 + 296
    assert lines[1:] == sorted(lines[1:])


# Pages

PAGE = """# Title
<!-- table rule motion -->
anything
<!-- end -->
It is at <!-- value motion rule sup_ac -->0.0 ± 0.0,
by <!-- value motion rule sup_ac-sup -->0.0 ± 0.0,
where <!-- value motion rule sup_ac pointing_spatial -->0 %, in
<!-- seeds motion rule sup_ac-fusion -->0 of 0 (p <!-- p motion rule sup_ac-fusion -->0.5),
on the own split <!-- value words own sup_ac-fusion -->0.0 points.
"""


def test_pages_are_filled_in(full):
    page = pages.filled(PAGE, full)
    values = comparisons.levels(full["rule", "motion", "sup_ac"], "accuracy")
    mean, spread = np.mean(values), np.std(values, ddof=1)
    assert f"at <!-- value motion rule sup_ac -->{mean:.1f} ± {spread:.1f},\n" in page
    row = Comparison("motion", "rule", "sup_ac", "sup")
    mean, half = comparisons.interval(comparisons.differences(full, row, "accuracy"))
    assert f"sup_ac-sup -->{mean:+.1f} ± {half:.1f},\n" in page
    values = comparisons.levels(full["rule", "motion", "sup_ac"], "pointing_spatial")
    assert f"pointing_spatial -->{np.mean(values):.0f} %" in page
    assert "sup_ac-fusion -->8 of 8 (p <!-- p motion rule sup_ac-fusion -->< 0.001)" in page
    row = Comparison("words", "lips", "sup_ac", "fusion")
    changes = comparisons.differences(comparisons.on_own_split(full), row, "accuracy")
    assert f"split <!-- value words own sup_ac-fusion -->{np.mean(changes):+.1f} points" in page
    assert f"\n{tables.blocks(full)['table rule motion']}\n" in page
    assert "anything" not in page
    assert pages.filled(page, full) == page


def test_an_edited_digit_is_found(full):
    full = {key: runs for key, runs in full.items() if key[1] in ("motion", "words")}
    page = pages.filled(PAGE, full)
    shown = re.sub(r"<!-- .*? -->", lambda found: "_" * len(found[0]), page)
    places = [found.start() for found in re.finditer(r"\d", shown)]
    assert len(places) > 100
    for place in places[::29]:
        edited = page[:place] + str((int(page[place]) + 1) % 10) + page[place + 1 :]
        assert pages.filled(edited, full) == page


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "<!-- table of what -->\n<!-- end -->\n",
            "'table of what'; there are: runs, summary, table",
        ),
        ("<!-- table rule motion -->\n|\n<!-- claims -->\n<!-- end -->\n", "without the other"),
        ("<!-- value motion rule sup_ac -->many", "stands right behind '<!-- value motion rule"),
        ("<!-- value motion rule nothing -->1.0", "motion rule nothing accuracy, of which no run"),
        ("<!-- p motion alone ac-fusion -->0.5", "not among the CLAIMS"),
    ],
)
def test_what_cannot_be_filled_in_is_said(full, text, error):
    with pytest.raises(ValueError, match=error):
        pages.filled(text, full)


def test_numbers_that_no_comment_ties_to_the_runs_are_found(full):
    page = pages.filled(PAGE, full) + "It gains 1.2 ± 0.3, or 5 %, in 7 of 8, with `λ = 1.5`.\n"
    assert pages.unmarked_numbers(page) == ["1.2 ± 0.3", "5", "7"]


@pytest.mark.parametrize("name", PAGES)
def test_numbers_of_the_pages_are_those_of_the_committed_runs(name):
    text = PAGES[name].read_text(encoding="utf-8")
    runs = (FOLDER / "trial" if name == "trial" else FOLDER) / "runs.csv"
    assert pages.filled(text, results.read_table(runs)) == text


@pytest.mark.parametrize("name", ["ablation", "trial"])
def test_every_number_of_the_page_is_tied_to_the_runs(name):
    # A section of the paper, λ, significance, intervals, the rule's learning rate, a version.
    settings = {"3.3", "1.5", "0.05", "95", "0.4", "0.1"}
    text = PAGES[name].read_text(encoding="utf-8")
    assert text.count("<!-- value ") > 10
    assert set(pages.unmarked_numbers(text)) <= settings


def test_a_page_is_filled_in_by_one_command(full, tmp_path, capsys):
    results.write_table(tmp_path / "runs.csv", full)
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    results.main([str(tmp_path), "--pages", str(page), "--pictures", str(tmp_path)])
    cells = results.read_table(tmp_path / "runs.csv")
    assert page.read_text(encoding="utf-8") == pages.filled(PAGE, cells)
    assert capsys.readouterr().out == ""
    height, width, _ = imread(tmp_path / "methods.png").shape
    assert 800 <= width <= 1000
    assert height < width
    results.main([str(tmp_path)])
    assert capsys.readouterr().out == tables.report(cells)
    page.write_text("<!-- nothing -->\n<!-- end -->\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="No table is named 'nothing'"):
        results.main([str(tmp_path), "--pages", str(page)])
    assert page.read_text(encoding="utf-8").startswith("<!-- nothing -->\n<!-- end")
