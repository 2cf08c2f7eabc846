"""Golden outputs: what a network said of a fixed clip, to tell whether it still says so."""

import keras
import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.models.video_classifier import VideoClassifier

SIZE = 64  # pixels: small, as these networks take any size
TOP = 5


def golden_clip(clip: ClipSpec) -> np.ndarray:
    """A clip that is the same everywhere: whole-number arithmetic, no random numbers.

    Returns:
        uint8, (1, T, 64, 64, C), see `ClipSpec.modality`.
    """
    t, y, x, c = np.ogrid[: clip.frames, :SIZE, :SIZE, : clip.channels]
    blocks = (x + 2 * t) // 16 + (y + t) // 16  # a chequered pattern that moves
    return ((blocks * 37 + 3 * x + 2 * y + 5 * t + 80 * c) % 256).astype("uint8")[None]


def golden_outputs(model: VideoClassifier) -> dict:
    """The five highest logits of the golden clip, with their classes, as plain values."""
    logits = keras.ops.convert_to_numpy(model.predict_on_batch(golden_clip(model.clip)))[0]
    best = np.argsort(-logits, kind="stable")[:TOP]
    return {
        "clip": f"keras_acl.pretrained.golden.golden_clip: {model.clip.frames}x{SIZE}x{SIZE}",
        "top_logits": [
            {"label": model.class_names[index], "logit": round(float(logits[index]), 5)}
            for index in best
        ],
    }
