import io
import logging
import subprocess
import sys
import warnings

import pytest
from rich.console import Group
from rich.table import Table

from keras_acl.cli import terminal
from keras_acl.cli.terminal import (
    LineHandler,
    PlainConsole,
    keras_verbosity,
    logger,
    progress_bar,
    set_verbosity,
    start_logging,
)

PROBLEM = "There is no video file in"


@pytest.fixture
def _logging(monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    level, handlers = logger.level, list(logger.handlers)
    start_logging()
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers
    logger.propagate = True


BAD = "a\x1b[31m\nb[bold]{0}\udce9"
SHOWN = r"a\x1b[31m\nb[bold]{0}\udce9"


def shown_on(monkeypatch, name: str, **options) -> io.StringIO:
    """What is printed on the console `name`."""
    file = io.StringIO()
    console = PlainConsole(file=file, width=300, markup=False, highlight=False, **options)
    monkeypatch.setattr(terminal, name, console)
    return file


def test_names_stay_on_their_line_and_give_no_orders(monkeypatch):
    file = shown_on(monkeypatch, "screen")
    table = Table(BAD, title=BAD, box=None)
    table.add_row(Group(BAD, BAD))
    terminal.screen.print(BAD, "second line", sep="\n")
    terminal.screen.print(table)
    lines = [line.strip() for line in file.getvalue().splitlines()]
    assert lines == [SHOWN, "second line", *[SHOWN] * 4]


@pytest.mark.usefixtures("_logging")
def test_a_progress_bar_takes_any_name(monkeypatch):
    file = shown_on(monkeypatch, "errors", force_terminal=True)
    logger.setLevel(logging.INFO)
    with progress_bar(BAD) as progress:
        progress(1, 2)
    assert SHOWN in file.getvalue()


@pytest.mark.usefixtures("_logging")
def test_errors_and_warnings_are_one_line_each(monkeypatch):
    # Without pytest's own handler: xdist cannot send what that would keep.
    ours = [handler for handler in logger.handlers if isinstance(handler, LineHandler)]
    monkeypatch.setattr(logger, "handlers", ours)
    file = shown_on(monkeypatch, "errors")
    logger.error("%s", BAD)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(BAD, stacklevel=1)
    assert file.getvalue().splitlines() == [f"Error: {SHOWN}", f"Warning: {SHOWN}"]


@pytest.mark.usefixtures("_logging")
@pytest.mark.parametrize(
    ("verbose", "quiet", "shown"),
    [
        (False, False, ["told", "Warning: careful", "Warning: python", "Error: wrong"]),
        (True, False, ["detail", "told", "Warning: careful", "Warning: python", "Error: wrong"]),
        (False, True, ["Error: wrong"]),
    ],
)
def test_how_much_is_said(capsys, verbose, quiet, shown):
    set_verbosity(verbose, quiet)
    logger.debug("detail")
    logger.info("told")
    logger.warning("careful")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("python", stacklevel=1)
    logger.error("wrong")
    assert capsys.readouterr().err.splitlines() == shown


@pytest.mark.usefixtures("_logging")
def test_keras_is_silent_with_quiet():
    assert keras_verbosity() == 2  # no terminal here
    set_verbosity(False, True)
    assert keras_verbosity() == 0


@pytest.mark.usefixtures("_logging")
def test_logging_starts_once():
    start_logging()
    assert len([each for each in logger.handlers if type(each).__name__ == "LineHandler"]) == 1
    assert logger.level == logging.INFO


@pytest.mark.parametrize("option", ["-q", "--quiet", "-v", None])
def test_only_verbose_shows_where_an_error_arose(tmp_path, option):
    command = [sys.executable, "-m", "keras_acl", "check-videos", str(tmp_path)]
    done = subprocess.run([*command, option] if option else command, capture_output=True, text=True)
    assert done.returncode == 1
    first, *rest = done.stderr.splitlines()
    assert first.startswith(f"Error: {PROBLEM}")
    assert ("Traceback (most recent call last):" in rest) == (option == "-v")


def test_verbose_and_quiet_exclude_each_other(call, tmp_path):
    code, _, err = call("check-videos", tmp_path, "-v", "-q")
    assert code == 1
    assert err.splitlines() == ["Error: --verbose and --quiet exclude each other: leave one out"]


def test_errors_are_said_once_whatever_libraries_do_to_the_log(call, tmp_path):
    """Some make the root logger write, too, when they are imported or first warn."""
    other = logging.StreamHandler(io.StringIO())
    logging.root.addHandler(other)
    try:
        code, _, said = call("check-videos", tmp_path)
    finally:
        logging.root.removeHandler(other)
    assert code == 1
    assert said.count(PROBLEM) == 1
    assert other.stream.getvalue() == ""
