"""3D ResNeXt as 3D-ResNets-PyTorch names it, in its branch CVPR2018."""

from typing import Any

from keras_acl.models.resnet_streams import FOUR_STAGES
from keras_acl.models.resnext3d import MEAN, STD, ResNeXt3DClassifier
from keras_acl.pretrained.importers.depths import depth_of
from keras_acl.pretrained.importers.formats import BATCHES_TRACKED, CheckpointFormat, Tensors

_BLOCK = r"layer(?P<stage>[1-4])\.(?P<block>\d+)"
_MIDDLE = "layer1.0.conv2.weight"


def _has_groups(tensors: Tensors) -> bool:
    """Other ResNets have the same names, and no groups."""
    middle = tensors.get(_MIDDLE)
    return middle is not None and middle.ndim == 5 and middle.shape[1] < middle.shape[0]


KENSHOHARA = CheckpointFormat(
    name="3D-ResNets-PyTorch's ResNeXt",
    network="a 3D ResNeXt",
    rules={
        r"(?P<kind>conv|bn)1\.(?P<weight>\w+)": "stem_{kind}/{weight}",
        rf"{_BLOCK}\.(?P<kind>conv|bn)(?P<part>[123])\.(?P<weight>\w+)": (
            "{stage}_{block}_{part}_{kind}/{weight}"
        ),
        rf"{_BLOCK}\.downsample\.(?P<shortcut>[01])\.(?P<weight>\w+)": (
            "{stage}_{block}_shortcut_{shortcut}/{weight}"
        ),
        r"fc\.(?P<weight>\w+)": "classifier/{weight}",
    },
    words={
        "stage": {"1": "res2", "2": "res3", "3": "res4", "4": "res5"},
        "part": {"1": "a", "2": "b", "3": "c"},
        "shortcut": {"0": "conv", "1": "bn"},
    },
    ignored=BATCHES_TRACKED,
    fits=_has_groups,
    mean=MEAN,
    std=STD,
)


def _resnext(tensors: Tensors, arguments: dict[str, Any]) -> ResNeXt3DClassifier:
    *_, seen, channels = tensors["res2_0_b_conv/kernel"].shape
    return ResNeXt3DClassifier(
        depth=depth_of(tensors, FOUR_STAGES),
        width=tensors["stem_conv/kernel"].shape[-1],
        groups=channels // seen,
        **arguments,
    )


BUILDERS = ((KENSHOHARA, _resnext),)
