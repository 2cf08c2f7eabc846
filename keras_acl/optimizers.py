"""Optimisers; the code is in `keras_acl.training.optimizers`, saved models name this module."""

from keras_acl.training.optimizers import CoupledSGD, WarmupCosine

__all__ = ["CoupledSGD", "WarmupCosine"]
