"""The families of the zoo, each as wide as about 20 million multiply-adds a clip allow.

Clips have 16 frames, the fewest that I3D's, S3D's and C3D's pools leave something of, and 32 x 32
pixels, the fewest that C3D's do.
"""

import dataclasses

from keras_acl import ClipSpec
from keras_acl.models import (
    ARTNetClassifier,
    C3DClassifier,
    CSNClassifier,
    ECOLiteClassifier,
    I3DClassifier,
    InflatedResNetClassifier,
    R2Plus1DClassifier,
    ResNeXt3DClassifier,
    S3DClassifier,
    SlowClassifier,
    SlowFastClassifier,
    STCClassifier,
    T3DClassifier,
    TSNClassifier,
    TwoStreamClassifier,
)

import keras

CLIP = ClipSpec(frames=16, span=32, size=32)
MULTIPLY_ADDS = 20e6  # of one clip, that each family comes as near to as its width allows
# Every family gets the same pixels and the same dropout, whatever its publication had.
COMMON = {"clip": CLIP, "mean": 0.45, "std": 0.225, "dropout": 0.2}
STREAMS = {"depth": 11, "width": 8, "speed_ratio": 4, "channel_ratio": 2}
OURS = {**STREAMS, "scales": (1.0,)}


@dataclasses.dataclass(frozen=True)
class Family:
    """One form of a network.

    Args:
        title: Name in tables.
        network: Class of `keras_acl.models`.
        options: What it is built with, beside `COMMON`.
    """

    title: str
    network: type
    options: dict


# In the order in which they run: where time ends, it is the last ones that are missing.
FAMILIES = {
    "two_stream": Family(
        "Two streams, no fusion", TwoStreamClassifier, {**OURS, "consistency_weight": None}
    ),
    "two_stream_ac": Family("Two streams, AC", TwoStreamClassifier, OURS),
    "two_stream_ac_sup": Family(
        "Two streams, AC, supervised", TwoStreamClassifier, {**OURS, "stream_supervision": 0.5}
    ),
    "slowfast": Family("SlowFast", SlowFastClassifier, STREAMS),
    "slow": Family("Slow", SlowClassifier, {"depth": 11, "width": 20, "speed_ratio": 4}),
    "i3d": Family("I3D", I3DClassifier, {"width": 8}),
    "r2plus1d": Family("R(2+1)D", R2Plus1DClassifier, {"depth": 10, "width": 7}),
    "s3d": Family("S3D", S3DClassifier, {"width": 12}),
    "c3d": Family("C3D", C3DClassifier, {"width": 4, "hidden": 64, "normalized": True}),
    "tsn": Family("TSN", TSNClassifier, {"depth": 11, "width": 10}),
    "eco_lite": Family("ECO Lite", ECOLiteClassifier, {"width": 8}),
    "resnext3d": Family("3D ResNeXt", ResNeXt3DClassifier, {"depth": 14, "width": 4, "groups": 4}),
    "csn": Family("CSN", CSNClassifier, {"depth": 14, "width": 9}),
    "artnet": Family("ARTNet", ARTNetClassifier, {"depth": 10, "width": 6}),
    "t3d": Family("T3D", T3DClassifier, {"depth": 13, "growth": 5}),
    "stc": Family("STC", STCClassifier, {"depth": 14, "width": 4, "groups": 4}),
    "c2d": Family("C2D", InflatedResNetClassifier, {"depth": 11, "width": 12, "inflated": False}),
}


def family_network(name: str, labels) -> keras.Model:
    """A new network of a family, from the seed that is set."""
    family = FAMILIES[name]
    return family.network(len(labels), labels=list(labels), **{**COMMON, **family.options})
