"""What a trained model says of videos: classes, features, and what happens when.

A trained model: `load_model`. Classes of videos: `predict_videos`. What happens when in a long
recording: `predict_timeline`, `plot_timeline`. What the dense layer sees: `features`,
`save_features`. A file for another engine: `export`, `read_metadata`. Videos are decoded ahead, by
as many threads as there are cores.
"""

from keras_acl.inference.export_metadata import read_metadata
from keras_acl.inference.export_model import Exported, export
from keras_acl.inference.feature_extraction import Features, features, save_features
from keras_acl.inference.predict import Prediction, Predictions, predict_videos
from keras_acl.inference.timeline import Segment, Timeline, predict_timeline
from keras_acl.inference.timeline_plot import plot_timeline
from keras_acl.pretrained.keras_file import load_model

__all__ = [
    "Exported",
    "Features",
    "Prediction",
    "Predictions",
    "Segment",
    "Timeline",
    "export",
    "features",
    "load_model",
    "plot_timeline",
    "predict_timeline",
    "predict_videos",
    "read_metadata",
    "save_features",
]


def __dir__() -> list[str]:
    return __all__
