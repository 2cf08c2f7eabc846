"""The paper's network and its baselines; called with `num_classes` alone they are R50 4x16."""

from keras_acl.models.optimize import optimize
from keras_acl.models.slow import SlowClassifier
from keras_acl.models.slowfast import SlowFastClassifier
from keras_acl.models.two_stream import TwoStreamClassifier
from keras_acl.models.video_classifier import VideoClassifier

__all__ = [
    "SlowClassifier",
    "SlowFastClassifier",
    "TwoStreamClassifier",
    "VideoClassifier",
    "optimize",
]
