"""Two networks that were trained one by one as one network of late fusion."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_acl.clip import ClipSpec
from keras_acl.models.late_fusion import SHARED, LateFusionClassifier, joined, parts_of
from keras_acl.models.single_stream import SingleStreamClassifier

OWN = ("clip", "mean", "std", "labels", "name", "trainable", "dtype", *SHARED)
MAY_DIFFER = ("clip", "mean", "std", "labels", "name", "trainable", "dropout", "clips_per_group")


def late_fusion(
    models: Sequence[SingleStreamClassifier], fusion_weights: Sequence[float] = (1.0, 1.0)
) -> LateFusionClassifier:
    """Set a network of colours and one of flow side by side.

    Args:
        models: The two, in this order: of one class and with the same arguments but for clip, mean
            and std. They stay as they are.
        fusion_weights: w_s and w_t, what their logits are multiplied by.

    Returns:
        A model with their weights, and the labels and dropout rate of the first.

    Raises:
        ValueError: If the models do not fit each other.

    Example:
        >>> rgb = keras_acl.models.I3DClassifier(400)
        >>> clip = dataclasses.replace(rgb.clip, modality="flow")
        >>> model = late_fusion([rgb, keras_acl.models.I3DClassifier(400, clip=clip)])
    """
    clip, arguments = _checked_pair(models)
    first, second = models
    fused = LateFusionClassifier(
        first.num_classes,
        network=type(first).__name__,
        clip=clip,
        fusion_weights=fusion_weights,
        network_options={k: v for k, v in arguments.items() if k not in (*OWN, "num_classes")},
        labels=first.labels or second.labels,
        mean=joined(first.mean, second.mean),
        std=joined(first.std, second.std),
        dtype=first.dtype_policy,
        **{name: arguments[name] for name in SHARED},
    )
    fused.spatial_stream.set_weights(first.get_weights())
    fused.temporal_stream.set_weights(second.get_weights())
    return fused


def _checked_pair(models: Sequence[SingleStreamClassifier]) -> tuple[ClipSpec, dict[str, Any]]:
    """The clip of both together, and the arguments of the first."""
    if len(models) != 2 or not all(isinstance(one, SingleStreamClassifier) for one in models):
        raise ValueError(
            "Expected two networks of one stream, of colours and of flow. Received: "
            f"{', '.join(type(one).__name__ for one in models)}"
        )
    first, second = models
    configs = [one.get_config() for one in models]
    clip = dataclasses.replace(second.clip, modality="rgb+flow")
    same = [{k: v for k, v in config.items() if k not in MAY_DIFFER} for config in configs]
    fit = type(first) is type(second) and same[0] == same[1]
    if not fit or parts_of(clip) != (first.clip, second.clip):
        raise ValueError(
            "Expected two networks of one class and with the same arguments, of the same clips but "
            f"for their modality, first colours, then flow. Received: {type(first).__name__} and "
            f"{type(second).__name__}, {first.clip} and {second.clip}"
        )
    if None not in (first.labels, second.labels) and first.labels != second.labels:
        raise ValueError(
            "Expected two networks of the same classes in the same order. Received: "
            f"{first.labels} and {second.labels}"
        )
    return clip, configs[0]
