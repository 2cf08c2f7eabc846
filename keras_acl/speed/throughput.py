"""Clips per second that a model and its data make on this machine, and which of the two waits."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
from keras import ops

from keras_acl.clip import ClipSpec
from keras_acl.data import LoadingOptions, Video, VideoDataset, VideoList
from keras_acl.models import VideoClassifier, optimize
from keras_acl.speed.cost import count_multiply_adds
from keras_acl.system.memory import available_memory, peak_memory
from keras_acl.training import recipes

LIMIT, INFERENCE, TRAINING = "matrix products alone", "inference", "training"
DATA, TOGETHER = "data", "training from data"
NO_MORE = 1.03  # times as many clips per second as before, or else it brought nothing
PATIENCE = 2  # batch sizes that brought nothing, and larger ones are not tried
SHARED = 0.9  # of the slower one's rate: below it the two are in each other's way
REPEATS = 3  # at least, and as many as fit into the time
FULL = ("resource_exhausted", "resourceexhausted", "out of memory", "outofmemory", "oom")


@dataclasses.dataclass(frozen=True)
class Rate:
    """One row of the table.

    Args:
        what: `"matrix products alone"`, `"inference"`, `"training"`, `"data"` or
            `"training from data"`.
        batch_size: Clips per batch.
        clips_per_second: Rate by the median step; NaN if the memory did not suffice.
        note: Remark on the measurement.
    """

    what: str
    batch_size: int
    clips_per_second: float
    note: str = ""


def benchmark(
    model: VideoClassifier,
    videos: Sequence[str] = (),
    batch_sizes: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
    seconds: float = 5.0,
    precision: str | None = None,
    loading: LoadingOptions | None = None,
    fast=None,
) -> Iterator[Rate]:
    """Measure inference and training by batch size, and with videos the data and both together.

    Inference is that of the optimised model. Its limit is stated first: as many multiply-adds as it
    has, in plain matrix products of Keras' backend. Each is repeated with larger batches until the
    memory is full or a larger batch brings nothing. The model itself is not changed.

    Args:
        model: A classifier of this package.
        videos: Files for the data's part; without any it is left out.
        batch_sizes: Clips per batch, ascending.
        seconds: Seconds spent on each row, after its first step.
        precision: Precision of the inference, see `keras_acl.optimize`; `None` for the model's own.
        loading: Options of reading the videos.
        fast: What the inference is measured of: `keras_acl.optimize(model, precision, engine=…)`;
            the optimised Keras model by default.

    Yields:
        A `Rate` as soon as it is known.

    Raises:
        ValueError: If a batch size is not positive or `seconds` is not above 0.
        BadVideosError: If too many of the videos cannot be read.
    """
    if min(batch_sizes, default=0) < 1 or not seconds > 0:
        raise ValueError(
            "Expected batch sizes of at least 1 and more than 0 seconds. "
            f"Received: batch_sizes={tuple(batch_sizes)}, seconds={seconds}"
        )
    fast = optimize(model, precision) if fast is None else fast
    multiply_adds = count_multiply_adds(model, model.clip.size)
    alone = matrix_products(multiply_adds, dtype=fast.compute_dtype)
    yield Rate(LIMIT, 1, 1 / _seconds_a_call(alone, seconds))
    yield from _sweep(INFERENCE, fast.predict_on_batch, model.clip, batch_sizes, seconds)
    del fast, alone
    learner = _learner(model)
    labels = np.zeros(max(batch_sizes), np.int32)

    def train(clips):
        return learner.train_on_batch(clips, labels[: len(clips)])

    rates = []
    for rate in _sweep(TRAINING, train, model.clip, batch_sizes, seconds):
        rates.append(rate)
        yield rate
    best = max(rates, key=lambda rate: np.nan_to_num(rate.clips_per_second))
    if videos and best.clips_per_second > 0:
        yield from _with_data(learner, videos, best, seconds, loading)


def verdict(rates: Sequence[Rate]) -> str:
    """Which of the two waits for the other, in a sentence; "" without data."""
    best = {
        what: max((r.clips_per_second for r in rates if r.what == what), default=0.0)
        for what in (TRAINING, DATA, TOGETHER)
    }
    if not min(best.values()) > 0:
        return ""
    slower = max(1 - best[TOGETHER] / best[TRAINING], 0)
    which = "data are" if best[DATA] < best[TRAINING] else "network is"
    shared = best[TOGETHER] < SHARED * min(best[DATA], best[TRAINING])
    return (
        f"The {which} the bottleneck: {best[DATA]:.3g} clips/s can be read, {best[TRAINING]:.3g} "
        f"trained. Training from files is {slower:.0%} slower than from memory"
        + (", as both share the processor." if shared else ".")
    )


def matrix_products(
    multiply_adds: int, count: int = 1, dtype: str = "float32"
) -> Callable[[], object]:
    """A call of the backend's matrix product, `count` times with so many multiply-adds."""
    size = 2048 if multiply_adds > 2048**3 else 256
    rows = max(round(multiply_adds / size**2), 1)
    a = ops.cast(ops.ones((rows, size)), dtype)
    b = ops.cast(ops.ones((size, size)) / size, dtype)

    def call():
        for _ in range(count):
            product = ops.matmul(a, b)
        return float(ops.cast(product[0, 0], "float32"))  # waits for it

    return call


def _learner(model: VideoClassifier) -> VideoClassifier:
    """A copy that may be spoilt, compiled as in training; its weights hardly move."""
    learner = type(model).from_config({**model.get_config(), "folded": False})
    recipes.finetune(epochs=1, learning_rate=1e-6).compile(learner)
    return learner


def _sweep(
    what: str,
    step: Callable[[np.ndarray], object],
    clip: ClipSpec,
    batch_sizes: Sequence[int],
    seconds: float,
) -> Iterator[Rate]:
    best, idle, used = 0.0, 0, peak_memory()
    for size in batch_sizes:
        rng = np.random.default_rng(0)
        shape = (size, clip.frames, clip.size, clip.size, 3)
        clips = rng.integers(0, 256, shape, dtype=np.uint8)
        try:
            rate = size / _seconds_a_call(lambda clips=clips: step(clips), seconds)
        except Exception as error:  # each backend has its own
            if not _is_full(error):
                raise
            yield Rate(what, size, float("nan"), "out of memory")
            return
        yield Rate(what, size, rate)
        idle = idle + 1 if rate < NO_MORE * best else 0
        if idle == PATIENCE:
            return
        best, grown = max(best, rate), peak_memory() - used
        used += grown
        if (
            2 * grown > available_memory()
        ):  # a CPU's memory ends with a killed process, not an error
            yield Rate(what, 2 * size, float("nan"), "not tried: the memory would not suffice")
            return


def _with_data(
    learner: VideoClassifier,
    videos: Sequence[str],
    trained: Rate,
    seconds: float,
    loading: LoadingOptions | None,
) -> Iterator[Rate]:
    size = trained.batch_size
    # As many passes as the time may take, in one: what is read ahead is not thrown away.
    records = [Video(path, 0) for path in videos]
    records *= -(-64 * size // len(records))
    dataset = VideoDataset(
        VideoList(records, learner.class_names), learner.clip, size, loading=loading
    )
    try:
        batches = _endless(dataset)
        # Means: who waits for data does so now and then.
        read = _seconds_a_call(lambda: next(batches), seconds, statistics.fmean)
        yield Rate(DATA, size, size / read)
        batches.close()
        clock = _Clock(seconds)
        learner.fit(dataset, epochs=1000, callbacks=[clock], verbose=0)
        yield Rate(TOGETHER, size, size / statistics.fmean(clock.steps))
    finally:
        dataset.close()


def _endless(dataset: VideoDataset):
    while True:
        yield from dataset


class _Clock(keras.callbacks.Callback):
    """Time from the end of a step to that of the next; stops after some seconds."""

    def __init__(self, seconds: float):
        super().__init__()
        self.seconds = seconds
        self.steps: list[float] = []
        self._first: float | None = None
        self._last = 0.0

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if self._first is None:  # the first step is compiled
            self._first = now
        else:
            self.steps.append(now - self._last)
        self._last = now
        if len(self.steps) >= REPEATS and now - self._first > self.seconds:
            self.model.stop_training = True


def _seconds_a_call(
    call: Callable[[], object],
    seconds: float,
    average: Callable[[list[float]], float] = statistics.median,
) -> float:
    """Seconds that a call takes on average, after one that compiles."""
    call()
    times: list[float] = []
    while len(times) < REPEATS or sum(times) < seconds:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return average(times)


def _is_full(error: Exception) -> bool:
    said = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(word in said for word in FULL)
