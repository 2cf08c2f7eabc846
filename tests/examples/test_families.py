"""The families at an equal budget: clips, costs, runs that can be resumed, and the page."""

import re

import family_clips
import family_networks
import family_pages
import family_runs
import keras
import lips
import numpy as np
import pages
import pytest
from family_clips import FIGURES, WORDS
from matplotlib.image import imread
from tiny_network import randomize

from keras_acl.data import MovingFigures
from keras_acl.speed.cost import count_multiply_adds, count_parameters

COMMITTED = family_runs.read_rows(family_runs.HERE / "runs.csv")
PAGE = (family_runs.HERE / "README.md").read_text(encoding="utf-8")


def row(task: str, family: str, seed: int, accuracy: float) -> dict[str, str]:
    """A finished run."""
    named = {"task": task, "family": family, "seed": seed, "accuracy": accuracy}
    about = {"clips": 1200, "steps": 600, "tested": 300, "accuracy_train": 0.5, "loss": 1}
    costs = {"parameters": 12345, "multiply_adds": 20_500_000, "seconds": 21.0 + seed}
    origin = {"commit": "0123abc", "machine": "one core", "backend": "x", "versions": "keras 3.15"}
    return {name: str(value) for name, value in (named | about | costs | origin).items()}


@pytest.fixture
def rows():
    """Slow learned the figures alone, TSN is better than the ridge, I3D lacks a run."""
    found = [row(FIGURES, "ridge", 0, 0.6), row(WORDS, "ridge", 0, 0.7)]
    for seed, shift in enumerate((-0.01, 0.0, 0.01)):
        found += [row(FIGURES, "slow", seed, 0.5 + shift), row(WORDS, "slow", seed, 0.1 + shift)]
        found += [row(FIGURES, "tsn", seed, 0.61 + shift), row(WORDS, "tsn", seed, 0.8 + shift)]
        found += [row(FIGURES, "i3d", seed, 0.5)]
    return [*found, row(WORDS, "i3d", 0, 0.5), row(WORDS, "i3d", 1, 0.5)]


# Clips


def test_nobody_who_is_measured_on_is_learned_from(mouths, tmp_path):
    found = family_clips.sides(WORDS, mouths, tmp_path)
    data = lips.lips(mouths, WORDS, tmp_path)
    assert found.clips.shape == (24, 16, 32, 32, 3)
    assert found.test_clips.shape == (6, 16, 32, 32, 3)
    tested = np.isin(data.speakers, ["F05", "F09", "M02"])
    alone = family_clips.lip_sides(
        lips.Lips(data.clips[tested], data.labels[tested], data.speakers[tested], data.names)
    )
    np.testing.assert_array_equal(found.test_clips, alone.test_clips)
    np.testing.assert_array_equal(found.test_labels, data.labels[tested])
    # In each clip the side that grows brighter is that of its word.
    changes = np.diff(found.clips[:, [0, -1]].astype(int), axis=1).mean(axis=(1, 2, 4))
    left, right = changes[:, :16].mean(axis=1), changes[:, 16:].mean(axis=1)
    np.testing.assert_array_equal(found.labels, right > left)


def test_any_few_training_clips_are_of_all_classes():
    labels = np.repeat(np.arange(10), 20)
    plain = family_clips.Sides(np.arange(10), labels * 3, labels, labels[:7], labels[:7])
    found = family_clips.shuffled(plain)
    assert len(set(found.labels[:40])) == 10
    assert sorted(found.labels) == labels.tolist()
    np.testing.assert_array_equal(found.clips, found.labels * 3)
    np.testing.assert_array_equal(found.test_labels, labels[:7])


def test_figures_are_drawn_once_and_others_are_measured_on(tmp_path, monkeypatch):
    monkeypatch.setattr(family_clips, "TRAIN", 16)
    monkeypatch.setattr(family_clips, "TEST", 8)
    found = family_clips.sides(FIGURES, tmp_path, tmp_path)
    monkeypatch.delattr(family_clips.MovingFigures, "arrays")
    again = family_clips.sides(FIGURES, tmp_path, tmp_path)
    for name, value in vars(found).items():
        np.testing.assert_array_equal(value, getattr(again, name))
    figures = MovingFigures("motion", 0, 32, 32)
    drawn = {
        figures.draw(label, (0, n)).frames[::2].tobytes() for label in range(8) for n in (0, 1)
    }
    assert {clip.tobytes() for clip in found.clips} == drawn
    assert found.test_clips[3].tobytes() == figures.draw(3, (1, 0)).frames[::2].tobytes()
    assert found.test_labels.tolist() == list(range(8))


def test_clips_are_moved_as_wholes_and_lit(monkeypatch):
    ramp = np.arange(8)[:, None] * 10 + np.arange(9)[None] + 50
    clips = np.broadcast_to(ramp[None, None, ..., None], (64, 2, 8, 9, 3)).astype(np.uint8)
    first, again = family_clips.VariedClips(clips, 0), family_clips.VariedClips(clips, 0)
    lit = first[np.arange(64)]
    np.testing.assert_array_equal(lit, again[:64])
    assert (lit != family_clips.VariedClips(clips, 1)[:64]).any()
    assert lit.dtype == np.uint8
    assert np.ptp(lit.mean(axis=(1, 2, 3, 4))) > 20
    monkeypatch.setattr(family_clips, "LIGHT", 0.0)
    monkeypatch.setattr(family_clips, "OFFSET", 0.0)
    moved = first[:64].astype(int)
    shifts = moved[:, 0, 4, 4, 0] - ramp[4, 4]
    assert len(set(shifts.tolist())) > 15  # of the 25 that there are
    edge = np.pad(ramp, 2, "edge")
    for clip, shift in zip(moved, shifts, strict=True):
        y, x = next((y, x) for y in range(5) for x in range(5) if 10 * y + x - 22 == shift)
        np.testing.assert_array_equal(
            clip, np.broadcast_to(edge[y : y + 8, x : x + 9, None], clip.shape)
        )


def test_classes_of_the_page_are_those_of_the_tasks():
    assert family_pages.CLASSES[FIGURES] == len(MovingFigures(FIGURES).labels)
    assert family_pages.CLASSES[WORDS] == 10


# Costs


@pytest.mark.parametrize("name", ["slow", "two_stream_ac_sup", "csn"])
def test_costs_of_the_page_are_those_of_the_networks(name):
    [found, *_] = [r for r in COMMITTED if (r["task"], r["family"]) == (WORDS, name)]
    model = family_networks.family_network(name, [f"{n}" for n in range(10)])
    assert int(found["parameters"]) == count_parameters(model)
    assert int(found["multiply_adds"]) == count_multiply_adds(model, 32)


def test_the_budget_is_equal():
    runs = [found for found in COMMITTED if found["family"] != family_runs.RIDGE]
    for found in runs:
        assert 0.8 < int(found["multiply_adds"]) / family_networks.MULTIPLY_ADDS < 1.2
    assert len({(found["task"], found["clips"], found["steps"]) for found in runs}) == 2
    assert {found["seed"] for found in runs} == {"0", "1", "2"}


@pytest.mark.parametrize(("name", "same"), [("tsn", True), ("c2d", True), ("slow", False)])
def test_families_that_do_not_know_the_order_of_frames(name, same):
    model = randomize(family_networks.family_network(name, ["left", "right"]))
    clips = np.random.default_rng(0).integers(0, 256, (2, 16, 32, 32, 3), dtype=np.uint8)
    forth, back = (keras.ops.convert_to_numpy(model(x)) for x in (clips, clips[:, ::-1]))
    assert np.allclose(forth, back, rtol=1e-4, atol=1e-4) == same


# Runs


@pytest.mark.slow
def test_runs_go_on_where_they_stopped(mouths, tmp_path, run_example, monkeypatch):
    monkeypatch.setattr(family_runs, "RATE", 0.001)
    options = ["--mouths", mouths, "--cache", tmp_path / "cache", "--families", "two_stream_ac"]
    options += ["--tasks", WORDS, "--epochs", 3]
    run_example("family_runs", *options, "--output", tmp_path / "all", "--seeds", 0, 1)
    floor, *whole = family_runs.read_rows(tmp_path / "all" / "runs.csv")
    assert (floor["family"], floor["accuracy"]) == ("ridge", "1.0000")
    assert [found["seed"] for found in whole] == ["0", "1"]
    assert [found["steps"] for found in whole] == ["9", "9"]
    assert whole[0]["loss"] != whole[1]["loss"]

    alone = [*options, "--output", tmp_path / "alone"]
    run_example("family_runs", *alone, "--seeds", 1)  # as if the first had never been
    run_example("family_runs", *alone, "--seeds", 0, 1)
    again = family_runs.read_rows(tmp_path / "alone" / "runs.csv")[1:]
    for one, other in zip(whole, again, strict=True):
        assert {**one, "seconds": ""} == {**other, "seconds": ""}
    monkeypatch.setattr(family_runs, "perform", None)
    run_example("family_runs", *alone, "--seeds", 0, 1)  # nothing is left to do


def test_every_family_is_trained_by_adam():
    model = family_networks.family_network("slow", ["a", "b"])
    family_runs.AdamRecipe(epochs=1, learning_rate=0.01).compile(model)
    assert type(model.optimizer).__name__ == "Adam"


def test_crossentropy():
    logits, labels = np.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]), np.array([1, 1])
    expected = -(np.log(0.25) + np.log(0.8)) / 2
    assert family_runs.crossentropy(logits + 7, labels) == pytest.approx(expected)
    assert family_runs.right(logits, labels) == 0.5


# The page


def test_the_page_has_what_was_measured(rows):
    found = family_pages.blocks(rows)
    assert "600 steps of 8 clips" in found["budget"]
    head, _, *lines = found["table"].splitlines()
    assert head.count("|") == lines[0].count("|")
    # In the order of the families, without that which lacks a run.
    assert [line.split(" | ")[0] for line in lines] == [
        "| Slow",
        "| TSN",
        "| No network: chance",
        "| No network: ridge regression",
    ]
    assert lines[0].startswith("| Slow | 50.0 ± 1.0 | 10.0 ± 1.0 | 50 | 50 | 12,345 | 20.5 | 22 |")
    assert lines[2].startswith("| No network: chance | 12.5 | 10.0 | – |")
    assert lines[3].startswith("| No network: ridge regression | 60.0 | 70.0 | – |")
    figures, words = found["floors"].splitlines()
    assert "Highest mean: TSN. Better than the ridge regression: TSN. " in figures
    assert figures.endswith("they learned: none.")
    assert words.endswith("they learned: Slow.")
    for found in rows:
        found["accuracy"] = "0.7"
    *_, words = family_pages.blocks(rows)["floors"].splitlines()
    assert "ridge regression: none." in words


def test_a_page_is_filled_in_and_a_picture_drawn(rows, tmp_path, run_example):
    file = tmp_path / "runs.csv"
    for found in reversed(rows):
        family_runs.add_row(file, found)
    (tmp_path / "README.md").write_text(PAGE, encoding="utf-8")
    run_example("family_pages", tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| TSN | 61.0 ± 1.0 | 80.0 ± 1.0 |" in text
    assert family_pages.filled(PAGE, rows) == text
    height, width, _ = imread(tmp_path / "families.png").shape
    assert height < width


def test_a_page_without_a_block_or_with_another_is_refused(rows):
    for page in (
        PAGE.replace("<!-- table -->", "<!-- chart -->"),
        PAGE.replace("<!-- end -->", ""),
    ):
        with pytest.raises(ValueError, match="Expected the blocks budget, table, floors"):
            family_pages.filled(page, rows)
    with pytest.raises(ValueError, match="No family has all its runs"):
        family_pages.blocks([found for found in rows if found["family"] == "i3d"])


def test_numbers_of_the_page_are_those_of_the_committed_runs():
    assert family_pages.filled(PAGE, COMMITTED) == PAGE
    assert pages.unmarked_numbers(PAGE) == []


def test_who_is_ahead_on_mouths_has_not_learned_the_figures():
    figures, words = family_pages.below(COMMITTED).splitlines()
    [best] = re.findall(r"Highest mean: (.+?)\. Better", words)
    assert best in figures.partition("nothing shows that they learned: ")[2].rstrip(".").split("; ")
    assert "Who is ahead depends on the task" in PAGE


def test_families_of_the_page_are_those_that_ran():
    left_out = set(family_networks.FAMILIES) - set(family_pages.families_of(COMMITTED))
    assert not left_out & {found["family"] for found in COMMITTED}
    for family in left_out:
        assert family_networks.FAMILIES[family].title in PAGE
