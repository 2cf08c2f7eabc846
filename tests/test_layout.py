"""The house itself: rooms, sizes, and tests that stand where the code stands."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "keras_acl"
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = 21
LINES = 60
ARGUMENTS = 8
# A network's constructor says all that a network can be; a command's arguments are its options.
CONSTRUCTORS = {
    "models/two_stream.py",
    "models/slowfast.py",
    "models/slow.py",
    "models/video_classifier.py",
}


def functions(file: Path):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def arguments(node) -> list[str]:
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [each.arg for each in given if each.arg not in ("self", "cls")]


def test_the_top_has_few_rooms():
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    rooms -= {"__init__", "__main__", "__pycache__", "weights"}
    assert len(rooms) <= ROOMS, sorted(rooms)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_functions_are_short(file):
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in functions(file)
        if node.end_lineno - node.lineno >= LINES
    }
    assert not long


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_signatures_are_short(file):
    place = file.relative_to(PACKAGE).as_posix()
    if place.startswith("cli/"):
        pytest.skip("a command's arguments are its options")
    long = {
        node.name: len(arguments(node))
        for node in functions(file)
        if len(arguments(node)) > ARGUMENTS
        and not (place in CONSTRUCTORS and node.name == "__init__")
    }
    assert not long


def test_tests_stand_where_the_code_stands():
    stray = []
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        place = file.relative_to(ROOT / "tests")
        room = PACKAGE / place.parent
        if len(place.parts) > 1 and (PACKAGE / place.parts[0]).is_dir():
            # Of a file, or of one side of it: test_two_stream_training.py.
            holds = (
                [source.name.split(".")[0] for source in room.iterdir()] if room.is_dir() else []
            )
            about = f"{place.stem.removeprefix('test_')}_"
            if not any(about.startswith(f"{name}_") for name in holds):
                stray.append(place.as_posix())
    assert not stray


def test_the_library_does_not_print():
    """It logs, so that whoever uses it chooses where that goes; the command line has consoles."""
    printing = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]
    assert not printing
