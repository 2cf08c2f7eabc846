"""Random crops and flips of clips, the same for all frames of a clip.

Clips are uint8 arrays (T, H, W, 3). FFmpeg resizes and crops while decoding.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.video.clips import clip_times, read_uniform_clips
from keras_acl.video.crop import Crop, resized
from keras_acl.video.frame_table import probe
from keras_acl.video.modality import read_modality, with_u_turned
from keras_acl.video.read import read_crops
from keras_acl.video.video import Video, VideoSource


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What varies from one epoch to the next in training, the same for all frames of a clip.

    The defaults are PySlowFast's for Kinetics: a short side uniform in [256, 320], a random crop of
    224 and a flip of every other clip.

    Args:
        scale: Smallest and largest short side, as multiples of `clip.size`; 1 or more.
        flip: Probability of mirroring a clip left to right. 0 where a class tells left from right.
        randaugment: Strength of RandAugment between 0 (off) and 1, see `rand_augment`.
        mixup: α of mixup (0.2 is common, 0 is off), see `mix_up`. Batches then hold float32 clips
            and float32 class probabilities instead of uint8 clips and int32 classes.
        layers: Image layers of Keras or KerasCV, such as `keras.layers.RandomHue(0.1)`, applied one
            after the other with the same draw for all frames of a clip; see `apply_layers`.

    Raises:
        ValueError: If a value is out of range, or a layer cannot be called.
    """

    scale: tuple[float, float] = (256 / 224, 320 / 224)
    flip: float = 0.5
    randaugment: float = 0.0
    mixup: float = 0.0
    layers: Sequence[Callable] = ()

    def __post_init__(self) -> None:
        low, high = self.scale
        if not 1 <= low <= high:
            raise ValueError(
                "A crop must fit into the smallest short side: expected 1 <= scale[0] <= scale[1]. "
                f"Received: scale={self.scale}"
            )
        for name in ("flip", "randaugment", "mixup"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"Augmentation.{name} is from 0 to 1. Received: {name}={value!r}")
        object.__setattr__(self, "layers", tuple(self.layers))
        for layer in self.layers:
            if not callable(layer) or isinstance(layer, type):
                raise ValueError(
                    "Augmentation.layers are image layers, such as keras.layers.RandomHue(0.1). "
                    f"Received: {layer!r}"
                )

    @property
    def needs_keras(self) -> bool:
        """Whether it runs Keras layers on single clips."""
        return bool(self.layers or self.randaugment)


def read_training_clip(
    video: Video, clip: ClipSpec, augmentation: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """Read a random clip of a video: short side, start, crop and flip are drawn from `rng`.

    Args:
        video: Video to read.
        clip: Clip that the model takes.
        augmentation: Ranges of what is varied.
        rng: Random generator; see `record_rng`.

    Returns:
        uint8, shape (frames, size, size, 3), see `ClipSpec.modality`.

    Raises:
        DecodingError: If the file cannot be read.
    """
    short_side = draw_short_side(clip.size, augmentation.scale, rng)
    times = clip_times(video, clip, rng)
    info = probe(video)
    height, width = resized(info.height, info.width, short_side)
    corner = draw_corner(height, width, clip.size, rng)
    mirrored = bool(rng.random() < augmentation.flip)
    crop = Crop(height, width, *corner, clip.size, mirrored)
    times, places = np.unique(times, return_inverse=True)  # stacks of short videos overlap

    def read(source: VideoSource) -> np.ndarray:
        return read_crops(source, times, crop)

    frames = read_modality(video, clip, read)
    if len(places) > len(times):
        frames = frames[places]
    if mirrored:
        frames = with_u_turned(frames)
    if augmentation.needs_keras:
        # Not at the top: worker processes import this module, and they do without Keras.
        from keras_acl.data.keras_augmentation import apply_layers, rand_augment

        frames = apply_layers(frames, augmentation.layers, rng)
        if augmentation.randaugment:
            frames = rand_augment(frames, augmentation.randaugment, rng)
    return frames


def read_test_clip(video: Video, clip: ClipSpec) -> np.ndarray:
    """Read the clip in the middle of a video: short side `clip.test_size`, centre crop.

    Args:
        video: Video to read.
        clip: Clip that the model takes.

    Returns:
        uint8, shape (frames, size, size, 3), see `ClipSpec.modality`.

    Raises:
        DecodingError: If the file cannot be read.
    """
    return np.ascontiguousarray(read_uniform_clips(video, clip, 1)[0])


def draw_short_side(size: int, scale: tuple[float, float], rng: np.random.Generator) -> int:
    """Draw a whole number of pixels, uniform from `size * scale[0]` to `size * scale[1]`."""
    low, high = (round(size * factor) for factor in scale)
    return int(rng.integers(low, high, endpoint=True))


def draw_corner(height: int, width: int, size: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw the top and left of a square in a frame, uniform over all places."""
    top = int(rng.integers(0, height - size, endpoint=True))
    return top, int(rng.integers(0, width - size, endpoint=True))
