"""Pre-trained weights: presets, folders, the Hub, and importers of public checkpoints.

Load and save: `load_pretrained`, `load_any`, `save_pretrained`, `publish`; for a machine without a
network: `download_pretrained`; what there is by name: `list_presets`. Checkpoints of other
projects: `import_checkpoint`, `warm_start`, `inflate_imagenet`, each with an `ImportReport`. What
is said of weights: `Card`, `Metric`.
"""

from typing import TYPE_CHECKING

from keras_acl.pretrained.card import Card, Metric
from keras_acl.pretrained.preset_table import list_presets
from keras_acl.pretrained.presets import Preset
from keras_acl.pretrained.publish import publish
from keras_acl.system.lazy_names import lazy_names

if TYPE_CHECKING:
    from keras_acl.pretrained.download import download_pretrained
    from keras_acl.pretrained.importers import (
        ImportReport,
        import_checkpoint,
        inflate_imagenet,
        warm_start,
    )
    from keras_acl.pretrained.importers.imagenet import IMAGENET_MEAN, IMAGENET_STD
    from keras_acl.pretrained.load import load_any, load_pretrained
    from keras_acl.pretrained.save import save_pretrained

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Card",
    "ImportReport",
    "Metric",
    "Preset",
    "download_pretrained",
    "import_checkpoint",
    "inflate_imagenet",
    "list_presets",
    "load_any",
    "load_pretrained",
    "publish",
    "save_pretrained",
    "warm_start",
]

# What needs Keras; the table of presets does without.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "IMAGENET_MEAN": "keras_acl.pretrained.importers.imagenet",
        "IMAGENET_STD": "keras_acl.pretrained.importers.imagenet",
        "ImportReport": "keras_acl.pretrained.importers",
        "download_pretrained": "keras_acl.pretrained.download",
        "import_checkpoint": "keras_acl.pretrained.importers",
        "inflate_imagenet": "keras_acl.pretrained.importers",
        "load_any": "keras_acl.pretrained.load",
        "load_pretrained": "keras_acl.pretrained.load",
        "save_pretrained": "keras_acl.pretrained.save",
        "warm_start": "keras_acl.pretrained.importers",
    },
)
