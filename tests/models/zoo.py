"""The networks of the zoo, each in one small form, and how to make them."""

import functools

import keras
import numpy as np
from tiny_network import LABELS, at_once, randomize

from keras_acl.clip import ClipSpec
from keras_acl.models import (
    ARTNetClassifier,
    BottleneckR2Plus1DClassifier,
    C3DClassifier,
    CSNClassifier,
    ECOLiteClassifier,
    I3DClassifier,
    InflatedResNetClassifier,
    R2Plus1DClassifier,
    R3DClassifier,
    ResNeXt3DClassifier,
    S3DClassifier,
    STCClassifier,
    T3DClassifier,
    TSNClassifier,
    X3DClassifier,
)

SHORT = ClipSpec(frames=8, span=8, size=32)
SEGMENTS = ClipSpec(frames=8, span=16, size=32, segments=True)
LONG = ClipSpec(frames=16, span=16, size=32)
PIXELS = {"mean": 0.45, "std": 1.8}  # well below one: of a hundred, squares of squares overflow
SMALL = {
    "r3d": (R3DClassifier, SHORT, {"depth": 10, "width": 8}),
    "mc3": (R3DClassifier, SHORT, {"depth": 10, "width": 8, "mixed": True}),
    "r2plus1d": (R2Plus1DClassifier, SHORT, {"depth": 10, "width": 8}),
    "r2plus1d_bottleneck": (BottleneckR2Plus1DClassifier, SHORT, {"depth": 14, "width": 8}),
    "i3d": (I3DClassifier, LONG, {"width": 8}),
    "s3d": (S3DClassifier, LONG, {"width": 8}),
    "c3d": (C3DClassifier, LONG, {"width": 4, "hidden": 32}),
    "c3d_normalized": (C3DClassifier, LONG, {"width": 4, "hidden": 32, "normalized": True}),
    "i3d_resnet": (InflatedResNetClassifier, SHORT, {"depth": 11, "width": 8}),
    "csn": (CSNClassifier, SHORT, {"depth": 14, "width": 8}),
    "tsn": (TSNClassifier, SEGMENTS, {"backbone": "bn_inception", "width": 8}),
    "eco_lite": (ECOLiteClassifier, SEGMENTS, {"width": 8}),
    "resnext3d": (ResNeXt3DClassifier, SHORT, {"depth": 14, "width": 8, "groups": 4}),
    "artnet": (ARTNetClassifier, SHORT, {"depth": 10, "width": 8, **PIXELS}),
    "stc": (STCClassifier, SHORT, {"depth": 14, "width": 8, "groups": 4}),
    "t3d": (T3DClassifier, SHORT, {"depth": 13, "growth": 4}),
    "x3d": (X3DClassifier, SHORT, {"width": 8, "depth_factor": 1.0, "hidden": 32}),
}


def make(name: str, **options):
    """A small network of three classes, as it starts."""
    network, clip, arguments = SMALL[name]
    keras.utils.set_random_seed(0)
    return network(3, **{"clip": clip, "labels": LABELS, **arguments, **options})


@functools.cache
def made(name: str):
    """The same, every weight of which matters; made once, as that takes seconds: not to change."""
    return randomize(make(name, dropout=0.0))


@functools.cache
def answers(name: str):
    """A function of clips: last feature maps and logits of the network `made`."""
    model = made(name)
    return at_once(model, lambda clips: (model.features(clips)[0], model(clips, training=False)))


def clips_for(model, count: int = 2, side: int = 32) -> np.ndarray:
    """Clips of noise, uint8 (count, T, side, side, C)."""
    shape = (count, model.clip.frames, side, side, model.clip.channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
