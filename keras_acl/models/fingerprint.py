"""A short text that tells whether an interrupted computation may go on: same model, same task."""

import hashlib
import json

import keras
import numpy as np

# Arguments of a model that its scores do not depend on.
ONLY_IN_TRAINING = {
    "name",
    "trainable",
    "dropout",
    "clips_per_group",
    "consistency",
    "consistency_weight",
    "stream_supervision",
}
ONLY_FOR_SPEED = {"form", "folded"}


def fingerprint(model: keras.Model, *about) -> str:
    """Equal for the same model (weights and what it does with a clip) and circumstances.

    Args:
        model: A classifier of this package.
        *about: Everything else that the result depends on; JSON, or objects whose text differs.
    """
    ignored = ONLY_IN_TRAINING | ONLY_FOR_SPEED
    config = {name: value for name, value in model.get_config().items() if name not in ignored}
    if not config["multi_label"]:  # as it was before there was such an argument
        del config["multi_label"]
    digest = hashlib.sha256(json.dumps([about, config], sort_keys=True, default=str).encode())
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).data)
    return digest.hexdigest()[:16]
