"""The examples' own modules, and a way to run an example as its user does."""

import importlib
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path[:0] = [str(EXAMPLES / folder) for folder in ("", "ablation", "benchmarks", "deploy")]


@pytest.fixture
def run_example(monkeypatch, capsys):
    """Run an example's `main` with arguments; returns what it printed."""

    def run(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        importlib.import_module(name).main()
        return capsys.readouterr().out

    return run
