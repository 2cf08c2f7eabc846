"""What a report reads of a run: scores, and whatever else is in its folder."""

import contextlib
import csv
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_acl.evaluation.scores import Scores
from keras_acl.system.dotted_names import dotted_names
from keras_acl.training.history import read_history


@dataclasses.dataclass(frozen=True)
class Run:
    """An evaluation and what is known of the model.

    Args:
        folder: Folder of the evaluation.
        scores: Its raw scores.
        model: Name or path to load the model by, or `None` where nobody said.
        history: Columns of the training's `history.csv`; empty without one.
        settings: The training's settings, by dotted names; empty without them.
        models: The models that the training left, each a `file`, its `epoch` and `which` that is.
        notes: What could not be read, in words.
    """

    folder: Path
    scores: Scores
    model: str | None = None
    history: Mapping[str, list[float]] = dataclasses.field(default_factory=dict)
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    models: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What to call it."""
        return self.scores.model or self.folder.resolve().name


def read_run(path: str | Path) -> Run:
    """Read a folder with `scores.npz`, or such a file and what is beside it.

    The curves and settings are those in the folder, or in the folder of the model that was
    evaluated. One of these files that is broken is a note, no error.

    Args:
        path: The folder or file.

    Raises:
        FileNotFoundError: If there are no scores.
        ValueError: If the scores are broken.
    """
    scores = Scores.load(path)
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    notes: list[str] = []
    about = _read_json(folder / "evaluation.json", notes)
    noted = about.get("model")
    if about.get("fingerprint", scores.fingerprint) != scores.fingerprint:
        notes.append("evaluation.json belongs to another evaluation, so the model is not known.")
        noted = None
    if noted is None and (folder / "model.keras").is_file():
        noted = folder
    places = [folder]
    if noted is not None:
        places.append(Path(noted) if Path(noted).is_dir() else Path(noted).parent)
    return Run(
        folder=folder,
        scores=scores,
        model=None if noted is None else str(noted),
        history=_read_history(places, notes),
        settings=_read_settings(places, notes),
        models=_read_models(places),
        notes=tuple(notes),
    )


def _read_json(file: Path, notes: list[str]) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        notes.append(f"{file.name} cannot be read: {error}.")
        return {}
    if not isinstance(content, dict):
        notes.append(f"{file.name} cannot be read: it holds a {type(content).__name__}.")
        return {}
    return content


def _read_history(places: list[Path], notes: list[str]) -> dict[str, list[float]]:
    for file in (place / "history.csv" for place in places):
        if not file.is_file():
            continue
        try:
            return read_history(file)
        except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
            notes.append(f"history.csv cannot be read, so there are no curves: {error!r}.")
            return {}
    return {}


def _read_models(places: list[Path]) -> tuple[dict[str, Any], ...]:
    for file in (place / "models.json" for place in places):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            models = json.loads(file.read_text(encoding="utf-8"))
            return tuple({name: one[name] for name in ("file", "epoch", "which")} for one in models)
    return ()


def _read_settings(places: list[Path], notes: list[str]) -> dict[str, str]:
    for file in (place / "settings.json" for place in places):
        if file.is_file():
            settings = dotted_names(_read_json(file, notes))
            return {name: str(value) for name, value in settings.items() if value is not None}
    return {}
