"""I3D as kinetics-i3d's TensorFlow checkpoints name it, and pytorch-i3d."""

from typing import Any

import numpy as np

from keras_acl.models.inception3d import CLIP, STAGES, I3DClassifier
from keras_acl.pretrained.importers.formats import BATCHES_TRACKED, CheckpointFormat, Tensors
from keras_acl.pretrained.importers.modality import with_clip_of_flow

EPSILON = 1e-3
_FIRST = {"Conv3d_1a_7x7": "stem", "Conv3d_2b_1x1": "conv2b", "Conv3d_2c_3x3": "conv2c"}
_LAYER = r"(?P<kind>conv_3d|batch_norm)/(?P<weight>\w+)"
# The checkpoint trained on Kinetics-600 has none.
_PREFIX = r"(?:(?:RGB|Flow)/inception_i3d/)?"
_BLOCKS = "|".join(name for _, stage in STAGES for name in stage)
_MIXED = rf"{_PREFIX}Mixed_(?P<block>{_BLOCKS})"


def _as_here(name: str, value: np.ndarray) -> np.ndarray:
    """TensorFlow's kernels have Keras' order; statistics may be (1, 1, 1, 1, C)."""
    if name.endswith("_conv/kernel"):
        return value
    if name == "classifier/kernel":  # a convolution there
        return value.reshape(value.shape[-2:]) if value.shape[:-2] == (1, 1, 1) else value
    return value.reshape(-1) if value.ndim and value.size == value.shape[-1] else value


KINETICS_I3D = CheckpointFormat(
    name="kinetics-i3d",
    network="an I3D",
    rules={
        rf"{_PREFIX}(?P<first>Conv3d_1a_7x7|Conv3d_2b_1x1|Conv3d_2c_3x3)/{_LAYER}": (
            "{first}_{kind}/{weight}"
        ),
        rf"{_MIXED}/Branch_0/Conv3d_0a_1x1/{_LAYER}": "mixed{block}_0_{kind}/{weight}",
        rf"{_MIXED}/Branch_(?P<branch>[12])/Conv3d_0a_1x1/{_LAYER}": (
            "mixed{block}_{branch}a_{kind}/{weight}"
        ),
        # Branch_2 of Mixed_5b alone has 0a twice.
        rf"{_MIXED}/Branch_(?P<branch>[12])/Conv3d_0[ab]_3x3/{_LAYER}": (
            "mixed{block}_{branch}b_{kind}/{weight}"
        ),
        rf"{_MIXED}/Branch_3/Conv3d_0b_1x1/{_LAYER}": "mixed{block}_3_{kind}/{weight}",
        rf"{_PREFIX}Logits/Conv3d_0c_1x1/conv_3d/(?P<dense>\w+)": "classifier/{dense}",
    },
    words={
        "first": _FIRST,
        "kind": {"conv_3d": "conv", "batch_norm": "bn"},
        "weight": {"w": "kernel"},
        "dense": {"w": "kernel", "b": "bias"},
    },
    ignored={
        r".*/Momentum": "the optimizer's momentum",
        r"global_step": "the state of the training",
    },
    to_layout=_as_here,
    mean=0.5,  # pixels from -1 to 1
    std=0.5,
)

_UNIT = r"(?P<kind>conv3d|bn)\.(?P<weight>\w+)"
PYTORCH_I3D = CheckpointFormat(
    name="pytorch-i3d",
    network="an I3D",
    rules={
        rf"(?P<first>{'|'.join(_FIRST)})\.{_UNIT}": "{first}_{kind}/{weight}",
        rf"Mixed_(?P<block>{_BLOCKS})\.b(?P<branch>0|[12][ab]|3b)\.{_UNIT}": (
            "mixed{block}_{branch}_{kind}/{weight}"
        ),
        r"logits\.conv3d\.(?P<weight>\w+)": "classifier/{weight}",
    },
    words={"first": _FIRST, "kind": {"conv3d": "conv"}, "branch": {"3b": "3"}},
    ignored=BATCHES_TRACKED,
    mean=0.5,  # pixels from -1 to 1
    std=0.5,
)


def _i3d(tensors: Tensors, arguments: dict[str, Any]) -> I3DClassifier:
    with_clip_of_flow(tensors, arguments, CLIP)
    return I3DClassifier(width=tensors["stem_conv/kernel"].shape[-1], **arguments)


def _i3d_of_torch(tensors: dict, arguments: dict[str, Any]) -> I3DClassifier:
    _take_gammas_off(tensors)
    return _i3d(tensors, arguments)


def _take_gammas_off(tensors: dict) -> None:
    """Turn gammas, which are 1 in the published files, into variances: the same network."""
    for name in [name for name in tensors if name.endswith("_bn/gamma")]:
        gamma, layer = tensors.pop(name), name.removesuffix("_bn/gamma")
        # γ (x - μ) = |γ| (±x - ±μ)
        sign = np.where(gamma < 0, -1, 1).astype(gamma.dtype)
        for part in ("_conv/kernel", "_bn/moving_mean"):
            tensors[layer + part] = tensors[layer + part] * sign
        variance = f"{layer}_bn/moving_variance"
        with np.errstate(divide="ignore"):
            scaled = (tensors[variance] + EPSILON) / gamma**2 - EPSILON
        if not np.all(np.isfinite(scaled) & (scaled > -EPSILON)):
            raise ValueError(f"a gamma of {layer} is 0, and an I3D has none: it cannot be told")
        tensors[variance] = scaled.astype(tensors[variance].dtype)


BUILDERS = ((KINETICS_I3D, _i3d), (PYTORCH_I3D, _i3d_of_torch))
