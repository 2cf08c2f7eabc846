"""The folder that is a run's own: one process at a time, and the same run when it goes on."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_acl.clip import ClipSpec
from keras_acl.evaluation.held_out import SPLIT
from keras_acl.system.atomic_write import written_whole
from keras_acl.system.dotted_names import dotted_names
from keras_acl.training.checkpoint import latest_state, note_best
from keras_acl.training.history import read_history
from keras_acl.training.recipe import Recipe
from keras_acl.training.runs.settings import RunSettings
from keras_acl.training.runs.tables import read_text, split_table, write_table
from keras_acl.training.runs.videos import RunVideos

logger = logging.getLogger("keras_acl")
SETTINGS = "settings.json"
# No result depends on these, or (the sources) the videos themselves are compared.
FREE = {
    *("source", "validation", "test", "videos", "rematerialize", "keep", "all_scores", "workers"),
    *("processes", "recipe.patience", "recipe.restart"),
}


def claim_folder(folder: Path, settings: RunSettings, videos: RunVideos) -> RunSettings:
    """Write down what a run depends on, or check that it is what the run in `folder` began with.

    A folder without a finished epoch has nothing to lose and is taken over. A run may go on to more
    epochs than it began with; its learning rate then begins anew.

    Returns:
        The settings, with the epoch after which the learning rate began anew.

    Raises:
        ValueError: If the folder holds a run with other settings or other videos.
    """
    file, finished = folder / SETTINGS, finished_epochs(folder)
    if finished and file.exists():
        before = _read_settings(file)
        free = FREE | {"recipe.epochs"}
        if settings.weights is not None:
            free |= {"network"}  # weights bring their own; this one is what the device suggests
        changed = [
            f"{_option(name)} was {before.get(name)}"
            for name, value in dotted_names(dataclasses.asdict(settings)).items()
            if name not in free and not _same(before.get(name), value)
        ]
        if settings.recipe.epochs < before["recipe.epochs"]:
            changed.append(f"--epochs was {before['recipe.epochs']}")
        changed += _changed_videos(folder, before, settings, videos)
        if changed:
            raise ValueError(
                f"{folder} holds a run with other settings: {', '.join(changed)}. Repeat them to "
                "go on with it. Otherwise give another output folder, or remove this one."
            )
        _note_best(folder, finished)
        settings = _extended(settings, before, finished)
    else:
        (folder / "history.csv").unlink(missing_ok=True)
    text = json.dumps(dataclasses.asdict(settings), indent=2)
    with written_whole(file) as beside:
        beside.write_text(text, encoding="utf-8")
    write_table(folder / SPLIT, split_table(videos.subsets))
    return settings


def finished_epochs(folder: Path) -> int:
    """Number of epochs after which the run in `folder` would go on; 0 for a new one."""
    state = latest_state(folder / "checkpoint")
    return state[0] if state else 0


def _note_best(folder: Path, finished: int) -> None:
    """Of a run of 0.1.0 only the newest state is there: the best until a better one comes."""
    with contextlib.suppress(OSError, ValueError, LookupError):
        history = read_history(folder / "history.csv")
        value = history["val_accuracy"][history["epoch"].index(finished - 1)]
        note_best(folder / "checkpoint", "val_accuracy", finished, value)


def _extended(settings: RunSettings, before: Mapping[str, Any], finished: int) -> RunSettings:
    """The settings of a run that goes on, perhaps to more epochs than it began with."""
    restart = before["recipe.restart"]
    if settings.recipe.epochs > before["recipe.epochs"]:
        restart = finished
        logger.warning(
            "The run goes on from epoch %d to %d; its learning rate begins anew from its peak (a "
            "warm restart).",
            finished,
            settings.recipe.epochs,
        )
    recipe = dataclasses.replace(settings.recipe, restart=restart)
    return dataclasses.replace(settings, recipe=recipe)


def _read_settings(file: Path) -> dict[str, Any]:
    """Settings by dotted names; those that an older version did not know have their defaults."""
    fields = (*dataclasses.fields(RunSettings), *dataclasses.fields(Recipe))
    recipe = {field.name for field in dataclasses.fields(Recipe)} - {"seed"}
    defaults = {
        f"recipe.{field.name}" if field.name in recipe else field.name: field.default
        for field in fields
        if field.default is not dataclasses.MISSING
    }
    defaults |= {f"clip.{field.name}": field.default for field in dataclasses.fields(ClipSpec)}
    try:
        record = dotted_names(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"{file} cannot be read: {error}. Give another output folder, or remove this one."
        ) from error
    return {"recipe.epochs": 0, **defaults, **record}


def _option(name: str) -> str:
    """What a user of the command line calls a setting."""
    return "--" + name.removeprefix("recipe.").removeprefix("clip.").replace("_", "-")


def _same(before: Any, now: Any) -> bool:
    """Whether two settings are equal; a path may be spelled in several ways."""
    if before == now or not (isinstance(before, str) and isinstance(now, str)):
        return before == now
    return os.path.exists(now) and os.path.realpath(before) == os.path.realpath(now)


def _changed_videos(
    folder: Path, before: Mapping[str, Any], settings: RunSettings, videos: RunVideos
) -> list[str]:
    """How the videos differ from those that the run began with: the split would mix both."""
    if (folder / SPLIT).exists():
        old, new = (
            set(table.splitlines())
            for table in (read_text(folder / SPLIT), split_table(videos.subsets))
        )
        gone, added = len(old - new), len(new - old)
        return [f"{added} videos are new and {gone} gone"] if added or gone else []
    # A run of 0.1.0 noted a digest of the paths as they were spelled.
    spelled = (
        [video.path for video in videos.listed],
        _respelled(str(before.get("source")), settings.source, videos),
    )
    labels = [video.label for video in videos.listed]
    for paths in spelled:
        listed = "\n".join(f"{path}\t{label}" for path, label in zip(paths, labels, strict=True))
        digest = hashlib.sha256(listed.encode(errors="surrogateescape")).hexdigest()[:12]
        if before.get("videos") == f"{len(labels)}, list sha256 {digest}":
            return []
    return [f"its videos were {before.get('videos')} as an older version listed them"]


def _respelled(before: str, now: str, videos: RunVideos) -> list[str]:
    """The paths as they would be with the source as it was spelled before."""
    roots = [Path(source) for source in (before, now)]
    if now.lower().endswith(".csv"):
        roots = [root.parent for root in roots]
    return [str(roots[0] / os.path.relpath(video.path, roots[1])) for video in videos.listed]
