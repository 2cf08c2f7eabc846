"""Callbacks: weight of the consistency term, gradient norm, batch statistics, resumable runs."""

from keras_acl.training.checkpoint import ResumableCheckpoint
from keras_acl.training.consistency_loss import ConsistencyLoss, weight_at_epoch
from keras_acl.training.gradient_norm import GradientNorm
from keras_acl.training.precise_batch_norm import PreciseBatchNorm

__all__ = [
    "ConsistencyLoss",
    "GradientNorm",
    "PreciseBatchNorm",
    "ResumableCheckpoint",
    "weight_at_epoch",
]
