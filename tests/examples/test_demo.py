"""The scripts around the demo network run on tiny input and print what they measured."""

import json
import re

import pytest

from keras_acl import load_pretrained
from keras_acl.evaluation import Scores, card_metric
from keras_acl.pretrained.golden import golden_outputs
from keras_acl.training.history import read_history


@pytest.mark.slow
def test_demo_trains_on_figures_and_draws(tmp_path, run_example, eager):
    printed = run_example("demo", "--output", tmp_path, "--count", "2", "--epochs", "1")
    [accuracy] = re.findall(r"Validation accuracy (\d+\.\d)% on 16 videos", printed)
    predictions = (tmp_path / "run" / "predictions.csv").read_text().splitlines()[1:]
    hits = sum(line.split(",")[1] == line.split(",")[2] for line in predictions)
    assert float(accuracy) == pytest.approx(100 * hits / 16, abs=0.06)
    assert len(re.findall(r"strongest place is on the actor in \d+%", printed)) == 2
    for name in ("attention.png", "curves.png"):
        assert (tmp_path / "run" / name).stat().st_size > 5000


def test_demo_says_what_is_wrong_with_a_folder(tmp_path, run_example):
    with pytest.raises(SystemExit, match=r"Error: .*missing"):
        run_example("demo", "--output", tmp_path, "--videos", "missing")


@pytest.mark.slow
def test_the_demo_checkpoint_is_trained_measured_and_saved(tmp_path, run_example, eager):
    arguments = ["--output", tmp_path / "run", "--save", tmp_path / "demo"]
    arguments += ["--count", "2", "--test-count", "1", "--epochs", "1", "--seed", "3"]
    printed = run_example("train_demo", *arguments)
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


@pytest.mark.slow
def test_pretrained_and_scratch_are_compared(tmp_path, run_example, eager):
    arguments = ["--output", tmp_path, "--count", "2", "--epochs", "1", "--seeds", "0"]
    run_example("pretrained_or_scratch", *arguments)
    result = json.loads((tmp_path / "result.json").read_text())
    history = read_history(tmp_path / "seed0-from-demo" / "history.csv")
    accuracies = result["validation_accuracy_by_epoch"]
    assert accuracies["from demo"] == [[pytest.approx(history["val_accuracy"][0], abs=1e-4)]]
    assert list(accuracies) == ["from demo", "from scratch"]
    assert (tmp_path / "accuracy.png").stat().st_size > 5000


def test_cards_are_written(tmp_path, run_example):
    arguments = ["write_cards", "--output", tmp_path, "--golden", "demo"]
    run_example(*arguments)
    assert "72.4" in (tmp_path / "acl_r50_4x16_k400" / "README.md").read_text()
    assert json.loads((tmp_path / "demo" / "golden.json").read_text())["top_logits"]
    with pytest.raises(SystemExit, match="nothing"):
        run_example(*arguments, "nothing")
