"""What several commands have in common."""

from pathlib import Path
from typing import Annotated

import typer

INTERRUPTED = 130  # 128 + SIGINT, the shell's habit

SavedModel = Annotated[
    str,
    typer.Argument(
        help="A .keras file, a run folder, a saved folder, a preset's name or hf://USER/REPO."
    ),
]
VideoFiles = Annotated[list[Path], typer.Argument(help="Video files, or folders of them.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Files read at a time.", show_default="one per CPU core"),
]


def load_for_inference(name: str):
    """Load what `SavedModel` takes, optimised in the precision that it computes in."""
    from keras_acl.models import optimize
    from keras_acl.pretrained import load_any

    return optimize(load_any(name), precision=None)
