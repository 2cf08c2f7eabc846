"""What several verbs of the command line have in common."""

from typing import Annotated

import typer

INTERRUPTED = 130  # 128 + SIGINT, the shell's habit
SavedModel = Annotated[
    str,
    typer.Argument(
        help="A .keras file, a run folder, a saved folder, a preset's name or hf://USER/REPO."
    ),
]
