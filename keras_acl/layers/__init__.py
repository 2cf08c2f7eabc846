"""The parts of the networks, each a Keras layer or a function on a functional graph's tensors."""

from keras_acl.layers.class_activation import SCAM, ClassActivationMaps
from keras_acl.layers.consistency import AttentionConsistency, AttentionConsistencyLoss
from keras_acl.layers.convolution import PaddedConv3D
from keras_acl.layers.depthwise_convolution import DepthwiseConv3D
from keras_acl.layers.lateral_fusion import lateral_fusion
from keras_acl.layers.normalization import ClipBatchNormalization
from keras_acl.layers.pathways import PackPathways, slow_frame_indices
from keras_acl.layers.pooling import AveragePairs, PaddedAveragePooling3D, PaddedMaxPooling3D
from keras_acl.layers.residual import bottleneck, conv_norm, depthwise_norm, normalized

__all__ = [
    "SCAM",
    "AttentionConsistency",
    "AttentionConsistencyLoss",
    "AveragePairs",
    "ClassActivationMaps",
    "ClipBatchNormalization",
    "DepthwiseConv3D",
    "PackPathways",
    "PaddedAveragePooling3D",
    "PaddedConv3D",
    "PaddedMaxPooling3D",
    "bottleneck",
    "conv_norm",
    "depthwise_norm",
    "lateral_fusion",
    "normalized",
    "slow_frame_indices",
]
