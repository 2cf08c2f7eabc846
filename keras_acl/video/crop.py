"""What a model sees of a frame: short side, then a square; the one place for this arithmetic.

All rounding is PySlowFast's: the longer side is rounded down, the place of a centre up.
"""

import math

import numpy as np

from keras_acl.clip import ClipSpec


def resized(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width of a frame whose short side is resized."""
    shorter = min(height, width)
    return height * short_side // shorter, width * short_side // shorter


def centre_corner(height: int, width: int, size: int) -> tuple[int, int]:
    """Top and left of the centre square of a frame."""
    return math.ceil((height - size) / 2), math.ceil((width - size) / 2)


def seen_corner(height: int, width: int, clip: ClipSpec) -> tuple[int, int]:
    """Top and left of what a model sees of a frame after it is resized to `clip.test_size`."""
    return centre_corner(*resized(height, width, clip.test_size), clip.size)


def centre_crop(frames: np.ndarray, size: int) -> np.ndarray:
    """Cut the centre square, (..., H, W, 3) -> (..., size, size, 3), a view."""
    height, width = frames.shape[-3:-1]
    top, left = centre_corner(height, width, size)
    return frames[..., top : top + size, left : left + size, :]
