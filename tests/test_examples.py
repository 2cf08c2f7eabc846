"""Every example runs, on tiny input, and prints what it measured."""

import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from video_files import write_video

from keras_acl import load_pretrained
from keras_acl.evaluation import Scores, card_metric
from keras_acl.pretrained.golden import golden_outputs
from keras_acl.training.history import read_history

EXAMPLES = Path(__file__).parent.parent / "examples"
# tf.data stays compiled and says so when the networks do not.
EAGER = "ignore:Even though the `tf.config:UserWarning"


def run_example(monkeypatch, capsys, name: str, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


@pytest.fixture
def uncompiled():
    """Networks that take a step or two are through before they would be compiled."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_demo_trains_on_figures_and_draws(tmp_path, monkeypatch, capsys):
    printed = run_example(
        monkeypatch, capsys, "demo.py", "--output", str(tmp_path), "--count", "2", "--epochs", "1"
    )
    [accuracy] = re.findall(r"Validation accuracy (\d+\.\d)% on 16 videos", printed)
    predictions = (tmp_path / "run" / "predictions.csv").read_text().splitlines()[1:]
    hits = sum(line.split(",")[1] == line.split(",")[2] for line in predictions)
    assert float(accuracy) == pytest.approx(100 * hits / 16, abs=0.06)
    assert len(re.findall(r"strongest place is on the actor in \d+%", printed)) == 2
    assert (tmp_path / "run" / "attention.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_demo_says_what_is_wrong_with_a_folder(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match=r"Error: .*missing"):
        run_example(
            monkeypatch, capsys, "demo.py", "--output", str(tmp_path), "--videos", "missing"
        )


@pytest.mark.filterwarnings(EAGER)
def test_the_ablation_measures_and_repeats_nothing(tmp_path, monkeypatch, capsys, uncompiled):
    monkeypatch.syspath_prepend(EXAMPLES)
    arguments = ["--output", str(tmp_path), "--clips", "16", "--test-clips", "16", "--seeds", "0"]
    arguments += ["--epochs", "2", "--size", "32", "--tasks", "appearance_motion", "--variants"]
    arguments += ["no_fusion", "ac", "slow_scam", "--regimes", "rule", "context", "weak"]
    first = run_example(monkeypatch, capsys, "ablation.py", *arguments)
    assert "1 of 6: rule-appearance_motion-no_fusion-0" in first
    rows = (tmp_path / "runs.csv").read_text().splitlines()
    assert len(rows) == 7
    assert rows[0].startswith("regime,task,variant,seed,accuracy,")
    record = json.loads((tmp_path / "runs" / "weak-appearance_motion-ac-0.json").read_text())
    assert record["regime"]["weight"] == 0.5
    assert record["history"]["consistency"]
    table = (tmp_path / "results.md").read_text()
    accuracy = 100 * record["measured"]["accuracy"]
    before = json.loads((tmp_path / "runs" / "rule-appearance_motion-no_fusion-0.json").read_text())
    change = accuracy - 100 * before["measured"]["accuracy"]  # only λ differs: the rule's run
    [line] = re.findall(r"^\| appearance_motion: λ = 0.5 .*$", table, flags=re.MULTILINE)
    assert f"| {change:+.1f} (" in line
    for name in ("variants.png", "regimes.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    second = run_example(monkeypatch, capsys, "ablation.py", *arguments)
    assert "no_fusion-0, " not in second
    with pytest.raises(SystemExit, match="another budget; give another --output"):
        run_example(monkeypatch, capsys, "ablation.py", *arguments, "--epochs", "1")


@pytest.fixture
def tiny_ablation(tmp_path, monkeypatch, uncompiled):
    """Performs a run of the ablation of one step."""
    monkeypatch.syspath_prepend(EXAMPLES)
    import ablation_runs

    budget = ablation_runs.Budget(size=32, clips=8, test_clips=4, epochs=1)

    def perform(variant, regime, task="appearance_motion", videos=None):
        run = ablation_runs.Run(variant, task, regime, seed=0)
        return ablation_runs.perform(run, budget, tmp_path / "cache", videos)

    return perform


@pytest.mark.filterwarnings(EAGER)
@pytest.mark.parametrize(
    "variant",
    [
        *("fusion", "no_fusion", "slow", "slow_scam", "ac", "ac_scam"),
        *("ac_mean", "ac_random", "ac_literal", "ac_literal_mean", "ac_l2", "ac_stop"),
    ],
)
def test_every_network_of_the_ablation_learns_and_is_measured(tiny_ablation, variant):
    result = tiny_ablation(variant, "rule")
    assert np.isfinite(list(result["measured"].values())).all()
    assert ("consistency" in result["history"]) == variant.startswith("ac")
    assert ("correlation" in result["measured"]) == (not variant.startswith("slow"))


@pytest.mark.filterwarnings(EAGER)
@pytest.mark.parametrize("regime", ["alone", "spatial_first", "few", "crowd", "context"])
def test_every_circumstance_of_the_ablation(tiny_ablation, regime):
    result = tiny_ablation("ac", regime)
    assert np.isfinite(list(result["measured"].values())).all()
    assert len(result["history"]["loss"]) == (4 if regime == "few" else 1)


@pytest.mark.filterwarnings(EAGER)
def test_the_ablation_on_real_videos_keeps_recordings_apart(tiny_ablation, tmp_path):
    rng = np.random.default_rng(0)
    for place in range(6):  # two videos of each place, the second one with noise
        picture = rng.integers(0, 256, (1, 40, 48, 3))
        for number in range(2):
            noise = rng.integers(-9, 10, (20, 40, 48, 3))
            frames = np.clip(picture + noise, 0, 255).astype(np.uint8)
            file = tmp_path / "folder" / f"class {place % 2}" / f"{place}-{number}.mp4"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_video(file, frames)
    result = tiny_ablation("ac", "folder", "videos", tmp_path / "folder")
    assert sum(result["recordings"]) == 6
    assert result["test_videos"] == 2 * result["recordings"][1]
    assert "pointing_spatial" not in result["measured"]
    assert 0 <= result["measured"]["accuracy"] <= 1


def test_the_demo_checkpoint_is_trained_measured_and_saved(tmp_path, monkeypatch, capsys):
    arguments = ["--output", str(tmp_path / "run"), "--save", str(tmp_path / "demo")]
    arguments += ["--count", "2", "--test-count", "1", "--epochs", "1", "--seed", "3"]
    printed = run_example(monkeypatch, capsys, "train_demo.py", *arguments)
    model = load_pretrained(tmp_path / "demo")
    [metric] = model.card.metrics
    scores = Scores.load(tmp_path / "demo")
    assert metric == card_metric(scores, metric.measured_by)
    assert f"Top-1 {metric.top1:.2f}%" in printed
    assert scores.paths[0] == "cyan_clockwise/0000.mp4"
    assert metric.videos == 16
    assert "--count 2 --test-count 1 --epochs 1 --seed 3" in metric.measured_by
    golden = json.loads((tmp_path / "demo" / "golden.json").read_text())
    assert golden == golden_outputs(model)


def test_pretrained_and_scratch_are_compared_and_not_repeated(tmp_path, monkeypatch, capsys):
    arguments = ["--output", str(tmp_path), "--count", "3", "--epochs", "1", "--seeds", "0"]
    run_example(monkeypatch, capsys, "pretrained_or_scratch.py", *arguments)
    result = json.loads((tmp_path / "result.json").read_text())
    history = read_history(tmp_path / "seed0-from-demo" / "history.csv")
    accuracies = result["validation_accuracy_by_epoch"]
    assert accuracies["from demo"] == [[pytest.approx(history["val_accuracy"][0], abs=1e-4)]]
    assert list(accuracies) == ["from demo", "from scratch"]
    assert (tmp_path / "accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_cards_are_written(tmp_path, monkeypatch, capsys):
    arguments = ["--output", str(tmp_path), "--golden", "demo"]
    run_example(monkeypatch, capsys, "write_cards.py", *arguments)
    assert "72.4" in (tmp_path / "acl_r50_4x16_k400" / "README.md").read_text()
    assert json.loads((tmp_path / "demo" / "golden.json").read_text())["top_logits"]
    with pytest.raises(SystemExit, match="There is no preset"):
        run_example(monkeypatch, capsys, "write_cards.py", *arguments, "nothing")
