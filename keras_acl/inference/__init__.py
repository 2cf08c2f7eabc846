"""What a trained model says of videos: classes, features, and what happens when.

A trained model: `load_model`, a `.keras` file or an exported one. Classes of videos:
`predict_videos`. What happens when in a long recording: `predict_timeline`, `plot_timeline`. What
the dense layer sees: `features`, `save_features`. Faster: `optimize`. A file for another
engine: `export`, `read_metadata`; in int8: `quantize`. A whole archive, by several processes or a
cluster: `classify_archive`, `ArchiveOptions`, `Workers`. Videos are decoded ahead, by as many
threads as there are cores.
"""

from typing import TYPE_CHECKING

from keras_acl.system.lazy_names import lazy_names

if TYPE_CHECKING:
    from keras_acl.engines.metadata import read_metadata
    from keras_acl.inference.archive.classify import Archive, classify_archive
    from keras_acl.inference.archive.options import ArchiveOptions, Workers
    from keras_acl.inference.engine_choice import optimize
    from keras_acl.inference.export_model import Exported, export
    from keras_acl.inference.feature_extraction import Features, features, save_features
    from keras_acl.inference.predict import Prediction, Predictions, predict_videos
    from keras_acl.inference.quantize_comparison import Quantized
    from keras_acl.inference.quantize_model import quantize
    from keras_acl.inference.timeline import Segment, Timeline, predict_timeline
    from keras_acl.inference.timeline_plot import plot_timeline
    from keras_acl.pretrained.any_file import load_model

__all__ = [
    "Archive",
    "ArchiveOptions",
    "Exported",
    "Features",
    "Prediction",
    "Predictions",
    "Quantized",
    "Segment",
    "Timeline",
    "Workers",
    "classify_archive",
    "export",
    "features",
    "load_model",
    "optimize",
    "plot_timeline",
    "predict_timeline",
    "predict_videos",
    "quantize",
    "read_metadata",
    "save_features",
]

# An exported model answers without Keras, and without matplotlib.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Archive": "keras_acl.inference.archive.classify",
        "ArchiveOptions": "keras_acl.inference.archive.options",
        "Exported": "keras_acl.inference.export_model",
        "Features": "keras_acl.inference.feature_extraction",
        "Prediction": "keras_acl.inference.predict",
        "Predictions": "keras_acl.inference.predict",
        "Quantized": "keras_acl.inference.quantize_comparison",
        "Segment": "keras_acl.inference.timeline",
        "Timeline": "keras_acl.inference.timeline",
        "Workers": "keras_acl.inference.archive.options",
        "classify_archive": "keras_acl.inference.archive.classify",
        "export": "keras_acl.inference.export_model",
        "features": "keras_acl.inference.feature_extraction",
        "load_model": "keras_acl.pretrained.any_file",
        "optimize": "keras_acl.inference.engine_choice",
        "plot_timeline": "keras_acl.inference.timeline_plot",
        "predict_timeline": "keras_acl.inference.timeline",
        "predict_videos": "keras_acl.inference.predict",
        "quantize": "keras_acl.inference.quantize_model",
        "read_metadata": "keras_acl.engines.metadata",
        "save_features": "keras_acl.inference.feature_extraction",
    },
)
