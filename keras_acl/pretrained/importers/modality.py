"""Networks of optical flow, which their first kernel tells."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_acl.clip import CHANNELS, ClipSpec

FIRST = ("stem_spatial", "stem", "conv1", "conv1_7x7_s2")  # a network's first layer
FIELD = CHANNELS["flow"]


def channels_of(tensors: Mapping[str, np.ndarray]) -> int:
    """Channels that a network takes, by its first kernel (T, H, W, I, O): 3 if there is none."""
    for name in FIRST:
        kernel = tensors.get(f"{name}_conv/kernel")
        if kernel is not None and kernel.ndim == 5:
            return kernel.shape[-2]
    return 3


def with_clip_of_flow(
    tensors: Mapping[str, np.ndarray], arguments: dict[str, Any], default: ClipSpec
) -> None:
    """Where a network takes flow, make the clip among its arguments one of flow.

    Args:
        tensors: Tensors of the checkpoint.
        arguments: Arguments of the network's class.
        default: Clip where none is among the arguments, of colours; its frames are segments.

    Raises:
        ValueError: If the clip has stacks of another size than the network takes.
    """
    stack, rest = divmod(channels_of(tensors), FIELD)
    if rest:
        return
    clip = arguments.get("clip")
    if clip is None:
        clip = dataclasses.replace(default, frames=default.frames * stack, stack=stack)
    clip = dataclasses.replace(clip, modality="flow")
    if clip.stack != stack:
        raise ValueError(
            f"The network takes stacks of {stack} fields of flow. Expected a clip with "
            f"stack={stack} and a multiple of it as frames. Received: clip={clip}"
        )
    arguments["clip"] = clip
