"""The optimiser and learning-rate schedule of the published recipes."""

import math

import keras
from keras import ops

from keras_acl.system.keras_internals import variable_index


@keras.saving.register_keras_serializable(package="keras_acl")
class CoupledSGD(keras.optimizers.SGD):
    """SGD whose weight decay is part of the gradient, as in torch and in the published recipes.

    Keras' `weight_decay` shrinks weights beside the step; the recipes add it to the gradient, so
    that momentum sees it too: g ← g + weight_decay · w. The same as `regularizers.L2(weight_decay
    / 2)` on these weights, without showing in the loss. Scale and offset of batch normalisation
    (variables named `gamma` and `beta`) are not decayed.

    Args:
        learning_rate: A float or a schedule.
        momentum: Defaults to 0.9.
        nesterov: Defaults to `True`.
        coupled_weight_decay: The factor; 1e-4 in the recipes.
        name: Name of the optimiser.
        **kwargs: The other arguments of `keras.optimizers.SGD`.
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        nesterov=True,
        coupled_weight_decay=1e-4,
        name="coupled_sgd",
        **kwargs,
    ):
        super().__init__(
            learning_rate=learning_rate, momentum=momentum, nesterov=nesterov, name=name, **kwargs
        )
        self.coupled_weight_decay = coupled_weight_decay

    def build(self, variables):
        """Create the momenta, and note which variables decay."""
        if not self.built:
            # Here, as the variables that TensorFlow hands to `update_step` have other names.
            self._decayed = tuple(is_decayed(variable) for variable in variables)
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        """Step on the gradient of loss and decay."""
        if self._decayed[variable_index(self, variable)]:
            decay = ops.cast(self.coupled_weight_decay, gradient.dtype)
            gradient = ops.add(gradient, ops.multiply(decay, ops.cast(variable, gradient.dtype)))
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "coupled_weight_decay": self.coupled_weight_decay}


def is_decayed(variable) -> bool:
    """Whether weight decay applies: everything but batch normalisation's scale and offset."""
    return variable.name not in ("gamma", "beta")


@keras.saving.register_keras_serializable(package="keras_acl")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Half-period cosine from step 0, its first steps replaced by a linear warm-up.

    PySlowFast's schedule: the cosine runs over all steps, and the warm-up leads from
    `warmup_start` to the cosine's own value at its end.

    Args:
        peak: Learning rate the cosine starts from.
        total_steps: Steps after which it reaches zero.
        warmup_steps: Length of the warm-up.
        warmup_start: Learning rate of the first step.

    Raises:
        ValueError: If there are no steps, or the warm-up is longer than the training.
    """

    def __init__(
        self, peak: float, total_steps: int, warmup_steps: int = 0, warmup_start: float = 0.0
    ):
        super().__init__()
        if total_steps < 1 or not 0 <= warmup_steps <= total_steps:
            raise ValueError(
                "Expected total_steps >= 1 and 0 <= warmup_steps <= total_steps. Received: "
                f"total_steps={total_steps}, warmup_steps={warmup_steps}"
            )
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.warmup_start = warmup_start

    def __call__(self, step):
        """Learning rate of this step."""
        step = ops.cast(step, "float32")
        progress = ops.minimum(step / self.total_steps, 1.0)
        cosine = self.peak * 0.5 * (1.0 + ops.cos(math.pi * progress))
        if not self.warmup_steps:
            return cosine
        share = self.warmup_steps / self.total_steps
        top = self.peak * 0.5 * (1.0 + math.cos(math.pi * share))
        warm = self.warmup_start + (top - self.warmup_start) * step / self.warmup_steps
        return ops.where(step < self.warmup_steps, warm, cosine)

    def get_config(self):
        """Arguments of the constructor."""
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "warmup_start": self.warmup_start,
        }
