"""`config.json`: the class of a network and its constructor's arguments as plain values."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.layers import AttentionConsistency
from keras_acl.models import (
    ECOClassifier,
    LateFusionClassifier,
    SlowClassifier,
    SlowFastClassifier,
    TwoStreamClassifier,
    X3DClassifier,
)
from keras_acl.models.late_fusion import NETWORKS as FUSED
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.pretrained.model_folder import CONFIG, SAVE_AGAIN, read_json

# All that a file can name. Nothing is imported because a file says so.
NETWORKS: dict[str, type[VideoClassifier]] = {
    "TwoStreamClassifier": TwoStreamClassifier,
    "SlowFastClassifier": SlowFastClassifier,
    "SlowClassifier": SlowClassifier,
    "ECOClassifier": ECOClassifier,
    "LateFusionClassifier": LateFusionClassifier,
    "X3DClassifier": X3DClassifier,
    **FUSED,
}
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16", "float16", "float64")
CONSISTENCY = ("temporal", "normalize", "classes", "stop_gradient", "seed", "minimum_contrast")
NOT_WRITTEN = ("name", "trainable", "labels")  # labels are in metadata.json


def write_config(model: VideoClassifier, folder: Path) -> None:
    """Write `config.json`.

    Raises:
        ValueError: If the model, its dtype policy or its consistency layer is of a class that
            plain values cannot name.
    """
    if type(model) not in NETWORKS.values():
        raise ValueError(
            f"save_pretrained takes a {', '.join(NETWORKS)}. Received: {type(model).__name__}. "
            "Other models are saved by model.save('model.keras')."
        )
    policy = model.dtype_policy.name
    if policy not in POLICIES:
        raise ValueError(f"Expected a dtype policy of {', '.join(POLICIES)}. Received: {policy}")
    config = {key: v for key, v in model.get_config().items() if key not in NOT_WRITTEN}
    config["dtype"] = policy
    if "consistency" in config:
        layer = model.consistency
        if type(layer) is not AttentionConsistency:
            raise ValueError(
                "Expected an AttentionConsistency layer. Received: "
                f"consistency={type(layer).__name__}. Save it by model.save('model.keras')."
            )
        config["consistency"] = {name: getattr(layer, name) for name in CONSISTENCY}
    text = json.dumps(
        {"class": type(model).__name__, "arguments": config}, indent=2, default=_plain
    )
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def read_config(folder: Path) -> tuple[type[VideoClassifier], dict[str, Any]]:
    """Read `config.json`: the class and the arguments that build the network, without labels.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is broken, or names something that is not in this package.
    """
    file = folder / CONFIG
    values = read_json(file)
    name, arguments = values.get("class"), values.get("arguments")
    if not isinstance(name, str) or name not in NETWORKS:
        raise ValueError(
            f"{file} names a class that cannot be loaded: {name!r}. Expected one of "
            f"{', '.join(NETWORKS)}."
        )
    if not isinstance(arguments, dict):
        raise ValueError(f"{file} has no arguments for {name}. {SAVE_AGAIN}")
    known = NETWORKS[name].argument_names() | {"dtype"}
    unknown = set(arguments) - known | set(arguments) & set(NOT_WRITTEN)
    if unknown:
        raise ValueError(
            f"{file} has arguments that {name} does not take: {', '.join(sorted(unknown))}. Was "
            "it written by a later version of keras-acl?"
        )
    try:
        return NETWORKS[name], _arguments(arguments)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{file} is broken: {reason}. {SAVE_AGAIN}") from error


def _arguments(plain: Mapping[str, Any]) -> dict[str, Any]:
    arguments = dict(plain)
    count = arguments["num_classes"]
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"num_classes must be a whole number above 0. Received: {count!r}")
    if arguments["dtype"] not in POLICIES:
        raise ValueError(f"dtype must be one of {', '.join(POLICIES)}")
    arguments["clip"] = ClipSpec(**arguments["clip"])
    if "consistency" in arguments:
        options = arguments["consistency"]
        if set(options) - set(CONSISTENCY):
            raise ValueError(f"consistency takes {', '.join(CONSISTENCY)}. Received: {options}")
        arguments["consistency"] = AttentionConsistency(**options, name="consistency")
    return arguments


def _plain(value):
    """Numpy's values, which JSON does not know."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise ValueError(f"config.json holds plain values. Received: {value!r}")
