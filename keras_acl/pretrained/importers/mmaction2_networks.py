"""I3D on ResNet-50, R(2+1)D-34 and CSN as MMAction2 names them."""

from typing import Any

from keras_acl.clip import ClipSpec
from keras_acl.models.inflated_resnet import InflatedResNetClassifier
from keras_acl.models.r2plus1d import BLOCKS, R2Plus1DClassifier
from keras_acl.models.resnet3d import MEAN, STD
from keras_acl.models.resnet_streams import BLOCKS as RESNET_BLOCKS
from keras_acl.pretrained.importers.depths import depth_of
from keras_acl.pretrained.importers.formats import (
    BATCHES_TRACKED,
    MMACTION2,
    CheckpointFormat,
    Tensors,
)
from keras_acl.pretrained.importers.vmz_networks import csn

_MODULE = r"(?P<kind>conv|bn)\.(?P<weight>\w+)"
_BLOCK = r"backbone\.(?P<stage>layer[1-4])\.(?P<block>\d+)"
_HEAD = {r"cls_head\.fc_cls\.(?P<weight>\w+)": "classifier/{weight}"}
_WORDS = {
    "stage": MMACTION2.words["stage"],
    "part": {"conv1": "a", "conv2": "b", "conv3": "c", "downsample": "shortcut"},
}


def _has_long_stem(tensors: Tensors) -> bool:
    kernel = tensors.get("backbone.conv1.conv.weight")
    return kernel is not None and kernel.ndim == 5 and kernel.shape[2] == 5


I3D = CheckpointFormat(
    name="MMAction2's I3D",
    network="an I3D on a ResNet",
    rules={
        rf"backbone\.conv1\.{_MODULE}": "stem_{kind}/{weight}",
        rf"{_BLOCK}\.(?P<part>conv[123]|downsample)\.{_MODULE}": (
            "{stage}_{block}_{part}_{kind}/{weight}"
        ),
        **_HEAD,
    },
    words=_WORDS,
    ignored=BATCHES_TRACKED,
    fits=_has_long_stem,  # Slow's sees one frame
    mean=MMACTION2.mean,
    std=MMACTION2.std,
)
# A split convolution has a normalisation inside, and one behind it.
_SPLIT = r"(?P<split>conv\.conv_[st]|conv\.bn_s|bn)\.(?P<weight>\w+)"
R2PLUS1D = CheckpointFormat(
    name="MMAction2's R(2+1)D",
    network="an R(2+1)D of basic blocks",
    rules={
        rf"backbone\.conv1\.{_SPLIT}": "stem_{split}/{weight}",
        rf"{_BLOCK}\.(?P<part>conv[12]|downsample)\.{_SPLIT}": (
            "{stage}_{block}_{part}_{split}/{weight}"
        ),
        **_HEAD,
    },
    words={
        **_WORDS,
        "split": {
            "conv.conv_s": "spatial_conv",
            "conv.bn_s": "spatial_bn",
            "conv.conv_t": "temporal_conv",
            "bn": "temporal_bn",
        },
    },
    ignored=BATCHES_TRACKED,
    mean=MMACTION2.mean,
    std=MMACTION2.std,
)
CSN = CheckpointFormat(
    name="MMAction2's CSN",
    network="a CSN",
    rules={
        rf"backbone\.conv1\.{_MODULE}": "stem_{kind}/{weight}",
        rf"{_BLOCK}\.(?P<part>conv[13]|downsample)\.{_MODULE}": (
            "{stage}_{block}_{part}_{kind}/{weight}"
        ),
        rf"{_BLOCK}\.conv2\.(?P<place>b|b_mix)\.{_MODULE}": (
            "{stage}_{block}_{place}_{kind}/{weight}"
        ),
        **_HEAD,
    },
    words=_WORDS,
    ignored=BATCHES_TRACKED,
    renamed=lambda names: _with_places(list(names)),
    # Those converted from VMZ bring no configuration. What was trained here says what it took.
    configured_colours=True,
    mean=MEAN,
    std=STD,
)


def _with_places(names: list[str]) -> dict[str, str]:
    """ip-CSN's 1x1x1 convolution is 0 and its depthwise one 1; ir-CSN's depthwise one is 0."""
    preserved = any(".conv2.1." in name for name in names)
    places = {"0": "b_mix", "1": "b"} if preserved else {"0": "b"}

    def placed(name: str) -> str:
        for number, place in places.items():
            name = name.replace(f".conv2.{number}.", f".conv2.{place}.")
        return name

    return {name: placed(name) for name in names}


def _i3d(tensors: Tensors, arguments: dict[str, Any]) -> InflatedResNetClassifier:
    arguments.setdefault("clip", ClipSpec())
    return InflatedResNetClassifier(
        depth=depth_of(tensors, RESNET_BLOCKS),
        width=tensors["stem_conv/kernel"].shape[-1],
        # Its heavy form, without these strides, has temporal kernels in every block: refused.
        temporal_stride=2,
        **arguments,
    )


def _r2plus1d(tensors: Tensors, arguments: dict[str, Any]) -> R2Plus1DClassifier:
    arguments.setdefault("clip", ClipSpec())
    return R2Plus1DClassifier(
        depth=depth_of(tensors, BLOCKS, "a_spatial", kind="basic blocks"),
        width=tensors["stem_temporal_conv/kernel"].shape[-1],
        midplanes="convolution",
        epsilon=1e-3,
        stem_pool=True,
        split_all=True,
        **arguments,
    )


BUILDERS = ((I3D, _i3d), (R2PLUS1D, _r2plus1d), (CSN, csn))
