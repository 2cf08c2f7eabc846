"""All networks of the zoo that are imported: their formats, and what builds them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.pretrained.importers import (
    c3d_networks,
    kinetics_i3d,
    mmaction2_networks,
    pytorchvideo_networks,
    resnext_networks,
    segment_networks,
    torchvision_networks,
    vmz_networks,
)

_ALL = (
    *torchvision_networks.BUILDERS,
    *pytorchvideo_networks.BUILDERS,
    *c3d_networks.BUILDERS,
    *segment_networks.BUILDERS,
    *kinetics_i3d.BUILDERS,
    *vmz_networks.BUILDERS,
    *mmaction2_networks.BUILDERS,
    *resnext_networks.BUILDERS,
)
FORMATS = tuple(format_ for format_, _ in _ALL)
# By the format's name: a function of its tensors, which it may bring into the layout here, and of
# the arguments that they do not show.
Builder = Callable[[dict[str, np.ndarray], dict[str, Any]], VideoClassifier]
BUILDERS: dict[str, Builder] = {format_.name: build for format_, build in _ALL}
