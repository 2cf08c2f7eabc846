"""All networks of one stream that are imported: their formats, and what builds them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_acl.models.single_stream import SingleStreamClassifier
from keras_acl.pretrained.importers import (
    c3d_networks,
    pytorchvideo_networks,
    resnext_networks,
    torchvision_networks,
)

_ALL = (
    *torchvision_networks.BUILDERS,
    *pytorchvideo_networks.BUILDERS,
    *c3d_networks.BUILDERS,
    *resnext_networks.BUILDERS,
)
FORMATS = tuple(format_ for format_, _ in _ALL)
# By the format's name: a function of its tensors, which it may bring into the layout here, and of
# the arguments that they do not show.
Builder = Callable[[dict[str, np.ndarray], dict[str, Any]], SingleStreamClassifier]
BUILDERS: dict[str, Builder] = {format_.name: build for format_, build in _ALL}
