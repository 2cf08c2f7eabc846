"""What several commands have in common."""

import collections
from collections.abc import Sequence
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


def output_names(paths: Sequence[str | Path]) -> list[str]:
    """A name for each video's output: its stem, with as many folders as tell it from the others.

    Raises:
        ValueError: If a video is listed twice, or two differ in their ending alone.
    """
    files, depth = [Path(path) for path in paths], 1
    while True:
        names = ["_".join([*file.parts[-depth:-1], file.stem]) for file in files]
        counts = collections.Counter(names)
        if max(counts.values()) == 1:
            return names
        if depth > max(len(file.parts) for file in files):
            twice = [str(file) for file, name in zip(files, names, strict=True) if counts[name] > 1]
            raise ValueError(f"Their outputs would have one name: {', '.join(twice)}")
        depth += 1
