"""R3D, MC3, R(2+1)D and S3D as torchvision, ig65m and kylemin name them."""

from typing import Any

from keras_acl.models.inception3d import STAGES
from keras_acl.models.r2plus1d import BLOCKS, R2Plus1DClassifier, midplanes_of
from keras_acl.models.resnet3d import MEAN, STD, R3DClassifier
from keras_acl.models.s3d import S3DClassifier
from keras_acl.pretrained.importers.depths import depth_of
from keras_acl.pretrained.importers.formats import BATCHES_TRACKED, CheckpointFormat, Tensors

_STAGES = {"1": "res2", "2": "res3", "3": "res4", "4": "res5"}
_PARTS = {"1": "a", "2": "b", "3": "c"}
_LAYER = {"0": "conv", "1": "bn"}
_BLOCK = r"layer(?P<stage>[1-4])\.(?P<block>\d+)"
_SHORTCUT = {
    rf"{_BLOCK}\.downsample\.(?P<kind>[01])\.(?P<weight>\w+)": (
        "{stage}_{block}_shortcut_{kind}/{weight}"
    ),
    r"fc\.(?P<weight>\w+)": "classifier/{weight}",
}
TORCHVISION_R3D = CheckpointFormat(
    name="torchvision's R3D or MC3",
    network="an R3D or MC3",
    rules={
        r"stem\.(?P<kind>[01])\.(?P<weight>\w+)": "stem_{kind}/{weight}",
        rf"{_BLOCK}\.conv(?P<part>[12])\.(?P<kind>[01])\.(?P<weight>\w+)": (
            "{stage}_{block}_{part}_{kind}/{weight}"
        ),
        **_SHORTCUT,
    },
    words={"stage": _STAGES, "part": _PARTS, "kind": _LAYER},
    ignored=BATCHES_TRACKED,
    mean=MEAN,
    std=STD,
)
TORCHVISION_R2PLUS1D = CheckpointFormat(
    name="torchvision's R(2+1)D",
    network="an R(2+1)D of basic blocks",
    rules={
        r"stem\.(?P<stem>[0134])\.(?P<weight>\w+)": "stem_{stem}/{weight}",
        rf"{_BLOCK}\.conv(?P<part>[12])\.(?P<split>0\.[013]|1)\.(?P<weight>\w+)": (
            "{stage}_{block}_{part}_{split}/{weight}"
        ),
        **_SHORTCUT,
    },
    words={
        "stage": _STAGES,
        "part": _PARTS,
        "kind": _LAYER,
        "stem": {
            "0": "spatial_conv",
            "1": "spatial_bn",
            "3": "temporal_conv",
            "4": "temporal_bn",
        },
        "split": {
            "0.0": "spatial_conv",
            "0.1": "spatial_bn",
            "0.3": "temporal_conv",
            "1": "temporal_bn",
        },
    },
    ignored=BATCHES_TRACKED,
    mean=MEAN,
    std=STD,
)

# Both number the layers of one sequence; these are the blocks' places in it.
_PLACES = (5, 6, 8, 9, 10, 11, 12, 14, 15)
_MIXED = dict(
    zip(map(str, _PLACES), (f"mixed{name}" for _, stage in STAGES for name in stage), strict=True)
)
_PLACE = rf"(?P<block>{'|'.join(_MIXED)})"
_CONVOLUTIONS = {"0": "stem", "2": "conv2b", "3": "conv2c"}
_SPLIT = {
    "0.0": "spatial_conv",
    "0.1": "spatial_bn",
    "1.0": "temporal_conv",
    "1.1": "temporal_bn",
}
TORCHVISION_S3D = CheckpointFormat(
    name="torchvision's S3D",
    network="an S3D",
    rules={
        r"features\.(?P<first>[03])\.(?P<split>[01]\.[01])\.(?P<weight>\w+)": (
            "{first}_{split}/{weight}"
        ),
        r"features\.(?P<first>2)\.(?P<kind>[01])\.(?P<weight>\w+)": "{first}_{kind}/{weight}",
        rf"features\.{_PLACE}\.branch0\.(?P<kind>[01])\.(?P<weight>\w+)": (
            "{block}_0_{kind}/{weight}"
        ),
        rf"features\.{_PLACE}\.branch(?P<branch>[12])\.0\.(?P<kind>[01])\.(?P<weight>\w+)": (
            "{block}_{branch}a_{kind}/{weight}"
        ),
        rf"features\.{_PLACE}\.branch(?P<branch>[12])\.1\.(?P<split>[01]\.[01])"
        r"\.(?P<weight>\w+)": "{block}_{branch}b_{split}/{weight}",
        rf"features\.{_PLACE}\.branch3\.1\.(?P<kind>[01])\.(?P<weight>\w+)": (
            "{block}_3_{kind}/{weight}"
        ),
        r"classifier\.1\.(?P<weight>\w+)": "classifier/{weight}",
    },
    words={"first": _CONVOLUTIONS, "kind": _LAYER, "split": _SPLIT, "block": _MIXED},
    ignored=BATCHES_TRACKED,
    mean=MEAN,
    std=STD,
)
_KYLEMIN = {
    "conv": "conv",
    "bn": "bn",
    "conv_s": "spatial_conv",
    "bn_s": "spatial_bn",
    "conv_t": "temporal_conv",
    "bn_t": "temporal_bn",
}
_KIND = r"(?P<kind>(?:conv|bn)(?:_[st])?)\.(?P<weight>\w+)"
KYLEMIN_S3D = CheckpointFormat(
    name="kylemin's S3D",
    network="an S3D",
    rules={
        rf"base\.(?P<first>[023])\.{_KIND}": "{first}_{kind}/{weight}",
        rf"base\.{_PLACE}\.branch0\.0\.{_KIND}": "{block}_0_{kind}/{weight}",
        rf"base\.{_PLACE}\.branch(?P<branch>[12])\.(?P<layer>[01])\.{_KIND}": (
            "{block}_{branch}{layer}_{kind}/{weight}"
        ),
        rf"base\.{_PLACE}\.branch3\.1\.{_KIND}": "{block}_3_{kind}/{weight}",
        r"fc\.0\.(?P<weight>\w+)": "classifier/{weight}",
    },
    words={
        "first": _CONVOLUTIONS,
        "kind": _KYLEMIN,
        "block": _MIXED,
        "layer": {"0": "a", "1": "b"},
    },
    ignored=BATCHES_TRACKED,
    mean=0.5,
    std=0.5,
)


def _r3d(tensors: Tensors, arguments: dict[str, Any]) -> R3DClassifier:
    return R3DClassifier(
        depth=depth_of(tensors, BLOCKS, kind="basic blocks"),
        width=tensors["stem_conv/kernel"].shape[-1],
        mixed=tensors["res3_0_a_conv/kernel"].shape[0] == 1,
        **arguments,
    )


def _r2plus1d(tensors: Tensors, arguments: dict[str, Any]) -> R2Plus1DClassifier:
    *_, entering, middle = tensors["res3_0_b_spatial_conv/kernel"].shape
    own = middle == midplanes_of(entering, tensors["res3_0_b_temporal_conv/kernel"].shape[-1])
    return R2Plus1DClassifier(
        depth=depth_of(tensors, BLOCKS, "a_spatial", kind="basic blocks"),
        width=tensors["stem_temporal_conv/kernel"].shape[-1],
        # Networks that count each convolution's channels are caffe2's, with its epsilon.
        midplanes="convolution" if own else "block",
        epsilon=1e-3 if own else 1e-5,
        **arguments,
    )


def _s3d(tensors: Tensors, arguments: dict[str, Any]) -> S3DClassifier:
    return S3DClassifier(width=tensors["stem_spatial_conv/kernel"].shape[-1], **arguments)


BUILDERS = (
    (TORCHVISION_R3D, _r3d),
    (TORCHVISION_R2PLUS1D, _r2plus1d),
    (TORCHVISION_S3D, _s3d),
    (KYLEMIN_S3D, _s3d),
)
