"""What a trained model says of videos: classes, features, and what happens when."""

from keras_acl.inference.feature_extraction import Features, features, save_features
from keras_acl.inference.predict import Prediction, predict_videos
from keras_acl.inference.timeline import Segment, Timeline, predict_timeline
from keras_acl.inference.timeline_plot import plot_timeline
from keras_acl.pretrained.keras_file import load_model

__all__ = [
    "Features",
    "Prediction",
    "Segment",
    "Timeline",
    "features",
    "load_model",
    "plot_timeline",
    "predict_timeline",
    "predict_videos",
    "save_features",
]
