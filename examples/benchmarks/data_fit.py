"""How long `fit` waits for data: the small network on TensorFlow, and the pipeline beside it."""

import statistics
from collections.abc import Sequence
from time import perf_counter

import keras

from keras_acl.clip import ClipSpec
from keras_acl.data import LoadingOptions, VideoDataset, VideoList
from keras_acl.data.videos import Video
from keras_acl.models import TwoStreamClassifier

BATCH = 8
WARM_UP = 2  # steps: tracing, and the batches that are ready before the first


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
        A row a turn: seconds, clips a second, and the share of the time spent waiting.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError("The time that `fit` waits is measured on TensorFlow only.")
    clip = clip or ClipSpec()
    model = TwoStreamClassifier(2, depth=11, width=8, channel_ratio=2, clip=clip)
    model.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
    videos = [Video(path, number % 2) for number, path in enumerate(paths)]
    videos = VideoList(videos * -(-clips // len(videos)), ("one", "two"))[:clips]
    dataset = VideoDataset(videos, clip, BATCH, loading=LoadingOptions(bad_files=None))
    clock = _Clock(model)
    rows = []
    for turn in range(repeats + 1):
        clock.reset()
        started = perf_counter()
        model.fit(dataset, epochs=1, verbose=0)
        seconds = perf_counter() - started
        if turn:
            rows.append(
                {
                    "turn": str(turn),
                    "s": seconds,
                    "clips/s": clips / seconds,
                    "share waiting": clock.waited / clock.total,
                }
            )
    dataset.close()
    keys = ("s", "clips/s", "share waiting")
    rows.append({"turn": "median"} | {k: statistics.median(r[k] for r in rows) for k in keys})
    return rows


class _Clock:
    """Takes the place of the function that gets a batch and learns from it, and times both."""

    def __init__(self, model: keras.Model) -> None:
        import tensorflow as tf

        self._step = tf.function(model.train_step, reduce_retracing=True)
        model.train_function = self._run
        self.reset()

    def reset(self) -> None:
        """Begin a turn."""
        self.waited = self.total = 0.0
        self._steps = 0

    def _run(self, iterator):
        started = perf_counter()
        batch = next(iterator)
        ready = perf_counter()
        logs = self._step(batch)
        for value in logs.values():
            float(value)  # wait for the step: TensorFlow may return before it is done
        self._steps += 1
        if self._steps > WARM_UP:
            self.waited += ready - started
            self.total += perf_counter() - started
        return logs
