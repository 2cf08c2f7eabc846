"""Callbacks: consistency weight, gradient norm, batch statistics, resumable runs, stop at NaN."""

from keras_acl.training.checkpoint import ResumableCheckpoint
from keras_acl.training.consistency_loss import ConsistencyLoss, weight_at_epoch
from keras_acl.training.gradient_norm import GradientNorm
from keras_acl.training.precise_batch_norm import PreciseBatchNorm
from keras_acl.training.stop_at_nan import StopAtNaN

__all__ = [
    "ConsistencyLoss",
    "GradientNorm",
    "PreciseBatchNorm",
    "ResumableCheckpoint",
    "StopAtNaN",
    "weight_at_epoch",
]
