"""Every example runs, on tiny input, and prints what it measured."""

import json
import re
import runpy
import sys
from pathlib import Path

import pytest
import tensorflow as tf

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
