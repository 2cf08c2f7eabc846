"""Losses and metrics; the code is in `keras_acl.training.losses`, saved models name this module."""

from keras_acl.training.losses import (
    Crossentropy,
    MeanAveragePrecision,
    MeanCrossentropy,
    TopAccuracy,
)

__all__ = ["Crossentropy", "MeanAveragePrecision", "MeanCrossentropy", "TopAccuracy"]
