"""Image layers, RandAugment and mixup of clips. Needs Keras; off by default.

Works on the CPU with any backend and from any thread. All chance comes from NumPy generators, but
each backend draws its own numbers from the seed it is given.
"""

import functools
import inspect
import threading
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers, ops

from keras_acl.system.devices import seed_tensorflow
from keras_acl.system.keras_internals import all_layers

# A layer's chance is a variable of its own, and clips are read by several threads.
_chance = threading.Lock()


def apply_layers(
    clip: np.ndarray, image_layers: Sequence[Callable], rng: np.random.Generator
) -> np.ndarray:
    """Apply image layers one after the other, each drawn once for all frames of the clip.

    A layer sees one frame after the other, and its chance begins anew with the same seed for each;
    the seed that it was made with does not count. So what it computes of an image, such as the
    contrast, is of each frame alone. Known are the sources of chance of Keras and of KerasCV; with
    a layer of KerasCV, TensorFlow's global seed is set, too.

    Args:
        clip: uint8 RGB, shape (T, H, W, 3).
        image_layers: Layers that take float32 images, values 0 to 255, and keep their size.
        rng: Source of chance.

    Returns:
        uint8, the shape of `clip`.

    Raises:
        ValueError: If a layer changes the size of the frames.
    """
    frames = list(clip.astype(np.float32))
    for layer in image_layers:
        seed = int(rng.integers(2**31))
        with _chance, keras.device("cpu"):
            if not getattr(layer, "built", True):  # which may draw, too
                _with_seed(layer, seed, frames[0])
            frames = [_with_seed(layer, seed, frame) for frame in frames]
        if frames[0].shape != clip.shape[1:]:
            raise ValueError(
                "A layer of an augmentation keeps the size of the frames; ClipSpec says how large "
                f"they are. Received: {layer} makes {frames[0].shape} of {clip.shape[1:]}"
            )
    return np.clip(np.rint(np.stack(frames)), 0, 255).astype(np.uint8)


def _with_seed(layer: Callable, seed: int, frame: np.ndarray) -> np.ndarray:
    """Show a frame (H, W, 3) to a layer whose every source of chance starts from a seed."""
    parts = all_layers(layer) if isinstance(layer, keras.Layer) else [layer]
    sources = [value for part in parts for value in getattr(part, "__dict__", {}).values()]
    for number, source in enumerate(sources):
        # Another seed for each: two layers with one seed would draw alike.
        if isinstance(source, keras.random.SeedGenerator):
            source.state.assign(np.array([seed + number, 0], source.state.dtype))
        elif hasattr(source, "reset_from_seed"):  # TensorFlow's, in KerasCV
            source.reset_from_seed(seed + number)
            seed_tensorflow(seed)
    call = getattr(layer, "call", layer)
    options = {"training": True} if "training" in inspect.signature(call).parameters else {}
    return _to_numpy(layer(frame, **options)).astype(np.float32)


def rand_augment(
    clip: np.ndarray, magnitude: float, rng: np.random.Generator, operations: int = 2
) -> np.ndarray:
    """Apply a few image operations, drawn once and the same for all frames of a clip.

    Cubuk et al., RandAugment, 2020, with nine Keras layers. `keras.layers.RandAugment` itself draws
    anew for each frame, runs all its layers on each and turns by up to 180 degrees. Left out are
    Equalization, which takes seconds per clip on JAX, and Solarization, whose strength Keras cannot
    limit.

    Args:
        clip: uint8 RGB, shape (T, H, W, 3).
        magnitude: Strength, 0 to 1. At 1 the ranges are the paper's: 30 degrees, shear 0.3,
            shift 0.45, colour changes of 0.9.
        rng: Source of chance.
        operations: Number of operations, applied one after the other.

    Returns:
        uint8, the shape of `clip`.
    """
    choices = _operations(magnitude)
    images = clip.astype(np.float32)
    for number in rng.integers(len(choices), size=operations):
        layer, pointwise = choices[int(number)]
        images = _apply(layer, pointwise, images, rng)
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def mix_up(
    clips: np.ndarray, probabilities: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Blend every clip of a batch with another one, and their classes likewise.

    Zhang et al., mixup, 2018, by `keras.layers.MixUp`; the weights are drawn from Beta(α, α).

    Args:
        clips: Shape (B, T, H, W, 3), values 0 to 255.
        probabilities: One-hot classes, shape (B, L).
        alpha: α.
        rng: Source of chance.

    Returns:
        float32 clips (B, T, H, W, 3), values 0 to 255, and float32 probabilities (B, L).
    """
    layer = layers.MixUp(alpha, data_format="channels_last", dtype="float32", seed=0)
    drawn = {
        "mix_weight": rng.beta(alpha, alpha, len(clips)).astype("float32"),
        "permutation_order": rng.permutation(len(clips)).astype("int32"),
    }
    with keras.device("cpu"):
        tall = clips.reshape(len(clips), -1, *clips.shape[3:])  # (B, T, H, W, 3) -> (B, T·H, W, 3)
        mixed = layer.transform_images(ops.convert_to_tensor(tall, "float32"), drawn)
        labels = layer.transform_labels(ops.convert_to_tensor(probabilities, "float32"), drawn)
        return _to_numpy(mixed).reshape(clips.shape), _to_numpy(labels)


@functools.cache
def _operations(magnitude: float) -> tuple[tuple[layers.Layer, bool], ...]:
    """(layer, works on each pixel by itself) of RandAugment at one strength."""
    # float32 under any policy; a seed, or making a layer would draw one from Python's own chance.
    plain = {"data_format": "channels_last", "dtype": "float32"}
    common = {**plain, "seed": 0}
    colour = 0.9 * magnitude
    return (
        (layers.RandomShear(0.3 * magnitude, 0.3 * magnitude, **common), False),
        (layers.RandomTranslation(0.45 * magnitude, 0.45 * magnitude, **common), False),
        (layers.RandomRotation(30 / 360 * magnitude, **common), False),
        (layers.RandomSharpness((0.5 - colour / 2, 0.5 + colour / 2), **common), False),
        (layers.RandomBrightness(colour / 2, **common), True),
        (layers.RandomColorDegeneration(colour, **common), True),
        (layers.RandomContrast((colour, colour), **common), True),
        (layers.RandomPosterization((8 - round(4 * magnitude), 8), **common), True),
        (layers.AutoContrast(**plain), True),
    )


def _apply(
    layer: layers.Layer, pointwise: bool, images: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Show a layer all frames (T, H, W, 3) as one image, so that it draws only once."""
    # Not a plain number: a layer that draws twice would draw the same value twice.
    seed = keras.random.SeedGenerator(int(rng.integers(2**31)))
    frames, height, width, channels = images.shape
    if pointwise:  # a tall image (1, T·H, W, 3): its mean, darkest and brightest are the clip's
        image = images.reshape(1, -1, width, channels)
    else:  # a deep image (1, H, W, T·3)
        image = images.transpose(1, 2, 0, 3).reshape(1, height, width, -1)
    with keras.device("cpu"):
        drawn = layer.get_random_transformation(image, seed=seed)
        image = layer.transform_images(ops.convert_to_tensor(image), drawn)
        image = _to_numpy(image)
    if pointwise:
        return image.reshape(images.shape)
    return image.reshape(height, width, frames, channels).transpose(2, 0, 1, 3)


def _to_numpy(tensor) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))
