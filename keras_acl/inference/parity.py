"""Whether an exported file computes what the Keras model computes: run by its own runtime."""

import importlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_acl.engines.runtimes import INPUT, RUNTIMES, runtime_of


def run_exported(file: Path, clips: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs of an exported file by name, computed by the runtime of its format.

    Args:
        file: File that `keras_acl.export` wrote, or the folder of a SavedModel.
        clips: uint8 clips, (B, T, H, W, 3).
    """
    if file.suffix in RUNTIMES:
        return runtime_of(file).run(clips)
    return (_run_torch if file.suffix == ".pt2" else _run_saved_model)(file, clips)


def largest_difference(
    expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]
) -> tuple[str, float]:
    """The output that differs most, and by how much.

    In parts of the output's largest value, where that is above 1: values of 100 cannot be as exact
    as values of 1.

    Raises:
        ValueError: If the outputs have other names or shapes.
    """
    shapes = [{name: value.shape for name, value in each.items()} for each in (expected, found)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"Expected the outputs {shapes[0]}. Received: {shapes[1]}")
    differences = {
        name: float(np.max(np.abs(value - found[name])) / max(1.0, float(np.max(np.abs(value)))))
        for name, value in expected.items()
    }
    # NaN is the largest.
    worst = max(differences, key=lambda name: np.nan_to_num(differences[name], nan=np.inf))
    return worst, differences[worst]


def _run_saved_model(folder: Path, clips: np.ndarray) -> dict[str, np.ndarray]:
    tf = importlib.import_module("tensorflow")
    loaded = tf.saved_model.load(str(folder))
    outputs = loaded.signatures["serving_default"](**{INPUT: tf.constant(clips)})
    return {name: value.numpy() for name, value in outputs.items()}


def _run_torch(file: Path, clips: np.ndarray) -> dict[str, np.ndarray]:
    torch = importlib.import_module("torch")
    with torch.no_grad():
        outputs = torch.export.load(file).module()(torch.from_numpy(clips))
    return {name: value.numpy() for name, value in outputs.items()}
