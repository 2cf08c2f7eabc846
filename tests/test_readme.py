"""The pages say what is so: code runs as printed, but for the size of things; tables are true."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from pretrained.importers.parity import FOLDER

import keras_acl

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "examples" / "benchmarks"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md"]
PAGES += [
    page
    for room in ("examples", "keras_acl", "tests", "weights")
    for page in sorted((ROOT / room).rglob("README.md"))
]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WEIGHTS = (ROOT / "weights" / "README.md").read_text(encoding="utf-8")


def snippets(page: str, changes: dict[str, str]) -> list[str]:
    """A page's Python, made smaller."""
    code = "\0".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL))
    for printed, smaller in changes.items():
        assert printed in code
        code = code.replace(printed, smaller)
    return code.split("\0")


def test_the_code_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    keras_acl.data.MovingFigures("motion", 0, frames=16, size=40).write("train", 1)
    shutil.copytree("train", "test")
    shutil.copy("train/left/0000.mp4", "clip.mp4")
    [code] = snippets(
        README, {'"k400"': '"demo"', "epochs=4": "epochs=1", "(model, test)": "(model, test[:2])"}
    )
    names: dict = {}
    exec(code, names)
    assert names["model"].labels == names["train"].labels
    assert keras_acl.load_model("model.keras").labels == names["model"].labels
    assert "10 clips x 3 crops" in capsys.readouterr().out
    assert Path("clip_attention.mp4").is_file()
    assert Path("clip_attention.png").is_file()


def test_the_code_of_the_page_on_weights_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = {
        "SLOWFAST_8x8_R50.pkl": "psf_slowfast_c2.pkl",
        "mine.pyth": "psf_slowfast.pyth",
        "SLOWFAST_4x16_R50.pyth": "ptv_slowfast.pyth",
        "SLOW_4x16_R50.pyth": "ptv_slow.pyth",
    }
    for name, file in files.items():
        shutil.copy(FOLDER / file, name)
    names: dict = {}
    for code in snippets(WEIGHTS, {}):
        exec(code, names)
    printed = capsys.readouterr().out
    assert "96.88" in printed
    assert "552 tensors used" in printed
    assert "never trained together" in str(names["report"])
    files = re.findall(r"^\| `([\w.]+\.\w+)` \| ", WEIGHTS, flags=re.MULTILINE)
    assert sorted(files) == sorted(file.name for file in Path("weights/mine").iterdir())


def test_the_readme_fits_one_screen():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    """To a file, as a folder's page has another address on the site; and scripts that are named."""
    text = page.read_text(encoding="utf-8")
    links = {link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link}
    assert not {link for link in links if not (page.parent / link).is_file()}
    named = set(re.findall(r"(?<![\w./])\w+/[\w/]+\.py\b", text))
    assert not {name for name in named if not exists(name, page.parent)}


def exists(name: str, folder: Path) -> bool:
    return (ROOT / name).exists() or (folder / name).exists()


def test_every_command_is_in_the_table_and_exists():
    from keras_acl.cli.main import app

    commands = [
        command.name or command.callback.__name__.replace("_", "-")
        for command in app.registered_commands
    ]
    listed = re.findall(r"^\| `keras-acl ([a-z-]+)\b[^|]*` \|", README, flags=re.MULTILINE)
    assert sorted(listed) == sorted(commands)


def test_the_table_of_presets_is_that_of_the_records():
    presets = {row.alias or row.name: row for row in keras_acl.list_presets()}
    weights = (ROOT / "weights" / "README.md").read_text(encoding="utf-8")
    table = weights.partition("## Presets")[2].partition("## Load")[0]
    row_of = re.compile(r"^\| `(\w+)` \| (.*) \|$", flags=re.MULTILINE)
    lines = [*row_of.findall(README), *row_of.findall(table)]
    assert {name for name, _ in lines} == set(presets)
    for name, line in lines:
        _, top1, parameters, _ = line.split(" | ")
        row = presets[name]
        assert parameters == f"{row.parameters / 1e6:.2f} M"
        assert top1 == ("–" if row.top1 is None else f"{row.top1:.2f}")


def test_names_in_the_table_of_wishes_exist():
    [table] = re.findall(r"^\| you want .*\n((?:\|.*\n)+)", README, flags=re.MULTILINE)
    calls = [row.split(" | ")[1] for row in table.splitlines()[1:]]
    names = [name for cell in calls for name in re.findall(r"`([\w.]+)`", cell)]
    assert len(names) > 15
    for name in names:
        value = keras_acl
        for part in name.split("."):
            value = getattr(value, part)


def test_the_table_of_a_warm_start_is_that_of_its_runs():
    file = ROOT / "examples" / "results" / "pretrained_or_scratch" / "result.json"
    runs = json.loads(file.read_text(encoding="utf-8"))["validation_accuracy_by_epoch"]
    for start in ("from demo", "from scratch"):
        name = start.replace("demo", "`demo`")
        means = np.mean(runs[start], axis=0)[[0, 1, 3, 7]]
        assert f"| {name} | {' | '.join(f'{mean:.1%}'.replace('%', ' %') for mean in means)} |" in (
            WEIGHTS
        )


def test_every_table_of_figures_is_that_of_its_file():
    """A table after a link to a JSON of a benchmark has its columns, and its values as shown."""
    pages = (BENCHMARKS / "README.md", ROOT / "examples" / "deploy" / "README.md")
    page = "\n".join(file.read_text(encoding="utf-8") for file in pages)
    tables = re.findall(r"\((?:../benchmarks/)?results/([\w/]+)\.json\)[^|]*\n((?:\|.*\n)+)", page)
    results = BENCHMARKS / "results"
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
