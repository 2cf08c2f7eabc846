"""The README's code runs as printed, but for the size of things."""

import re
from pathlib import Path

from keras_acl.data import MovingFigures

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_user_path(tmp_path, monkeypatch):
    path, options = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)[:2]
    tiny = {
        "frames=32, span=64, fps=30, size=224": "frames=8, span=16, fps=30, size=32",
        "    labels=train.labels,": "    labels=train.labels, depth=11, width=8,",
        "epochs=20": "epochs=1",
        "    101, consistency": "    8, clip=clip, depth=11, width=8, consistency",
    }
    for printed, smaller in tiny.items():
        assert printed in path + options
        path, options = path.replace(printed, smaller), options.replace(printed, smaller)
    options = options.replace("model.fit", "recipe.compile(model)\nmodel.fit")
    monkeypatch.chdir(tmp_path)
    MovingFigures("motion", 0, frames=16, size=40).write("videos", 2)

    names: dict = {}
    exec(path, names)
    assert names["maps"].spatial.shape == (8, 32, 32)  # one of two videos a class
    assert names["maps"].temporal.shape == (8, 8, 32, 32)
    assert (tmp_path / "model.keras").stat().st_size > 10_000
    assert len((tmp_path / "runs/first/history.csv").read_text().splitlines()) == 2

    exec(options, names)
    assert names["model"].consistency.stop_gradient == "spatial"


def test_every_command_is_documented_and_exists():
    from keras_acl.cli import app

    commands = {
        (command.name or command.callback.__name__.replace("_", "-"))
        for command in app.registered_commands
    }
    documented = set(re.findall(r"^keras-acl ([a-z-]+) ", README, flags=re.MULTILINE))
    assert documented == commands
