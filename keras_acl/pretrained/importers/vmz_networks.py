"""R(2+1)D, CSN and C3D as VMZ names them: the blobs of caffe2, and torchvision's style."""

import bisect
import re
from collections.abc import Callable, Iterable
from typing import Any

from keras_acl.clip import ClipSpec
from keras_acl.models.c3d import C3DClassifier
from keras_acl.models.csn import BLOCKS as CSN_BLOCKS
from keras_acl.models.csn import CSNClassifier
from keras_acl.models.r2plus1d import BLOCKS, R2Plus1DClassifier
from keras_acl.models.resnet3d import MEAN, STD
from keras_acl.pretrained.importers.c3d_networks import with_dense_as_convolutions
from keras_acl.pretrained.importers.depths import depth_of
from keras_acl.pretrained.importers.formats import (
    BATCHES_TRACKED,
    CAFFE2_WEIGHTS,
    CheckpointFormat,
    Tensors,
    take_biases_off,
)

# Consecutive frames of videos of 30 a second.
CLIP = ClipSpec(frames=32, span=32, size=112)
_WEIGHT = r"_(?P<weight>s|b|rm|riv)"
_HEAD = {r"last_out_L\d+_(?P<dense>w|b)": "classifier/{dense}"}
_DENSE = {"w": "weight", "b": "bias"}


def _by_stage(names: Iterable[str]) -> dict[str, str]:
    """Names with stage and block, where caffe2's count blocks through the network.

    The first block of a stage has a projection, but for the first stage of basic blocks.
    """
    names = list(names)
    pattern = re.compile(r"(comp|shortcut_projection)_(\d+)_")
    numbers = [match.groups() for name in names if (match := pattern.match(name))]
    starts = sorted({0} | {int(number) for part, number in numbers if part != "comp"})

    def placed(match: re.Match) -> str:
        number = int(match[2])
        stage = bisect.bisect(starts, number) - 1
        shortcut = "" if match[1] == "comp" else "shortcut_"
        return f"res{stage + 2}_{number - starts[stage]}_{shortcut}"

    return {name: pattern.sub(placed, name, count=1) for name in names}


def _blobs(
    name: str, network: str, stem: dict[str, str], parts: dict[str, str], fits: Callable
) -> CheckpointFormat:
    """One kind of residual network.

    Args:
        name: What it is called.
        network: The same, in words.
        stem: What the stem's convolutions become.
        parts: What the numbers of a block's convolutions become.
        fits: Whether tensors are of this kind.
    """
    block = r"(?P<stage>res\d+)_(?P<block>\d+)_"
    part = rf"(?P<part>{'|'.join(parts)})"
    return CheckpointFormat(
        name=name,
        network=network,
        rules={
            rf"(?P<stem>{'|'.join(stem)})_(?P<kernel>w)": "{stem}_conv/{kernel}",
            rf"(?P<stem>{'|'.join(stem)})_spatbn_relu{_WEIGHT}": "{stem}_bn/{weight}",
            rf"{block}conv_{part}_(?P<kernel>w)": "{stage}_{block}_{part}_conv/{kernel}",
            rf"{block}spatbn_{part}{_WEIGHT}": "{stage}_{block}_{part}_bn/{weight}",
            rf"{block}shortcut_(?P<kernel>w)": "{stage}_{block}_shortcut_conv/{kernel}",
            rf"{block}shortcut_spatbn{_WEIGHT}": "{stage}_{block}_shortcut_bn/{weight}",
            **_HEAD,
        },
        words={
            "stem": stem,
            "part": parts,
            "kernel": {"w": "weight"},
            "weight": CAFFE2_WEIGHTS,
            "dense": _DENSE,
        },
        renamed=_by_stage,
        fits=fits,
        mean=MEAN,  # of RGB
        std=STD,
    )


def _middle_side(tensors: Tensors) -> int:
    """Side of the convolution before a bottleneck's main one; 0 where there is none."""
    kernel = tensors.get("comp_0_conv_2_middle_w")
    return 0 if kernel is None or "comp_0_conv_1_middle_w" in tensors else kernel.shape[-1]


_SPLIT_STEM = {"conv1_middle": "stem_spatial", "conv1": "stem_temporal"}
R2PLUS1D = _blobs(
    "VMZ's R(2+1)D (caffe2)",
    "an R(2+1)D of basic blocks",
    _SPLIT_STEM,
    {
        "1_middle": "a_spatial",
        "1": "a_temporal",
        "2_middle": "b_spatial",
        "2": "b_temporal",
    },
    lambda tensors: "comp_0_conv_1_middle_w" in tensors,
)
R2PLUS1D_BOTTLENECK = _blobs(
    "VMZ's R(2+1)D-152 (caffe2)",
    "an R(2+1)D of bottleneck blocks",
    _SPLIT_STEM,
    {"1": "a", "2_middle": "b_spatial", "2": "b_temporal", "3": "c"},
    lambda tensors: _middle_side(tensors) == 3,
)
# A depthwise convolution counts twice in the number of those after it.
IR_CSN = _blobs(
    "VMZ's ir-CSN (caffe2)",
    "an ir-CSN",
    {"conv1": "stem"},
    {"1": "a", "3": "b", "4": "c"},
    lambda tensors: "comp_0_conv_4_w" in tensors,
)
IP_CSN = _blobs(
    "VMZ's ip-CSN (caffe2)",
    "an ip-CSN",
    {"conv1": "stem"},
    {"1": "a", "2_middle": "b_mix", "2": "b", "3": "c"},
    lambda tensors: _middle_side(tensors) == 1,
)
C3D = CheckpointFormat(
    name="VMZ's C3D (caffe2)",
    network="a C3D with batch normalisation",
    rules={
        r"conv(?P<place>\d[ab])_(?P<dense>w|b)": "conv{place}_conv/{dense}",
        rf"conv(?P<place>\d[ab])_bn{_WEIGHT}": "conv{place}_bn/{weight}",
        r"fc(?P<number>[67])_(?P<hidden>w|b)": "fc{number}/{hidden}",
        **_HEAD,
    },
    words={
        "place": {"1a": "1", "2a": "2"},
        "weight": CAFFE2_WEIGHTS,
        "dense": _DENSE,
        "hidden": {"w": "kernel", "b": "bias"},
    },
    fits=lambda tensors: "conv1a_bn_s" in tensors,
    mean=MEAN,
    std=STD,
)

_BLOCK = r"layer(?P<stage>[1-4])\.(?P<block>\d+)"


def _is_depthwise(tensors: Tensors) -> bool:
    kernels = [tensors.get(f"layer1.0.conv2.0.{place}weight") for place in ("", "2.")]
    return any(kernel is not None and kernel.shape[1:2] == (1,) for kernel in kernels)


CSN = CheckpointFormat(
    name="VMZ's CSN",
    network="a CSN",
    rules={
        r"stem\.(?P<kind>[01])\.(?P<weight>\w+)": "stem_{kind}/{weight}",
        rf"{_BLOCK}\.conv(?P<part>[13])\.(?P<kind>[01])\.(?P<weight>\w+)": (
            "{stage}_{block}_{part}_{kind}/{weight}"
        ),
        rf"{_BLOCK}\.conv2\.(?P<middle>0|0\.[012]|1)\.(?P<weight>\w+)": (
            "{stage}_{block}_{middle}/{weight}"
        ),
        rf"{_BLOCK}\.downsample\.(?P<kind>[01])\.(?P<weight>\w+)": (
            "{stage}_{block}_shortcut_{kind}/{weight}"
        ),
        r"fc\.(?P<weight>\w+)": "classifier/{weight}",
    },
    words={
        "stage": {"1": "res2", "2": "res3", "3": "res4", "4": "res5"},
        "part": {"1": "a", "3": "c"},
        "kind": {"0": "conv", "1": "bn"},
        # Alone in ir-CSN, behind a 1x1x1 one in ip-CSN.
        "middle": {
            "0": "b_conv",
            "0.0": "b_mix_conv",
            "0.1": "b_mix_bn",
            "0.2": "b_conv",
            "1": "b_bn",
        },
    },
    ignored=BATCHES_TRACKED,
    fits=_is_depthwise,
    mean=MEAN,
    std=STD,
)


def _r2plus1d(tensors: Tensors, arguments: dict[str, Any]) -> R2Plus1DClassifier:
    basic = "res2_0_a_spatial_conv/kernel" in tensors
    blocks = {depth: blocks for depth, blocks in BLOCKS.items() if (depth == 152) != basic}
    kind = ("a_spatial", "", "basic blocks") if basic else ("a", "", "bottleneck blocks")
    arguments.setdefault("clip", CLIP)
    return R2Plus1DClassifier(
        depth=depth_of(tensors, blocks, *kind),
        width=tensors["stem_temporal_conv/kernel"].shape[-1],
        midplanes="convolution",
        epsilon=1e-3,
        **arguments,
    )


def csn(tensors: Tensors, arguments: dict[str, Any]) -> CSNClassifier:
    """The classifier of a CSN of VMZ or MMAction2."""
    return CSNClassifier(
        depth=depth_of(tensors, CSN_BLOCKS),
        width=tensors["stem_conv/kernel"].shape[-1],
        epsilon=1e-3,
        preserved="res2_0_b_mix_conv/kernel" in tensors,
        **arguments,
    )


def _c3d(tensors: dict, arguments: dict[str, Any]) -> C3DClassifier:
    """Its convolutions have a bias before the normalisation, which is taken off the mean."""
    take_biases_off(tensors)
    with_dense_as_convolutions(tensors)
    return C3DClassifier(
        width=tensors["conv1_conv/kernel"].shape[-1],
        hidden=tensors["fc6/kernel"].shape[-1],
        normalized=True,
        **arguments,
    )


BUILDERS = (
    (R2PLUS1D, _r2plus1d),
    (R2PLUS1D_BOTTLENECK, _r2plus1d),
    (IR_CSN, csn),
    (IP_CSN, csn),
    (C3D, _c3d),
    (CSN, csn),
)
