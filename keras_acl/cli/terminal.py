"""What the command line writes to: consoles, progress bars, warnings as one line."""

import contextlib
import os
import sys

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

UNWRAPPED = 1000  # columns where there is no terminal: a path must stay on one line


def _console(stderr: bool = False) -> Console:
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(
        stderr=stderr,
        width=None if terminal else UNWRAPPED,
        soft_wrap=True,
        markup=False,  # brackets and colons in file names are no commands
        emoji=False,
        highlight=False,
    )


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
    columns: list[ProgressColumn] = [TextColumn(name), BarColumn(), MofNCompleteColumn()]
    if unit is not None:
        columns.append(SpeedColumn(unit))
    columns.append(TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextlib.contextmanager
def no_startup_noise():
    """Hide what TensorFlow's libraries write to the terminal while Keras is first imported."""
    sys.stderr.flush()
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


def show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """A warning as one line, for `warnings.showwarning`."""
    errors.print(f"Warning: {message}", style="yellow")
