"""TSN and ECO as MMAction2, MMAction, tsn-pytorch and ECO-pytorch name them."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from keras_acl.models.bn_inception import MEAN as CAFFE_MEAN
from keras_acl.models.bn_inception import STD
from keras_acl.models.c3d import MEAN as ECO_MEAN
from keras_acl.models.eco import ECOClassifier, ECOLiteClassifier
from keras_acl.models.resnet_streams import BLOCKS
from keras_acl.models.tsn import CLIP as TSN_CLIP
from keras_acl.models.tsn import TSNClassifier
from keras_acl.pretrained.importers.depths import depth_of
from keras_acl.pretrained.importers.formats import (
    BATCHES_TRACKED,
    CheckpointFormat,
    Tensors,
    take_biases_off,
)
from keras_acl.pretrained.importers.mmaction2_networks import I3D
from keras_acl.pretrained.importers.modality import with_clip_of_flow

RESNET = dataclasses.replace(
    I3D,
    name="MMAction2's TSN",
    network="a TSN",
    fits=lambda tensors: getattr(tensors.get("backbone.conv1.conv.weight"), "ndim", 0) == 4,
)
_LAYERS = {
    r"(?:base_model|backbone)\.(?P<layer>(?:conv|inception|res)\w+?)(?P<kind>|_bn)"
    r"\.(?P<weight>\w+)": "{layer}_{kind}/{weight}",
    r"(?:base_model\.)?(?:new_fc|fc_final)\.(?P<weight>\w+)": "classifier/{weight}",
    r"cls_head\.fc_cls\.(?P<weight>\w+)": "classifier/{weight}",
}
_KINDS = {"kind": {"": "conv", "_bn": "bn"}}


def _has_3d_layers(tensors: Tensors) -> bool:
    return any(name.startswith("base_model.res3a_2.") for name in tensors)


BN_INCEPTION = CheckpointFormat(
    name="tsn-pytorch's and MMAction's TSN",
    network="a TSN on BN-Inception",
    rules=_LAYERS,
    words=_KINDS,
    ignored=BATCHES_TRACKED,
    fits=lambda tensors: not _has_3d_layers(tensors),
    mean=CAFFE_MEAN,
    std=STD,
)
ECO = CheckpointFormat(
    name="ECO-pytorch",
    network="an ECO",
    rules=_LAYERS,
    words=_KINDS,
    ignored=BATCHES_TRACKED,
    fits=_has_3d_layers,
    mean=ECO_MEAN,
    std=STD,
)


def _tsn_resnet(tensors: dict, arguments: dict[str, Any]) -> TSNClassifier:
    depth = depth_of(tensors, BLOCKS)
    width = tensors["stem_conv/kernel"].shape[-1]
    return TSNClassifier(depth=depth, width=width, **arguments)


def _tsn_bn_inception(tensors: dict, arguments: dict[str, Any]) -> TSNClassifier:
    with_clip_of_flow(tensors, arguments, TSN_CLIP)
    width = _take_caffe_habits(tensors)
    return TSNClassifier(backbone="bn_inception", width=width, **arguments)


def _eco(tensors: dict, arguments: dict[str, Any]) -> ECOClassifier | ECOLiteClassifier:
    full = any(name.startswith("inception_5b") for name in tensors)
    width = _take_caffe_habits(tensors)
    return (ECOClassifier if full else ECOLiteClassifier)(width=width, **arguments)


def _take_caffe_habits(tensors: dict) -> int:
    """Turn BGR into RGB, and biases into the means that are subtracted behind them: the width."""
    stem = tensors["conv1_7x7_s2_conv/kernel"]
    if stem.shape[-2] == 3:
        tensors["conv1_7x7_s2_conv/kernel"] = stem[..., ::-1, :]
    take_biases_off(tensors, _norms_behind)
    return stem.shape[-1]


def _norms_behind(layer: str) -> Sequence[str]:
    """The normalisations that a layer's bias reaches: its own, or those of the sums it is in."""
    if found := re.fullmatch(r"(res\d)a_(2|down)", layer):
        return f"{found[1]}a", f"{found[1]}b"
    if found := re.fullmatch(r"(res\db)_2", layer):
        return (found[1],)
    return (layer,)


BUILDERS = ((RESNET, _tsn_resnet), (BN_INCEPTION, _tsn_bn_inception), (ECO, _eco))
