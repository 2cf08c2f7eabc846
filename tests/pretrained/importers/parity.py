"""Checkpoints and outputs written by the reference implementations, see tests/data/parity."""

import csv
import os
from pathlib import Path

import keras
import numpy as np
from tiny_network import at_once

# A CSV to add test, backend and error to: how `examples/systems.py --measure` knows them.
RECORD = os.environ.get("PARITY_ERRORS")
FOLDER = Path(__file__).parents[2] / "data" / "parity"
FILES = (
    "ptv_slowfast.pyth",
    "ptv_slow.pyth",
    "psf_slowfast.pyth",
    "psf_slowfast_c2.pkl",
    "mmaction2_slowfast.pth",
)
EXPECTED = np.load(FOLDER / "expected.npz")


def expected(file: str, what: str) -> np.ndarray | None:
    """What the implementation computed; the caffe2 file holds the weights of psf_slowfast."""
    name = f"{file.split('.')[0].removesuffix('_c2')}_{what}"
    return EXPECTED.get(name)


def clip(size: int = 64) -> np.ndarray:
    """The clip they were given, as a batch of one."""
    return EXPECTED[f"clip_{size}"][None]


def answer(model, clip: np.ndarray):
    """Logits; on JAX by one function: hundreds of layers one by one take long."""
    return at_once(model, lambda clips: model(clips, training=False))(clip)


def assert_close(ours, theirs: np.ndarray, tolerance: float = 1e-4) -> None:
    ours = keras.ops.convert_to_numpy(ours)
    assert ours.shape == theirs.shape
    largest = np.abs(theirs).max()
    error = np.abs(ours - theirs).max()
    if RECORD is not None:
        test = os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].removesuffix(" (call)")
        with open(RECORD, "a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow([test, keras.backend.backend(), f"{error / largest:.1e}"])
    assert error < tolerance * largest
