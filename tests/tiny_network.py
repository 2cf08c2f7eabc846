"""The one small network and its clips that the tests above the models share.

One configuration, so that what a backend compiles for it is compiled once in a process.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.data import MovingFigures
from keras_acl.models import TwoStreamClassifier

CLIP = ClipSpec(frames=8, span=16, size=32)
NETWORK = {"depth": 11, "width": 8, "speed_ratio": 4, "channel_ratio": 2}
LABELS = ("left", "right", "up")


def two_stream(seed: int = 0, **changes) -> TwoStreamClassifier:
    """A two-stream network of three classes, the same for the same seed."""
    keras.utils.set_random_seed(seed)
    return TwoStreamClassifier(**{"num_classes": 3, "clip": CLIP, **NETWORK, **changes})


def random_clips(count: int, seed: int = 0) -> np.ndarray:
    """Clips of noise, uint8 (count, 8, 32, 32, 3)."""
    rng = np.random.default_rng(seed)
    shape = (count, CLIP.frames, CLIP.size, CLIP.size, 3)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def write_figures(folder: Path, count: int, labels: Sequence[str] = LABELS) -> Path:
    """Write `count` videos of 24 frames of 48 x 48 a class, and return the folder."""
    MovingFigures(distractors=0, frames=24, size=48).write(folder, count)
    for other in folder.iterdir():
        if other.name not in labels:
            shutil.rmtree(other) if other.is_dir() else other.unlink()
    return folder
