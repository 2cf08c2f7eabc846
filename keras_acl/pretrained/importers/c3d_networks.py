"""C3D as MMAction2 and DavideA's c3d-pytorch name it."""

import math
from typing import Any

from keras_acl.models.c3d import C3DClassifier
from keras_acl.pretrained.importers.formats import CheckpointFormat

_CONVOLUTIONS = {"1a": "1", "2a": "2"}
_DENSE = {"weight": "kernel"}
MMACTION2 = CheckpointFormat(
    name="MMAction2's C3D",
    network="a C3D",
    rules={
        r"backbone\.conv(?P<place>\d[ab])\.conv\.(?P<weight>\w+)": "conv{place}_conv/{weight}",
        r"backbone\.fc(?P<number>[67])\.(?P<dense>\w+)": "fc{number}/{dense}",
        r"cls_head\.fc_cls\.(?P<weight>\w+)": "classifier/{weight}",
    },
    words={"place": _CONVOLUTIONS, "dense": _DENSE},
    mean=(104 / 255, 117 / 255, 128 / 255),  # in this order, of RGB, as its configurations say
    std=1 / 255,
)
DAVIDEA = CheckpointFormat(
    name="DavideA's C3D",
    network="a C3D",
    rules={
        r"conv(?P<place>\d[ab]?)\.(?P<weight>\w+)": "conv{place}_conv/{weight}",
        r"fc(?P<number>[67])\.(?P<dense>\w+)": "fc{number}/{dense}",
        r"fc8\.(?P<weight>\w+)": "classifier/{weight}",
    },
    words={"dense": _DENSE},
    mean=0.0,  # as its script: the Sports-1M mean volume that Caffe subtracted is not in the file
    std=1 / 255,
)


def with_dense_as_convolutions(tensors: dict) -> None:
    """fc6 and fc7 as they are here, convolutions; they see (C, T, H, W) there."""
    filters = tensors["conv5b_conv/kernel"].shape[-1]
    side = math.isqrt(tensors["fc6/kernel"].shape[0] // filters)
    hidden = tensors["fc6/kernel"].shape[-1]
    fc6 = tensors["fc6/kernel"].reshape(filters, 1, side, side, hidden)
    tensors["fc6/kernel"] = fc6.transpose(1, 2, 3, 0, 4)
    tensors["fc7/kernel"] = tensors["fc7/kernel"][None, None, None]


def _c3d(tensors: dict, arguments: dict[str, Any]) -> C3DClassifier:
    with_dense_as_convolutions(tensors)
    return C3DClassifier(
        width=tensors["conv1_conv/kernel"].shape[-1],
        hidden=tensors["fc6/kernel"].shape[-1],
        **arguments,
    )


def _davidea(tensors: dict, arguments: dict[str, Any]) -> C3DClassifier:
    kernel = tensors["conv1_conv/kernel"]
    tensors["conv1_conv/kernel"] = kernel[..., ::-1, :]  # it was trained on BGR
    return _c3d(tensors, arguments)


BUILDERS = ((MMACTION2, _c3d), (DAVIDEA, _davidea))
