"""Weights drawn from names and shapes, the same everywhere: checkpoints too large to keep."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

COUNT = "num_batches_tracked"


def drawn(shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """A tensor for each name, every value of which matters; kernels keep the scale of activations.

    Args:
        shapes: Shape by torch's name of the tensor.
    """
    tensors = {}
    for name, shape in shapes.items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        values = rng.random(shape, np.float32)
        if name.endswith(COUNT):
            values = np.array(100)
        elif len(shape) > 1:
            values = (2 * values - 1) * np.float32(np.sqrt(6 / np.prod(shape[1:])))
        elif name.endswith(("running_var", "weight")):
            values = values + np.float32(0.5)
        else:
            values = values * np.float32(0.4) - np.float32(0.2)
        tensors[name] = values
    return tensors


def clip_of(frames: int, size: int) -> np.ndarray:
    """A clip of noise, uint8 (1, frames, size, size, 3)."""
    return np.random.default_rng(0).integers(0, 256, (1, frames, size, size, 3), dtype=np.uint8)
