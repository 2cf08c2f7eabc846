"""C2D, I3D on ResNets, CSN, X3D and R(2+1)D as PyTorchVideo names them."""

from typing import Any

from keras_acl.models.csn import BLOCKS as CSN_BLOCKS
from keras_acl.models.csn import CSNClassifier
from keras_acl.models.inflated_resnet import InflatedResNetClassifier
from keras_acl.models.r2plus1d_bottleneck import BottleneckR2Plus1DClassifier
from keras_acl.models.resnet_streams import BLOCKS, FOUR_STAGES
from keras_acl.models.x3d import STAGES, X3DClassifier
from keras_acl.pretrained.importers.depths import blocks_of_stages, depth_of
from keras_acl.pretrained.importers.formats import BATCHES_TRACKED, CheckpointFormat, Tensors

_KIND = {"norm": "bn"}
_RESIDUAL = r"blocks\.(?P<stage>[1-5])\.res_blocks\.(?P<block>\d+)"
_RULES = {
    r"blocks\.0\.(?P<kind>conv|norm)\.(?P<weight>\w+)": "stem_{kind}/{weight}",
    rf"{_RESIDUAL}\.branch2\.(?P<kind>conv|norm)_(?P<part>[abc])\.(?P<weight>\w+)": (
        "{stage}_{block}_{part}_{kind}/{weight}"
    ),
    rf"{_RESIDUAL}\.branch1_(?P<kind>conv|norm)\.(?P<weight>\w+)": (
        "{stage}_{block}_shortcut_{kind}/{weight}"
    ),
}
_HEAD = {r"blocks\.[56]\.proj\.(?P<weight>\w+)": "classifier/{weight}"}
_STAGES = {"1": "res2", "2": "res3", "3": "res4", "4": "res5"}
INFLATED = CheckpointFormat(
    name="PyTorchVideo's C2D or I3D",
    network="a C2D or I3D",
    rules={**_RULES, **_HEAD},
    # The pool behind the first stage is a block of its own.
    words={"stage": {"1": "res2", "3": "res3", "4": "res4", "5": "res5"}, "kind": _KIND},
    ignored=BATCHES_TRACKED,
    fits=lambda tensors: any(name.startswith("blocks.6.") for name in tensors),
)


def _is_depthwise(tensors: Tensors) -> bool:
    found = [value for name, value in tensors.items() if name.endswith("branch2.conv_b.weight")]
    return bool(found) and all(value.ndim == 5 and value.shape[1] == 1 for value in found)


CSN = CheckpointFormat(
    name="PyTorchVideo's CSN",
    network="a CSN",
    rules={**_RULES, **_HEAD},
    words={"stage": _STAGES, "kind": _KIND},
    ignored=BATCHES_TRACKED,
    fits=_is_depthwise,
)
X3D = CheckpointFormat(
    name="PyTorchVideo's X3D",
    network="an X3D",
    rules={
        # Its names of the two are exchanged.
        r"blocks\.0\.conv\.conv_t\.(?P<weight>\w+)": "stem_spatial_conv/{weight}",
        r"blocks\.0\.conv\.conv_xy\.(?P<weight>\w+)": "stem_conv/{weight}",
        rf"{_RESIDUAL}\.branch2\.norm_b\.0\.(?P<weight>\w+)": "{stage}_{block}_b_bn/{weight}",
        rf"{_RESIDUAL}\.branch2\.norm_b\.1\.block\.(?P<gate>[02])\.(?P<dense>\w+)": (
            "{stage}_{block}_se_{gate}/{dense}"
        ),
        **_RULES,
        r"blocks\.5\.pool\.pre_(?P<kind>conv|norm)\.(?P<weight>\w+)": "conv5_{kind}/{weight}",
        r"blocks\.5\.pool\.post_conv\.(?P<dense>\w+)": "projection/{dense}",
        **_HEAD,
    },
    words={
        "stage": _STAGES,
        "kind": _KIND,
        "gate": {"0": "a", "2": "b"},
        "dense": {"weight": "kernel"},
    },
    ignored=BATCHES_TRACKED,
    fits=lambda tensors: any(".branch2.norm_b.0." in name for name in tensors),
)


R2PLUS1D = CheckpointFormat(
    name="PyTorchVideo's R(2+1)D",
    network="an R(2+1)D of bottleneck blocks",
    rules={
        rf"{_RESIDUAL}\.branch2\.conv_b\.conv_(?P<axes>t|xy)\.(?P<weight>\w+)": (
            "{stage}_{block}_b_{axes}_conv/{weight}"
        ),
        # The normalisation inside follows the convolution over time.
        rf"{_RESIDUAL}\.branch2\.conv_b\.norm\.(?P<weight>\w+)": (
            "{stage}_{block}_b_temporal_bn/{weight}"
        ),
        rf"{_RESIDUAL}\.branch2\.norm_b\.(?P<weight>\w+)": "{stage}_{block}_b_spatial_bn/{weight}",
        **_RULES,
        **_HEAD,
    },
    words={"stage": _STAGES, "kind": _KIND, "axes": {"t": "temporal", "xy": "spatial"}},
    ignored=BATCHES_TRACKED,
    fits=lambda tensors: any(".branch2.conv_b.conv_t." in name for name in tensors),
)


def _inflated(tensors: Tensors, arguments: dict[str, Any]) -> InflatedResNetClassifier:
    return InflatedResNetClassifier(
        depth=depth_of(tensors, BLOCKS),
        width=tensors["stem_conv/kernel"].shape[-1],
        inflated=tensors["stem_conv/kernel"].shape[0] > 1,
        **arguments,
    )


def _csn(tensors: Tensors, arguments: dict[str, Any]) -> CSNClassifier:
    return CSNClassifier(
        depth=depth_of(tensors, CSN_BLOCKS),
        width=tensors["stem_conv/kernel"].shape[-1],
        **arguments,
    )


def _x3d(tensors: Tensors, arguments: dict[str, Any]) -> X3DClassifier:
    blocks = blocks_of_stages(tensors)
    return X3DClassifier(
        width=tensors["stem_spatial_conv/kernel"].shape[-1],
        # X3D-XS, S and M have 3, 5, 11, 7 blocks, L has 5, 10, 25, 15.
        depth_factor=2.2 if blocks == (3, 5, 11, 7) else blocks[0] / STAGES[0],
        hidden=tensors["projection/kernel"].shape[-1],
        **arguments,
    )


def _r2plus1d(tensors: Tensors, arguments: dict[str, Any]) -> BottleneckR2Plus1DClassifier:
    return BottleneckR2Plus1DClassifier(
        depth=depth_of(tensors, FOUR_STAGES),
        width=tensors["stem_conv/kernel"].shape[-1],
        **arguments,
    )


BUILDERS = ((INFLATED, _inflated), (CSN, _csn), (X3D, _x3d), (R2PLUS1D, _r2plus1d))
