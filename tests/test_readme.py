"""The README's code runs as printed, but for the size of things."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from pretrained.importers.parity import FOLDER
from tiny_network import CLIP, NETWORK

import keras_acl
from keras_acl import list_presets
from keras_acl.data import MovingFigures

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def block(text: str, changes: dict[str, str]) -> str:
    """The one block with this text, made smaller."""
    [code] = [code for code in BLOCKS if text in code]
    for printed, smaller in changes.items():
        assert printed in code
        code = code.replace(printed, smaller)
    return code


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """A folder of class folders, `videos`, where the code runs."""
    monkeypatch.chdir(tmp_path)
    MovingFigures("motion", 0, frames=16, size=40).write("videos", 2)


def test_from_scratch(tmp_path, videos):
    tiny = {
        "frames=32, span=64, fps=30, size=224": "frames=8, span=16, fps=30, size=32",
        "    labels=train.labels,": "    labels=train.labels, depth=11, width=8,",
        "epochs=20": "epochs=1",
    }
    names: dict = {}
    exec(block("ClipSpec(", tiny), names)
    assert names["maps"].spatial.shape == (8, 32, 32)  # one of two videos a class
    assert names["maps"].temporal.shape == (8, 8, 32, 32)
    assert (tmp_path / "model.keras").stat().st_size > 10_000
    assert len((tmp_path / "runs/first/history.csv").read_text().splitlines()) == 2

    tiny = {
        "    101, consistency": "    8, clip=clip, depth=11, width=8, consistency",
        "model.fit": "recipe.compile(model)\nmodel.fit",
        "epochs=20": "epochs=1",
    }
    exec(block("stop_gradient", tiny), names)
    assert names["model"].consistency.stop_gradient == "spatial"


def test_from_pretrained_weights(tmp_path, videos):
    names: dict = {}
    changes = {'"k400", num_classes=101': '"demo", num_classes=8', "epochs=4": "epochs=1"}
    exec(block("save_pretrained(model", changes), names)
    assert names["model"].num_classes == 8
    assert (tmp_path / "weights/mine/model.weights.h5").is_file()


def test_evaluation(tmp_path, videos, capsys):
    (tmp_path / "videos").rename(tmp_path / "test")
    model = keras_acl.models.TwoStreamClassifier(
        8, clip=CLIP, labels=MovingFigures("motion").labels, **NETWORK
    )
    exec(block("evaluate_views(", {}), {"keras_acl": keras_acl, "model": model})
    printed = capsys.readouterr().out
    assert "10 clips x 3 crops of 37" in printed
    assert "Difference(name='all', videos=16" in printed
    assert (tmp_path / "runs/test/metrics.json").is_file()


def test_where_it_looks(tmp_path, videos):
    shutil.copy("videos/left/0000.mp4", "clip.mp4")
    Path("boxes.csv").write_text("path,start,end,left,top,right,bottom\nclip.mp4,,,0,0,40,40\n")
    exec(block("keras_acl.explain(", {}), {})
    assert (tmp_path / "clip_attention.mp4").is_file()
    assert (tmp_path / "clip_attention.png").is_file()


def test_long_recordings(tmp_path, videos):
    shutil.copy("videos/left/0000.mp4", "match.mp4")
    model = keras_acl.models.TwoStreamClassifier(8, clip=CLIP, **NETWORK)
    names = {"keras_acl": keras_acl, "model": model}
    exec(block("predict_timeline(", {}), names)
    assert (tmp_path / "match.png").is_file()
    assert (tmp_path / "features.npz").is_file()
    assert names["extracted"].features.shape[0] == 1


def test_fast():
    model = keras_acl.models.TwoStreamClassifier(8, clip=CLIP, **NETWORK)
    clips = np.zeros((1, CLIP.frames, CLIP.size, CLIP.size, 3), np.uint8)
    names = {"keras_acl": keras_acl, "model": model, "clips": clips}
    exec(block("keras_acl.optimize(", {}), names)
    assert names["scores"].shape == (1, 8)


def test_import(capsys):
    changes = {
        "SLOWFAST_8x8_R50.pkl": str(FOLDER / "psf_slowfast_c2.pkl"),
        "SLOWFAST_4x16_R50.pyth": str(FOLDER / "ptv_slowfast.pyth"),
        "SLOW_4x16_R50.pyth": str(FOLDER / "ptv_slow.pyth"),
    }
    names: dict = {}
    exec(block("import_checkpoint(", changes), names)
    assert "552 tensors used" in capsys.readouterr().out
    assert "zero" in str(names["report"])


def test_table_of_presets_is_that_of_the_records():
    for row in list_presets():
        [line] = re.findall(rf"^\| `{row.alias or row.name}` \| .*$", README, flags=re.MULTILINE)
        assert f"{row.parameters / 1e6:.2f} M" in line
        if row.top1 is not None:
            assert f"{row.top1:.2f} / {row.top5:.2f}" in line


def test_files_that_are_named_exist():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    scripts = re.findall(r"(?:examples|tests)/[\w/.]*\w", README)
    for name in [*(link for link in links if "://" not in link), *scripts]:
        assert (ROOT / name).exists(), name


def test_every_command_is_documented_and_exists():
    from keras_acl.cli.main import app

    commands = {
        (command.name or command.callback.__name__.replace("_", "-"))
        for command in app.registered_commands
    }
    documented = set(re.findall(r"^keras-acl ([a-z-]+)\b", README, flags=re.MULTILINE))
    assert documented == commands


def test_every_table_of_figures_is_that_of_its_file():
    """A table that names a JSON of a benchmark has its columns, and its values as shown."""
    results = ROOT / "examples" / "benchmarks" / "results"
    tables = re.findall(
        r"\(examples/benchmarks/results/([\w/]+)\.json\)[^|]*\n((?:\|.*\n)+)", README
    )
    assert {name for name, _ in tables} == {
        file.relative_to(results).with_suffix("").as_posix() for file in results.rglob("*.json")
    }
    for name, table in tables:
        rows = json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        found = [row for key in ("rows", "memory") for row in rows.get(key, [])]
        header, _, *lines = (line.strip("|\n").split("|") for line in table.splitlines())
        columns = [column.strip() for column in header]
        assert set(columns) <= {column for row in found for column in row}
        for line in lines:
            cells = dict(zip(columns, (cell.strip() for cell in line), strict=True))
            assert any(as_shown(row, cells) for row in found), (name, cells)


def as_shown(row: dict, cells: dict[str, str]) -> bool:
    """Whether a table's cells are a row of a benchmark, rounded as they are printed."""
    for column, cell in cells.items():
        value = row.get(column, "")
        if isinstance(value, float):
            decimals = len(cell.partition(".")[2])
            if cell != f"{value:.{decimals}f}":
                return False
        elif cell != str(value):
            return False
    return True
