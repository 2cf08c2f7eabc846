"""What a model sees of a frame: resized by its short side, then a square.

The only place for this arithmetic. Rounding is PySlowFast's: the longer side is rounded down, the
corner of a centre crop up.
"""

import math
from typing import NamedTuple

import numpy as np

from keras_acl.clip import ClipSpec


class Crop(NamedTuple):
    """A square of resized frames.

    Args:
        height: Height of the whole frame after resizing.
        width: Width of the whole frame after resizing.
        top: First row of the square.
        left: First column of the square.
        size: Side of the square.
        mirrored: Whether left and right are exchanged.
    """

    height: int
    width: int
    top: int
    left: int
    size: int
    mirrored: bool = False


def resized(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width of a frame after its short side is resized to `short_side` pixels."""
    shorter = min(height, width)
    return height * short_side // shorter, width * short_side // shorter


def centre_corner(height: int, width: int, size: int) -> tuple[int, int]:
    """Top row and left column of the centre square of a frame."""
    return math.ceil((height - size) / 2), math.ceil((width - size) / 2)


def seen_corner(height: int, width: int, clip: ClipSpec) -> tuple[int, int]:
    """Top and left of the square that a model sees, after resizing to `clip.test_size`."""
    return centre_corner(*resized(height, width, clip.test_size), clip.size)


def centre_crop(frames: np.ndarray, size: int) -> np.ndarray:
    """Cut the centre square, (..., H, W, 3) -> (..., size, size, 3), a view."""
    height, width = frames.shape[-3:-1]
    top, left = centre_corner(height, width, size)
    return frames[..., top : top + size, left : left + size, :]
