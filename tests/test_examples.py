"""Every example runs, on tiny input, and prints what it measured."""

import re
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run_example(monkeypatch, capsys, name: str, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


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


def test_consistency_experiment_measures_both_and_repeats_nothing(tmp_path, monkeypatch, capsys):
    arguments = ["--output", str(tmp_path), "--clips", "16", "--test-clips", "16"]
    arguments += ["--epochs", "1", "--size", "32", "--distractors", "0"]
    first = run_example(monkeypatch, capsys, "consistency_on_off.py", *arguments)
    assert "seed 0, consistency on" in first
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    second = run_example(monkeypatch, capsys, "consistency_on_off.py", *arguments)
    assert "seed 0, consistency on" not in second
    assert first.splitlines()[-7:] == second.splitlines()[-7:]  # the same table


def test_consistency_experiment_keeps_results_of_other_settings(tmp_path, monkeypatch, capsys):
    (tmp_path / "seed0-off.json").write_text('{"settings": {"epochs": 3}}')
    with pytest.raises(SystemExit, match="other settings; give another --output"):
        run_example(monkeypatch, capsys, "consistency_on_off.py", "--output", str(tmp_path))
