"""Accuracy on shrunk copies: every kind of files is trained on and tested on, once."""

import json

import pytest
from tiny_network import write_figures


@pytest.mark.slow
def test_every_kind_is_trained_on_once_and_tested_on_all(tmp_path, run_example, eager):
    videos = write_figures(tmp_path / "videos", 2)
    arguments = [videos, "--held-out", "0001", "--output", tmp_path / "out"]
    arguments += ["--seeds", "0", "--epochs", "1"]
    printed = run_example("shrunk_accuracy", *arguments)
    runs = json.loads((tmp_path / "out" / "result.json").read_text())
    kinds = ["as they are", "mpeg4", "h264"]
    assert [run["trained on"] for run in runs] == kinds
    for run in runs:
        assert list(run["accuracy"]) == kinds
        assert run["predictions as on the originals"]["as they are"] == 1
    table = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(kinds)
    assert run_example("shrunk_accuracy", *arguments).splitlines() == table
