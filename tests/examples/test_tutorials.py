"""The tutorials: as committed they show what they say, and they run again on small input."""

import asyncio
import json
import re
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "examples" / "tutorials"
SMALL = {
    "another_projects_checkpoint": {"PARITY": str(ROOT / "tests" / "data" / "parity")},
    "numbers_like_the_literature": {"COUNT": 1, "CLIPS": 2},
    "where_it_looks": {"COUNT": 1},
    "your_own_videos": {"PER_CLASS": 4, "EPOCHS": 1},
}
NAMES = sorted(SMALL)


def read(name: str):
    return nbformat.read(TUTORIALS / f"{name}.ipynb", as_version=4)


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cells) -> set[str]:
    """Kinds of what the cells show."""
    return {kind for cell in cells for output in cell.outputs for kind in output.get("data", {})}


def test_each_tutorial_is_tested():
    assert [file.stem for file in sorted(TUTORIALS.glob("*.ipynb"))] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_tutorial_was_run_from_top_to_bottom_and_shows_pictures(name):
    cells = code_cells(read(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert kinds(cells) & {"image/png", "image/jpeg"}
    text = json.dumps([cell.outputs for cell in cells])
    assert "stderr" not in text
    assert not re.search(r"(/home|/root|/tmp|/Users|/work)/\w", text)  # nobody's own machine


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """One process for all, as it takes long to start; a tutorial finds no names of another's."""
    manager = AsyncKernelManager(kernel_name="python3")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MPLBACKEND", raising=False)  # a notebook draws into itself
        yield manager
    asyncio.run(manager.shutdown_kernel(now=True))


def clean_cell(folder: Path):
    return nbformat.v4.new_code_cell(f"%reset -f\n%cd -q {folder}\n%matplotlib inline")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_tutorial_runs_on_small_input(name, tmp_path, kernel):
    notebook = read(name)
    cells = code_cells(notebook)
    [parameters] = [cell for cell in cells if "parameters" in cell.metadata.get("tags", ())]
    assert all(f"{key} =" in parameters.source for key in SMALL[name])
    parameters.source += "".join(f"\n{key} = {value!r}" for key, value in SMALL[name].items())
    shown = kinds(cells)
    for cell in cells:
        cell.outputs = []
    notebook.cells.insert(0, clean_cell(tmp_path))
    client = NotebookClient(notebook, km=kernel, timeout=300)
    client.execute()
    client.kc.stop_channels()
    # Pictures are stored as JPEG where that is much smaller.
    again = {kind.replace("jpeg", "png") for kind in kinds(cells)}
    assert again == {kind.replace("jpeg", "png") for kind in shown}
