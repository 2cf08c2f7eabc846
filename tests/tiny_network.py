"""The three networks in one small configuration, their clips, and what is done with them in tests.

One configuration, so that what a backend compiles for it is compiled once in a process.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from harness import to_numpy

from keras_acl.clip import ClipSpec
from keras_acl.data import MovingFigures
from keras_acl.models import SlowClassifier, SlowFastClassifier, TwoStreamClassifier
from keras_acl.models.compiled_call import CompiledCall

CLIP = ClipSpec(frames=8, span=16, size=32)
NETWORK = {"depth": 11, "width": 8, "speed_ratio": 4, "channel_ratio": 2}
LABELS = ("left", "right", "up")
TARGETS = np.array([2, 0])  # of two clips
# Steps that are taken once are quicker before they would be compiled; but JAX compiles each of a
# thousand operations more slowly than the one function of them all.
EAGER = keras.backend.backend() != "jax"


def two_stream(seed: int = 0, **options) -> TwoStreamClassifier:
    """A two-stream network of three classes, the same for the same seed."""
    keras.utils.set_random_seed(seed)
    return TwoStreamClassifier(
        **{"num_classes": 3, "clip": CLIP, "labels": LABELS, **NETWORK, **options}
    )


def slowfast(**options) -> SlowFastClassifier:
    """A SlowFast network of three classes."""
    options = {"clip": CLIP, "labels": LABELS, "fusion_kernel": 3, **NETWORK, **options}
    return SlowFastClassifier(3, **options)


def slow(**options) -> SlowClassifier:
    """The spatial stream alone, of three classes."""
    options = {"clip": CLIP, "labels": LABELS, **NETWORK, **options}
    del options["channel_ratio"]
    return SlowClassifier(3, **options)


def random_clips(count: int = 2, seed: int = 0, height: int = 32, width: int = 32) -> np.ndarray:
    """Clips of noise, uint8 (count, 8, height, width, 3)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, CLIP.frames, height, width, 3), dtype=np.uint8)


def randomize(model, seed: int = 0):
    """Give every weight a value that matters, batch statistics and last gammas too."""
    rng = np.random.default_rng(seed)
    for v in model.variables:
        if v.name == "kernel":
            value = rng.normal(size=v.shape) * np.sqrt(2 / np.prod(v.shape[:-1]))
        elif v.name in ("gamma", "moving_variance"):
            value = rng.uniform(0.5, 1.5, v.shape)
        elif v.name in ("beta", "bias", "moving_mean"):
            value = rng.normal(size=v.shape) * 0.2
        else:
            continue
        v.assign(value.astype("float32"))  # JAX would compile the cast of every new shape
    return model


def compiled(model, learning_rate: float = 0.01, eager: bool = False):
    """Ready to fit; `eager` spares the time of tracing where graphs are tested elsewhere."""
    model.compile(
        keras.optimizers.SGD(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        run_eagerly=eager and EAGER,
        jit_compile=keras.backend.backend() == "jax",  # TensorFlow's XLA compiles slowly
    )
    return model


def fit(model, x=None, y=TARGETS, **options) -> dict:
    """Train one epoch on one batch; returns the logs."""
    x = random_clips() if x is None else x
    history = model.fit(x, y, batch_size=len(x), shuffle=False, verbose=0, **options)
    return {name: values[0] for name, values in history.history.items()}


def predict(model, x=None) -> np.ndarray:
    """Logits at inference, without compiling."""
    return to_numpy(model(random_clips() if x is None else x, training=False))


def at_once(model, function) -> Callable:
    """A function of clips and the model: on JAX compiled as one.

    JAX compiles each operation of a network that it has not run before by itself, which together
    takes ten times as long.
    """
    return function if EAGER else CompiledCall(function, [model]).predict_on_batch


def in_training(model, x=None):
    """Outputs in training."""
    x = random_clips() if x is None else x
    return at_once(model, lambda clips: model(clips, training=True))(x)


def write_figures(
    folder: Path, count: int, labels: Sequence[str] = LABELS, task: str = "motion"
) -> Path:
    """Write `count` videos of 24 frames of 48 x 48 of each class, and return the folder."""
    MovingFigures(task, distractors=0, frames=24, size=48).write(folder, count)
    for other in folder.iterdir():
        if other.name not in labels:
            shutil.rmtree(other) if other.is_dir() else other.unlink()
    return folder
