"""What of a video's frame a model sees in prediction: short side, then the square in the centre."""

import math

import numpy as np

from keras_acl.clip import ClipSpec


def resized(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width of a frame as `read_frames` resizes it."""
    shorter = min(height, width)
    return height * short_side // shorter, width * short_side // shorter


def crop_corner(height: int, width: int, clip: ClipSpec) -> tuple[int, int]:
    """Top and left of `centre_crop` in a frame of this size, resized to `clip.test_size`."""
    top, left = (
        math.ceil((side - clip.size) / 2) for side in resized(height, width, clip.test_size)
    )
    return top, left


def centre_crop(frames: np.ndarray, size: int) -> np.ndarray:
    """Cut the centre square, (T, H, W, 3) -> (T, size, size, 3), rounded as PySlowFast rounds."""
    top = math.ceil((frames.shape[1] - size) / 2)
    left = math.ceil((frames.shape[2] - size) / 2)
    return frames[:, top : top + size, left : left + size]
