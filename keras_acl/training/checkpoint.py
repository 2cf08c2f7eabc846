"""Runs that can be resumed: one state after every epoch."""

import json
import logging
import math
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_acl.system.atomic_write import written_whole
from keras_acl.system.devices import has_global_dropout_state
from keras_acl.system.keras_internals import set_first_epoch

LABELS = "labels.json"
logger = logging.getLogger("keras_acl")


class ResumableCheckpoint(keras.callbacks.Callback):
    """Save weights and optimiser after every epoch; start again where the last run ended.

    A killed run loses the epoch it was in and nothing else. One file holds one epoch, written
    beside and renamed, so a file that exists is whole. Random states (on torch the global ones too)
    are set from (seed, epoch), as the data order is, so that a resumed run repeats an uninterrupted
    one. A state whose loss, in training or validation, is not finite is never saved.

    Args:
        folder: Where the state lives; made if missing.
        data: The training data; its `set_epoch`, if any, is told each epoch.
        seed: Seed of the random state.

    Raises:
        ValueError: At the start of training, if the saved state does not fit the model.
    """

    def __init__(self, folder, data: Any = None, seed: int = 0):
        super().__init__()
        self.folder = Path(folder)
        self.data = data
        self.seed = seed

    def on_train_begin(self, logs=None):
        """Load the newest state."""
        saved = latest_state(self.folder)
        if saved is None:
            return
        epoch, file = saved
        self._check_labels(file)
        logger.info("Going on after epoch %d (%s)", epoch, file)
        self.model.optimizer.build(self.model.trainable_variables)
        try:
            self.model.load_weights(file)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(
                f"The saved state {file} does not fit this model. Train into another folder, or "
                f"remove it to start anew. ({str(error).splitlines()[0]})"
            ) from error
        set_first_epoch(self.model, epoch)

    def on_epoch_begin(self, epoch, logs=None):
        """Make this epoch's randomness depend on its number alone."""
        set_first_epoch(self.model, None)  # `fit` has read it; a later one starts at its own
        if has_global_dropout_state():
            keras.utils.set_random_seed(int(_random_words(self.seed, epoch)[0]))
        for index, variable in enumerate(_seed_states(self.model), start=1):
            variable.assign(_random_words(self.seed, epoch, index).astype(variable.dtype))
        if hasattr(self.data, "set_epoch"):
            self.data.set_epoch(epoch)

    def on_epoch_end(self, epoch, logs=None):
        """Save, then drop the state before."""
        logs = logs or {}
        if not all(math.isfinite(logs.get(name, 0.0)) for name in ("loss", "val_loss")):
            return
        with written_whole(self.folder / f"epoch-{epoch + 1:04d}.weights.h5") as beside:
            self.model.save_weights(beside, overwrite=True)
        with written_whole(self.folder / LABELS) as beside:
            beside.write_text(json.dumps(getattr(self.model, "labels", None)), encoding="utf-8")
        for number, old in saved_states(self.folder):
            if number != epoch + 1:
                old.unlink()

    def _check_labels(self, file: Path):
        """Weights of the same shape may mean other classes."""
        if not (self.folder / LABELS).exists():
            return
        labels = json.loads((self.folder / LABELS).read_text(encoding="utf-8"))
        ours = getattr(self.model, "labels", None)
        if labels != (None if ours is None else list(ours)):
            raise ValueError(
                f"The saved state {file} was trained for other classes, or for these in another "
                "order. Train into another folder, or remove it to start anew."
            )

    def on_train_end(self, logs=None):
        """Let a later `fit` start from its own first epoch."""
        set_first_epoch(self.model, None)


def saved_states(folder) -> list[tuple[int, Path]]:
    """Finished epochs and their files, oldest first."""
    found = []
    for file in Path(folder).glob("epoch-*.weights.h5"):
        if match := re.fullmatch(r"epoch-(\d+)\.weights\.h5", file.name):
            found.append((int(match[1]), file))
    return sorted(found)


def latest_state(folder) -> tuple[int, Path] | None:
    """Number of finished epochs and the file that holds their state, or `None`."""
    states = saved_states(folder)
    return states[-1] if states else None


def _random_words(*entropy: int) -> np.ndarray:
    return np.random.SeedSequence(entropy).generate_state(2)


def _seed_states(model) -> list:
    return [v for v in model.non_trainable_variables if v.name == "seed_generator_state"]
