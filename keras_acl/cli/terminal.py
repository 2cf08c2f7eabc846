"""What the command line writes to: consoles, progress bars, warnings as one line."""

import contextlib
import logging
import os
import sys
import warnings

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from keras_acl.system.printable import escaped

COLOURS = {logging.WARNING: "yellow", logging.ERROR: "red"}
UNWRAPPED = 1000  # columns where there is no terminal: a path must stay on one line


# Where a stream is closed (`>&-`) Python has none; what would take its place is another file.
for name in ("stdin", "stdout", "stderr"):
    if getattr(sys, name) is None:
        setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115


class PlainConsole(Console):
    r"""A console to which every string is one line of plain text.

    Names come from files: what they hold of control characters and line ends is shown, not obeyed.
    Lines are separate arguments of `print` (`sep="\n"`), or a `Text`.
    """

    def render_str(self, text: str, **options) -> Text:
        """The text, printable."""
        return super().render_str(escaped(text), **options)


def _console(stderr: bool = False) -> Console:
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return PlainConsole(
        stderr=stderr,
        width=None if terminal else UNWRAPPED,
        soft_wrap=True,
        markup=False,  # brackets and colons in file names are no commands
        emoji=False,
        highlight=False,
    )


logger = logging.getLogger("keras_acl")
screen = _console()
errors = _console(stderr=True)


class SpeedColumn(ProgressColumn):
    """How many units are done per second, lately."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task) -> Text:
        """`12.3 clips/s`; nothing before it is known."""
        return Text("" if not task.speed else f"{task.speed:.1f} {self.unit}/s")


@contextlib.contextmanager
def progress_bar(name: str, unit: str | None = None):
    """A progress bar on standard error, as a function of (done, total).

    Args:
        name: What is being done.
        unit: What is counted; with it the bar shows how many per second.
    """
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
    ]
    if unit is not None:
        columns.append(SpeedColumn(unit))
    columns.append(TimeRemainingColumn())
    hidden = not errors.is_terminal or not logger.isEnabledFor(logging.INFO)
    with Progress(*columns, console=errors, disable=hidden) as bar:
        task = bar.add_task(escaped(name), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextlib.contextmanager
def no_startup_noise():
    """Hide what TensorFlow's libraries write to the terminal while Keras is first imported.

    With --verbose they may.
    """
    if logger.isEnabledFor(logging.DEBUG):
        yield
        return
    sys.stderr.flush()
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


class LineHandler(logging.Handler):
    """Log records as lines on standard error, in the colour of their level."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; the level is named from a warning on."""
        named = record.levelno >= logging.WARNING
        level = f"{record.levelname.capitalize()}: " if named else ""
        errors.print(f"{level}{record.getMessage()}", style=COLOURS.get(record.levelno))
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
            errors.print(*trace.splitlines(), sep="\n")


def start_logging() -> None:
    """Let the package's log and Python's warnings come out as lines, from information on."""
    if not any(isinstance(handler, LineHandler) for handler in logger.handlers):
        logger.addHandler(LineHandler())
    logger.setLevel(logging.INFO)
    logger.propagate = False  # some libraries make the root write, too: all would be said twice
    warnings.showwarning = show_warning


def set_verbosity(verbose: bool, quiet: bool) -> None:
    """Choose how much is said: --verbose shows everything, --quiet errors only.

    Raises:
        ValueError: If both are asked for.
    """
    if verbose and quiet:
        raise ValueError("--verbose and --quiet exclude each other: leave one out")
    if verbose:
        logger.setLevel(logging.DEBUG)
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
    elif quiet:
        logger.setLevel(logging.ERROR)


def keras_verbosity() -> int:
    """`verbose` for Keras: a bar in a terminal, a line for each epoch elsewhere, or silence."""
    if not logger.isEnabledFor(logging.INFO):
        return 0
    return 1 if sys.stdout.isatty() else 2


def show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """A warning as one line, for `warnings.showwarning`."""
    logger.warning("%s", message)
