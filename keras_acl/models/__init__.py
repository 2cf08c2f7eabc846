"""The paper's network and its baselines, R50 4x16 with `num_classes` alone, and the zoo."""

from keras_acl.models.artnet import ARTNetClassifier
from keras_acl.models.c3d import C3DClassifier
from keras_acl.models.csn import CSNClassifier
from keras_acl.models.eco import ECOClassifier, ECOLiteClassifier
from keras_acl.models.fuse_networks import late_fusion
from keras_acl.models.inception3d import I3DClassifier
from keras_acl.models.inflated_resnet import InflatedResNetClassifier
from keras_acl.models.late_fusion import LateFusionClassifier
from keras_acl.models.optimize import optimize
from keras_acl.models.r2plus1d import R2Plus1DClassifier
from keras_acl.models.r2plus1d_bottleneck import BottleneckR2Plus1DClassifier
from keras_acl.models.resnet3d import R3DClassifier
from keras_acl.models.resnext3d import ResNeXt3DClassifier
from keras_acl.models.s3d import S3DClassifier
from keras_acl.models.slow import SlowClassifier
from keras_acl.models.slowfast import SlowFastClassifier
from keras_acl.models.stc import STCClassifier
from keras_acl.models.t3d import T3DClassifier
from keras_acl.models.tsn import TSNClassifier
from keras_acl.models.two_stream import TwoStreamClassifier
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.models.x3d import X3DClassifier

__all__ = [
    "ARTNetClassifier",
    "BottleneckR2Plus1DClassifier",
    "C3DClassifier",
    "CSNClassifier",
    "ECOClassifier",
    "ECOLiteClassifier",
    "I3DClassifier",
    "InflatedResNetClassifier",
    "LateFusionClassifier",
    "R2Plus1DClassifier",
    "R3DClassifier",
    "ResNeXt3DClassifier",
    "S3DClassifier",
    "STCClassifier",
    "SlowClassifier",
    "SlowFastClassifier",
    "T3DClassifier",
    "TSNClassifier",
    "TwoStreamClassifier",
    "VideoClassifier",
    "X3DClassifier",
    "late_fusion",
    "optimize",
]
