"""Callbacks: the weight of the consistency term, precise batch statistics, resumable runs."""

import contextlib
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_acl.devices import compile_with_xla
from keras_acl.writing import written_whole

LABELS = "labels.json"


class ConsistencyLoss(keras.callbacks.Callback):
    """Set λ, the weight of the consistency term (Eq. 4), epoch by epoch.

    The term pulls both streams together, so it helps once the spatial stream knows something;
    a warm-up lets the classification loss begin. The weight changes without a recompile. The
    unweighted term is shown as `consistency` in the progress bar, the history and TensorBoard.

    Args:
        weight: λ.
        warmup_epochs: Epochs over which λ grows linearly from 0; see `weight_at_epoch`.
        end_epoch: First epoch without the term; `None` keeps it to the end.

    Raises:
        ValueError: At the start of training, if the model has no consistency term.

    Example:
        >>> model.fit(train, epochs=20, callbacks=[ConsistencyLoss(1.5, warmup_epochs=5)])
    """

    def __init__(self, weight: float = 1.5, warmup_epochs: int = 0, end_epoch: int | None = None):
        super().__init__()
        if weight < 0 or warmup_epochs < 0:
            raise ValueError(
                "Expected weight >= 0 and warmup_epochs >= 0. Received: "
                f"weight={weight}, warmup_epochs={warmup_epochs}"
            )
        self.weight = weight
        self.warmup_epochs = warmup_epochs
        self.end_epoch = end_epoch

    def on_train_begin(self, logs=None):
        """Check that there is a term to weigh."""
        if not hasattr(self.model, "consistency_weight"):
            raise ValueError(
                "ConsistencyLoss needs a model with a consistency term: a TwoStreamClassifier with "
                "a `consistency_weight` that is not None. Received: a "
                f"{type(self.model).__name__} without one; train it without this callback."
            )

    def on_epoch_begin(self, epoch, logs=None):
        """Set the weight of this epoch."""
        value = weight_at_epoch(epoch, self.weight, self.warmup_epochs, self.end_epoch)
        self.model.consistency_weight.assign(value)


def weight_at_epoch(
    epoch: int, weight: float, warmup_epochs: int = 0, end_epoch: int | None = None
) -> float:
    """λ of an epoch (from 0): epoch / warmup_epochs of `weight`, then all of it, then 0."""
    if end_epoch is not None and epoch >= end_epoch:
        return 0.0
    if epoch < warmup_epochs:
        return weight * epoch / warmup_epochs
    return weight


class PreciseBatchNorm(keras.callbacks.Callback):
    """Re-estimate the running statistics of batch normalisation before each validation.

    The running averages lag behind weights that still move. As PySlowFast does before it
    evaluates, forward passes in training mode over many batches give each layer the plain mean of
    its batch statistics.

    Args:
        data: Training batches: a `VideoDataset` or anything with `len` and `[]` whose items are
            batches, `(clips, ...)`. A `VideoDataset` is left where it was.
        batches: How many of them to use.

    Raises:
        ValueError: If `data` is empty or `batches` is not positive.
    """

    def __init__(self, data, batches: int = 200):
        super().__init__()
        if batches < 1 or not len(data):
            raise ValueError(
                "Expected at least one batch to estimate statistics from. Received: "
                f"batches={batches}, len(data)={len(data)}"
            )
        self.data = data
        self.batches = batches
        self._forward = None

    def on_test_begin(self, logs=None):
        """Estimate; called by `fit` before it validates."""
        if self._forward is None:
            self._forward = TrainingForward(self.model)
        with _borrowed_pass(self.data):
            precise_statistics(self._forward, self.data, self.batches)

    def on_train_end(self, logs=None):
        """Let the compiled forward pass go."""
        self._forward = None


@contextlib.contextmanager
def _borrowed_pass(data) -> Iterator[None]:
    """Let a data set read ahead as in `fit`; afterwards it stands where it stood."""
    if not hasattr(data, "set_epoch"):
        yield
        return
    epoch = data.epoch
    data.on_epoch_begin()
    try:
        yield
    finally:
        data.set_epoch(epoch)


class TrainingForward(keras.Model):
    """A model's forward pass with `training=True`, under `predict_on_batch` of every backend."""

    def __init__(self, model):
        super().__init__(name="training_forward")
        self.model = model
        self.compile(jit_compile=compile_with_xla())

    def call(self, clips):
        """Return logits."""
        outputs = self.model(clips, training=True)
        return outputs["logits"] if isinstance(outputs, dict) else outputs


def precise_statistics(forward: keras.Model, data, batches: int) -> None:
    """Give every batch normalisation layer of a `TrainingForward` the mean of its batch statistics.

    One step moves a running value to `momentum · old + (1 − momentum) · batch`; started from zero
    it holds the batch's share alone, whatever the backend. Frozen layers keep theirs.
    """
    layers = [
        layer
        for layer in forward._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    variables = [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
    momenta = [layer.momentum for layer in layers for _ in range(2)]
    if not variables:
        return
    before = [ops.convert_to_numpy(v).copy() for v in variables]  # torch hands out its own memory
    sums = [np.zeros(v.shape) for v in variables]
    count = min(batches, len(data))
    try:
        for index in range(count):
            for variable in variables:
                variable.assign(np.zeros(variable.shape))
            forward.predict_on_batch(data[index][0])
            for total, variable, momentum in zip(sums, variables, momenta, strict=True):
                total += ops.convert_to_numpy(variable) / (1 - momentum)
        before = [total / count for total in sums]
    finally:  # an interrupted estimate leaves the running averages as they were
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value.astype("float32"))


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
        if self.params.get("verbose"):
            print(f"Going on after epoch {epoch} ({file})")
        self.model.optimizer.build(self.model.trainable_variables)
        try:
            self.model.load_weights(file)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(
                f"The saved state {file} does not fit this model. Train into another folder, or "
                f"remove it to start anew. ({str(error).splitlines()[0]})"
            ) from error
        self.model._initial_epoch = epoch  # how Keras' own BackupAndRestore tells `fit`

    def on_epoch_begin(self, epoch, logs=None):
        """Make this epoch's randomness depend on its number alone."""
        self.model._initial_epoch = None  # `fit` has read it; a later one starts at its own
        if keras.backend.backend() == "torch":
            # Its dropout draws from the global state. (On TensorFlow this would drop all that is
            # compiled, and there is no need.)
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
        self.model._initial_epoch = None


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
