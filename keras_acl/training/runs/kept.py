"""The models that a run leaves: of its best epoch, and of its last."""

import json
import logging
from pathlib import Path

from keras_acl.system.atomic_write import check_room, written_whole
from keras_acl.training.checkpoint import best_state, latest_state, load_state
from keras_acl.training.runs.settings import KEEP, KeptModel

logger = logging.getLogger("keras_acl")

MODELS = "models.json"
EVALUATION = ("scores.npz", "metrics.json", "labels.csv", "evaluation.json")  # of the model before
WHICH = {"best": "the best by validation {}", "last": "the last"}


def save_models(model, folder: Path, keep: str) -> tuple[KeptModel, ...]:
    """Write `model.keras` and the other one, `last.keras` or `best.keras`; and which is which.

    Args:
        model: The compiled model; left with the weights of `model.keras`.
        folder: Folder of a run with a finished epoch.
        keep: `"best"` or `"last"`: what `model.keras` is to be.

    Raises:
        ValueError: If there is no finished epoch.
    """
    last = latest_state(folder / "checkpoint")
    if last is None:
        raise ValueError(f"{folder} has no finished epoch.")
    states = {"last": last, "best": best_state(folder / "checkpoint") or last}
    other = next(name for name in KEEP if name != keep)
    kept = []
    for which, file in ((other, f"{other}.keras"), (keep, "model.keras")):
        epoch, state = states[which]
        load_state(model, state)
        # By the moving average, if there is one. (The optimiser of mixed_float16 would deny it.)
        model.optimizer.finalize_variable_values(model.trainable_variables)
        check_room(folder / file, [*model.variables, *model.optimizer.variables])
        with written_whole(folder / file) as beside:
            model.save(beside)
        measure = "mean average precision" if model.multi_label else "accuracy"
        kept.insert(0, KeptModel(file, epoch, WHICH[which].format(measure)))
    (folder / f"{keep}.keras").unlink(missing_ok=True)  # of a call that kept the other
    if _epoch_before(folder) not in (None, kept[0].epoch):
        _remove_evaluation(folder, kept[0].epoch)
    with written_whole(folder / MODELS) as beside:
        names = ("file", "epoch", "which")
        about = [dict(zip(names, each, strict=True)) for each in kept]
        beside.write_text(json.dumps(about, indent=2), encoding="utf-8")
    return tuple(kept)


def _remove_evaluation(folder: Path, epoch: int) -> None:
    found = [folder / name for name in EVALUATION if (folder / name).exists()]
    for file in found:
        file.unlink()
    if found:
        logger.warning(
            "%s is now of epoch %d, so the evaluation of the one before was removed; "
            "keras-acl evaluate %s measures this one.",
            folder / "model.keras",
            epoch,
            folder,
        )


def _epoch_before(folder: Path) -> int | None:
    """The epoch that `model.keras` was of until now."""
    try:
        return json.loads((folder / MODELS).read_text(encoding="utf-8"))[0]["epoch"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
