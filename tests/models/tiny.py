"""The three classifiers in one tiny configuration, so that compiled code is shared."""

import keras
import numpy as np
from harness import to_numpy
from tiny_network import CLIP, NETWORK

from keras_acl.models import SlowClassifier, SlowFastClassifier, TwoStreamClassifier

LABELS = ("jump", "run", "wave")
TARGETS = np.array([2, 0])


def two_stream(**options) -> TwoStreamClassifier:
    return TwoStreamClassifier(3, **{"clip": CLIP, "labels": LABELS, **NETWORK, **options})


def slowfast(**options) -> SlowFastClassifier:
    options = {"clip": CLIP, "labels": LABELS, "fusion_kernel": 3, **NETWORK, **options}
    return SlowFastClassifier(3, **options)


def slow(**options) -> SlowClassifier:
    options = {"clip": CLIP, "labels": LABELS, **NETWORK, **options}
    del options["channel_ratio"]
    return SlowClassifier(3, **options)


def clips(count: int = 2, height: int = 32, width: int = 32) -> np.ndarray:
    rng = np.random.default_rng(count * height * width)
    return rng.integers(0, 256, (count, CLIP.frames, height, width, 3), dtype="uint8")


def randomize(model, seed: int = 0):
    """Give every weight a value that matters, batch statistics and last gammas too."""
    rng = np.random.default_rng(seed)
    for v in model.variables:
        if v.name == "kernel":
            v.assign(rng.normal(size=v.shape) * np.sqrt(2 / np.prod(v.shape[:-1])))
        elif v.name in ("gamma", "moving_variance"):
            v.assign(rng.uniform(0.5, 1.5, v.shape))
        elif v.name in ("beta", "bias", "moving_mean"):
            v.assign(rng.normal(size=v.shape) * 0.2)
    return model


def compiled(model, learning_rate: float = 0.01, eager: bool = False):
    """Ready to fit; `eager` spares the time of tracing where graphs are tested elsewhere."""
    model.compile(
        keras.optimizers.SGD(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        run_eagerly=eager,
        jit_compile=keras.backend.backend() == "jax",  # TensorFlow's XLA compiles slowly
    )
    return model


def fit(model, x=None, y=TARGETS, **options) -> dict:
    """Train one epoch on one batch; returns the logs."""
    x = clips() if x is None else x
    history = model.fit(x, y, batch_size=len(x), shuffle=False, verbose=0, **options)
    return {name: values[0] for name, values in history.history.items()}


def predict(model, x=None) -> np.ndarray:
    """Logits at inference, without compiling."""
    return to_numpy(model(clips() if x is None else x, training=False))
