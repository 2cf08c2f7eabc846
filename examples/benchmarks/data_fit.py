"""How long `fit` waits for data: a network that asks for less than the files can give.

On TensorFlow. Both share the processor, so together they are slower than either alone.
"""

import statistics
from collections.abc import Sequence
from time import perf_counter

from keras_acl.clip import ClipSpec
from keras_acl.data import VideoDataset, VideoList
from keras_acl.models import SlowClassifier
from keras_acl.video.video import Video

import keras
import numpy as np

BATCH = 8
WIDTHS = (4, 8, 16, 32, 64)  # of the network; the first is the fastest
DEMAND = 0.9  # of what the files give, at most


def measure_fit(
    paths: Sequence[str], clips: int, repeats: int, clip: ClipSpec | None = None
) -> list[dict]:
    """Train, one epoch a turn; the last row is the median of the turns.

    Args:
        paths: Videos.
        clips: Clips an epoch.
        repeats: Epochs that count, after one that does not.
        clip: What the network eats; 32 frames of 224 pixels by default.

    Returns:
        A row a turn: clips a second of the files alone, of the network alone and of both together,
        and the share of the time that `fit` spent waiting.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError("The time that `fit` waits is measured on TensorFlow only.")
    clip = clip or ClipSpec()
    videos = [Video(path, number % 2) for number, path in enumerate(paths)]
    videos = VideoList(videos * -(-clips // len(videos)), ("one", "two"))[:clips]
    dataset = VideoDataset(videos, clip, BATCH)
    supply = statistics.median(reading_rate(dataset) for _ in range(3))
    model, demand = fitting_network(clip, DEMAND * supply)
    clock, rows = _Clock(model), []
    for turn in range(repeats + 1):
        clock.waited = clock.total = 0.0
        started = perf_counter()
        model.fit(dataset, epochs=1, verbose=0)
        seconds = perf_counter() - started
        if turn:
            rows.append(
                {
                    "turn": str(turn),
                    "files alone, clips/s": supply,
                    "network alone, clips/s": demand,
                    "together, clips/s": clips / seconds,
                    "share waiting": clock.waited / clock.total,
                }
            )
    dataset.close()
    numbers = list(rows[0])[1:]
    rows.append({"turn": "median"} | {k: statistics.median(r[k] for r in rows) for k in numbers})
    return rows


def reading_rate(dataset) -> float:
    """Clips a second of an epoch, after the first batch."""
    batches = iter(dataset)
    next(batches)
    started = perf_counter()
    count = sum(len(batch[0]) for batch in batches)
    return count / (perf_counter() - started)


def fitting_network(clip: ClipSpec, most: float) -> tuple[SlowClassifier, float]:
    """The fastest network that trains no more than so many clips a second; and its clips/s."""
    model, rate = network(clip, WIDTHS[0])
    for width in WIDTHS[1:]:
        if rate <= most:
            break
        model, rate = network(clip, width)
    return model, rate


def network(clip: ClipSpec, width: int) -> tuple[SlowClassifier, float]:
    """A small network and the clips a second of its training from memory."""
    model = SlowClassifier(2, depth=11, width=width, clip=clip)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-6), loss)
    batch = np.zeros((BATCH, clip.frames, clip.size, clip.size, 3), np.uint8), np.zeros(BATCH)
    times = []
    for _ in range(7):
        started = perf_counter()
        model.train_on_batch(*batch)
        times.append(perf_counter() - started)
    return model, BATCH / statistics.median(times[2:])


class _Clock:
    """Takes the place of the function that gets a batch and learns from it, and times both."""

    def __init__(self, model: keras.Model) -> None:
        import tensorflow as tf

        self._step = tf.function(model.train_step, reduce_retracing=True)
        model.train_function = self._run
        self.waited = self.total = 0.0

    def _run(self, iterator):
        started = perf_counter()
        batch = next(iterator)
        ready = perf_counter()
        logs = self._step(batch)
        for value in logs.values():
            float(value)  # wait for the step: TensorFlow may return before it is done
        self.waited += ready - started
        self.total += perf_counter() - started
        return logs
