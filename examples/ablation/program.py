"""Runs of one network, as `SideBySide` and `OneByOne` train them."""

import dataclasses
from collections.abc import Callable

from keras_acl.training.recipe import Recipe

import keras
import numpy as np

PRECISE_BATCHES = 20  # as in recipes.finetune()


@dataclasses.dataclass(frozen=True)
class Member:
    """One of the runs.

    Args:
        clips: Training clips, uint8 (N, T, H, W, C); C is 3, or 1 for grey ones.
        labels: Their classes.
        seed: Of the first weights, of dropout and of the order of the clips.
        learning_rate: For 64 clips a batch.
        weight: λ, where the network has the term.
        ramp: Epochs over which λ grows from 0.
        terms: Values of the variables in the network's `terms`, by name; 0 where not given.
    """

    clips: np.ndarray
    labels: np.ndarray
    seed: int
    learning_rate: float
    weight: float = 1.5
    ramp: int = 0
    terms: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Program:
    """Runs that compute the same, on other data and with other values.

    Args:
        build: Makes a network; called after the seed of a run was set.
        recipe: How all are trained.
        members: The runs; as many clips each.
        batch_size: Clips of a step of one network.
        augment: From a key and a batch of clips to a batch of clips, or nothing.
    """

    build: Callable[[], keras.Model]
    recipe: Recipe
    members: list[Member]
    batch_size: int = 8
    augment: Callable | None = None
