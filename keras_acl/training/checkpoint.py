"""Runs that can be resumed: one state after every epoch."""

import hashlib
import json
import logging
import math
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_acl.system.atomic_write import check_room, written_whole
from keras_acl.system.devices import has_global_dropout_state
from keras_acl.system.distribution import from_first, is_first, together, undistributed
from keras_acl.system.keras_internals import set_first_epoch

LABELS = "labels.json"
BEST = "best.json"
CHECKSUMS = "checksums.json"
logger = logging.getLogger("keras_acl")
_told: set[tuple[Path, str]] = set()  # damaged files; each is asked about several times


class ResumableCheckpoint(keras.callbacks.Callback):
    """Save weights and optimiser after every epoch; start again where the last run ended.

    A killed run loses the epoch it was in and nothing else. One file holds one epoch, written
    beside and renamed, so a file that exists is whole. Should a disk spoil it later, its checksum
    tells, and the run goes on from the epoch before, whose state is kept, too. Random states (on
    torch the global ones) are set from (seed, epoch), as the data order is, so that a resumed run
    repeats an uninterrupted one. A state whose loss, in training or validation, is not finite is
    never saved. Of several processes that train together the first saves, and all load: they need
    one folder that all of them see.

    Args:
        folder: Where the state lives; made if missing.
        data: The training data; its `set_epoch`, if any, is told each epoch.
        seed: Seed of the random state.
        monitor: Metric by whose highest value an epoch is the best; the state of that one is kept,
            too, see `best_state`.
        patience: Epochs without a better one after which training stops, as Keras' `EarlyStopping`
            does; here a resumed run goes on counting. `None` trains them all.
        restart: Epochs that do not count for that: those before a warm restart.

    Raises:
        ValueError: At the start of training, if the saved state does not fit the model, or every
            saved state is damaged.
    """

    def __init__(
        self,
        folder,
        data: Any = None,
        seed: int = 0,
        monitor: str = "val_accuracy",
        patience: int | None = None,
        restart: int = 0,
    ):
        super().__init__()
        self.folder = Path(folder)
        self.data = data
        self.seed = seed
        self.monitor = monitor
        self.patience = patience
        self.restart = restart

    def on_train_begin(self, logs=None):
        """Load the newest state."""
        with together():
            saved = latest_state(self.folder)
            if saved is None and (damaged := saved_states(self.folder)):
                raise ValueError(
                    f"No saved state in {self.folder} is as it was written, the newest of epoch "
                    f"{damaged[-1][0]}. Train into another folder, or remove them to start anew."
                )
            if saved is not None:
                self._check_labels(saved[1])
            elif is_first():
                (self.folder / BEST).unlink(missing_ok=True)  # of states that somebody removed
        epoch = 0 if saved is None else saved[0]
        with together():
            if epoch != (first := from_first(epoch)):
                raise ValueError(
                    f"The first process goes on after epoch {first}, and this one finds that of "
                    f"{epoch} in {self.folder}: all processes need one folder that they share."
                )
        if saved is None:
            return
        logger.info("Going on after epoch %d (%s)", epoch, saved[1])
        load_state(self.model, saved[1])
        over = from_first(self._out_of_patience(epoch))
        set_first_epoch(self.model, self.params["epochs"] if over else epoch)

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
        """Save, then drop the states that are older than the one before, but not the best."""
        logs = logs or {}
        if not all(math.isfinite(logs.get(name, 0.0)) for name in ("loss", "val_loss")):
            return
        with together():
            if is_first():
                self._save(epoch, logs)
        if from_first(self._out_of_patience(epoch + 1)):
            self.model.stop_training = True

    def _save(self, epoch: int, logs) -> None:
        state = self.folder / f"epoch-{epoch + 1:04d}.weights.h5"
        check_room(state, [*self.model.variables, *self.model.optimizer.variables])
        with written_whole(state) as beside, undistributed():
            self.model.save_weights(beside, overwrite=True)
        known = _read_checksums(self.folder)
        checksums = {file.name: known.get(file.name) for _, file in saved_states(self.folder)}
        _write(self.folder / CHECKSUMS, {**checksums, state.name: _checksum(state)})
        _write(self.folder / LABELS, getattr(self.model, "labels", None))
        best, value = _read_best(self.folder)
        if logs.get(self.monitor, -math.inf) > value:
            best = epoch + 1
            _write(self.folder / BEST, {"epoch": best, self.monitor: float(logs[self.monitor])})
        for number, old in saved_states(self.folder):
            if number not in (best, epoch, epoch + 1):
                old.unlink()

    def _out_of_patience(self, epoch: int) -> bool:
        best, _ = _read_best(self.folder)
        since = epoch - max(best, self.restart)
        return self.patience is not None and best > 0 and since >= self.patience

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
    """Number of finished epochs and the file that holds their state, or `None`.

    A file whose checksum is another than when it was written is passed over, with a warning.
    """
    return _newest_sound(folder, reversed(saved_states(folder)))


def best_state(folder) -> tuple[int, Path] | None:
    """Number of the best epoch so far and the file that holds its state, or `None`.

    `None`, with a warning, also if that file is damaged.
    """
    best, _ = _read_best(Path(folder))
    return _newest_sound(folder, (state for state in saved_states(folder) if state[0] == best))


def _newest_sound(folder, states: Iterable[tuple[int, Path]]) -> tuple[int, Path] | None:
    """The first state that is as it was written, or of which that is not known."""
    checksums = _read_checksums(Path(folder))
    for epoch, file in states:
        found = _checksum(file)
        if checksums.get(file.name) in (None, found):
            return epoch, file
        if (file, found) not in _told:
            _told.add((file, found))
            logger.warning("%s is damaged: it is not as it was written. It is left out.", file)
    return None


def _checksum(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _read_checksums(folder: Path) -> dict[str, str]:
    """Checksums of the states by the names of their files; none if the note is damaged."""
    try:
        noted = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
        return dict(noted)
    except (FileNotFoundError, TypeError, ValueError):
        return {}


def note_best(folder, monitor: str, epoch: int, value: float) -> None:
    """Note that an epoch is the best so far, where nobody has noted any: 0.1.0 did not."""
    if not (Path(folder) / BEST).exists():
        _write(Path(folder) / BEST, {"epoch": epoch, monitor: float(value)})


def load_state(model: keras.Model, file: Path) -> None:
    """Give a compiled model the weights and the optimiser of a state.

    Raises:
        ValueError: If they do not fit.
    """
    if not model.optimizer.built:  # that of mixed_float16 would get its variables twice
        model.optimizer.build(model.trainable_variables)
    try:
        with warnings.catch_warnings():
            # Keras only warns of an optimiser that would begin anew.
            warnings.filterwarnings("error", "Skipping variable loading", UserWarning)
            model.load_weights(file)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        raise ValueError(
            f"The saved state {file} does not fit this model. Train into another folder, or "
            f"remove it to start anew. ({str(error).splitlines()[0]})"
        ) from error


def _read_best(folder: Path) -> tuple[int, float]:
    """Number of the best epoch, 0 for none or if the note of it is damaged, and its value."""
    try:
        noted = json.loads((folder / BEST).read_text(encoding="utf-8"))
        epoch = int(noted.pop("epoch"))
        (value,) = noted.values()
        return epoch, float(value)
    except (FileNotFoundError, KeyError, TypeError, AttributeError, ValueError):
        return 0, -math.inf


def _write(file: Path, content) -> None:
    with written_whole(file) as beside:
        beside.write_text(json.dumps(content), encoding="utf-8")


def _random_words(*entropy: int) -> np.ndarray:
    return np.random.SeedSequence(entropy).generate_state(2)


def _seed_states(model) -> list:
    return [v for v in model.non_trainable_variables if v.name == "seed_generator_state"]
