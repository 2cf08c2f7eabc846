"""Training whose weights become NaN at a step that is drawn."""

import logging
import random
from pathlib import Path

import keras
import numpy as np
from faults import Row, timed
from tiny_network import compiled, random_clips, two_stream

from keras_acl.callbacks import ResumableCheckpoint, StopAtNaN
from keras_acl.training.checkpoint import latest_state, load_state

STEPS, EPOCHS = 3, 3
RATE = 0.01


class Poison(keras.callbacks.Callback):
    """Make a weight NaN before a step, and count those that are taken."""

    def __init__(self, epoch: int, step: int) -> None:
        super().__init__()
        self.place = epoch, step
        self.epoch = self.steps = 0
        self.good: list[np.ndarray] = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.good = self.model.get_weights()

    def on_train_batch_begin(self, batch, logs=None):
        self.steps += 1
        if (self.epoch, batch) == self.place:
            kernel = self.model.trainable_variables[0]
            kernel.assign(kernel * np.nan)


def run(times: int, folder: Path) -> list[Row]:
    """Train one small network `times` times from the same weights."""
    row = Row("the loss becomes NaN")
    model = compiled(two_stream(scales=(1.0,)), RATE)
    model.fit(*_data(), batch_size=2, verbose=0)  # traced once
    begin = [np.array(each) for each in model.get_weights()]
    with timed(row):
        for number in range(times):
            model.set_weights(begin)
            row.add(_one(model, number, folder / str(number)))
    row.note = "stops at the step and names it and the rate; the last good epoch is kept and loads"
    return [row]


def _data() -> tuple[np.ndarray, np.ndarray]:
    return random_clips(2 * STEPS), np.arange(2 * STEPS) % 3


def _one(model, number: int, folder: Path) -> str | None:
    """What was wrong; None if nothing."""
    drawn = random.Random(number)
    epoch, step = drawn.randrange(1, EPOCHS), drawn.randrange(STEPS)
    poison, said = Poison(epoch, step), _Said()
    logger = logging.getLogger("keras_acl")
    logger.addHandler(said)
    try:
        callbacks = [poison, StopAtNaN(), ResumableCheckpoint(folder)]
        model.fit(*_data(), batch_size=2, epochs=EPOCHS, callbacks=callbacks, verbose=0)
    finally:
        logger.removeHandler(said)
    if poison.steps != epoch * STEPS + step + 1:
        return f"{poison.steps} steps were taken, NaN came in step {step + 1} of {epoch + 1}"
    text = f"from step {step + 1} of epoch {epoch + 1} on, at a learning rate of {RATE:.3g}"
    if not any(text in line for line in said.lines):
        return f"said {said.lines}, not {text}"
    state = latest_state(folder)
    if state is None or state[0] != epoch:
        return f"the state is {state}, the last good epoch was {epoch}"
    load_state(model, state[1])
    same = zip(model.get_weights(), poison.good, strict=True)
    return None if all(np.array_equal(*pair) for pair in same) else "the state has other weights"


class _Said(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
