"""How much of a model's attention falls on the actor, given its mask."""

import numpy as np


def pointing_game(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Whether each map's strongest place lies in its mask (Zhang et al., 2016).

    Args:
        maps: (B, H, W), any range.
        masks: (B, H, W) bool.

    Returns:
        (B,) bool.

    Raises:
        ValueError: If the shapes differ.
    """
    _check(maps, masks)
    strongest = maps.reshape(len(maps), -1).argmax(axis=1)
    return masks.reshape(len(masks), -1)[np.arange(len(maps)), strongest]


def energy_inside(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Share of each map that falls in its mask.

    Args:
        maps: (B, H, W), values ≥ 0.
        masks: (B, H, W) bool.

    Returns:
        (B,) in [0, 1]; an even map gives the mask's share of the picture, an empty map 0.

    Raises:
        ValueError: If the shapes differ.
    """
    _check(maps, masks)
    axes = tuple(range(1, maps.ndim))
    return (maps * masks).sum(axis=axes) / np.maximum(maps.sum(axis=axes), 1e-12)


def _check(maps: np.ndarray, masks: np.ndarray) -> None:
    if maps.shape != masks.shape:
        raise ValueError(
            "Expected a mask of the same shape as each map. Received: "
            f"maps.shape={maps.shape}, masks.shape={masks.shape}"
        )
