"""The examples' own modules, and a way to run an example as its user does."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from video_files import write_video

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path[:0] = [
    str(EXAMPLES / folder) for folder in ("", "ablation", "benchmarks", "deploy", "families")
]

SPEAKERS = [f"F{n:02d}" for n in range(10)] + [f"M{n:02d}" for n in range(5)]


@pytest.fixture(scope="session")
def mouths(tmp_path_factory):
    """Two words: one grows brighter on the left, the other on the right; lengths differ."""
    folder = tmp_path_factory.mktemp("lips")
    lines = ["path,label,part,speaker,repetition,frames"]
    for number, speaker in enumerate(SPEAKERS):
        for label, side in (("begin", np.s_[:, :, :48]), ("choose", np.s_[:, :, 48:])):
            frames = np.full((4 + number, 64, 96, 3), 60 + 8 * (number % 5), np.uint8)
            frames[side] += np.linspace(0, 100, len(frames)).astype(np.uint8)[:, None, None, None]
            path = folder / "words" / label / f"{speaker}_r01.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_video(path, frames, fps=15)
            lines.append(
                f"words/{label}/{path.name},{label},words,{speaker},1,{len(frames)}",
            )
    (folder / "clips.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def run_example(monkeypatch, capsys):
    """Run an example's `main` with arguments; returns what it printed."""

    def run(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        importlib.import_module(name).main()
        return capsys.readouterr().out

    return run
