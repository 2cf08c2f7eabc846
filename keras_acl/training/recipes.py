"""The recipes that there are, to be changed field by field."""

import dataclasses

from keras_acl.system.devices import has_accelerator
from keras_acl.training.recipe import Recipe, classification_metrics

__all__ = [
    "Recipe",
    "classification_metrics",
    "finetune",
    "kinetics400",
    "mixed_precision_policy",
]


def kinetics400(**changes) -> Recipe:
    """Kinetics-400 from scratch: PySlowFast's SLOWFAST_4x16_R50 recipe with λ = 1.5.

    Args:
        **changes: Fields of `Recipe` to set otherwise.

    Raises:
        TypeError: For a field that `Recipe` does not have.
    """
    recipe = Recipe(
        epochs=196,
        learning_rate=0.1,
        warmup_epochs=34,
        warmup_start=0.01,
        precise_batches=200,
        batch_norm_clips=8,
    )
    return dataclasses.replace(recipe, **changes)


def finetune(**changes) -> Recipe:
    """A short training on a data set of one's own, from scratch or from pre-trained weights.

    Our choice, not the paper's, which gives no recipe for UCF101: the schedule of `kinetics400`,
    shortened, with a smaller warm-up. Few videos change nothing by themselves. A small network
    with pre-trained weights, 5, 20 and 80 clips a class of real lip movements: 19.2, 25.0 and
    28.7 % with everything trained at one rate; 17.3, 23.0 and 26.0 % with `freeze="streams"`;
    17.4, 20.5 and 24.3 % with `head_rate=10`; 18.2, 22.8 and 27.0 % with `ema=0.98`. Means of one
    to three runs, each with a standard error of 2.2 to 2.6 points or more, do not decide between
    them; see `examples/results/few_videos`.

    Args:
        **changes: Fields of `Recipe` to set otherwise.

    Raises:
        TypeError: For a field that `Recipe` does not have.
    """
    recipe = Recipe(
        epochs=20,
        learning_rate=0.1,
        warmup_epochs=2,
        warmup_start=0.01,
        consistency_warmup_epochs=2,
        precise_batches=20,
    )
    return dataclasses.replace(recipe, **changes)


def mixed_precision_policy() -> str:
    """The dtype policy for this device: `mixed_bfloat16` on a GPU or TPU, `float32` on a CPU.

    For the model's constructor: `TwoStreamClassifier(..., dtype=mixed_precision_policy())`.
    """
    return "mixed_bfloat16" if has_accelerator() else "float32"
