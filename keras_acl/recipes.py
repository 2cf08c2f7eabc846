"""Training recipes; the code is in `keras_acl.training.recipes`."""

from keras_acl.training.recipes import (
    Recipe,
    classification_metrics,
    finetune,
    kinetics400,
    mixed_precision_policy,
)

__all__ = [
    "Recipe",
    "classification_metrics",
    "finetune",
    "kinetics400",
    "mixed_precision_policy",
]
