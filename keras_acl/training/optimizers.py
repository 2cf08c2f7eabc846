"""The optimiser and learning-rate schedule of the published recipes."""

import math
import re
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from keras_acl.system.devices import tensorflow
from keras_acl.system.distribution import replicas
from keras_acl.system.keras_internals import learning_rates, variable_index

WITHOUT_RATE = "momenta_without_rate"  # what says so in a saved state


@keras.saving.register_keras_serializable(package="keras_acl")
class CoupledSGD(keras.optimizers.SGD):
    """SGD as torch and PySlowFast compute it, which is that of the published recipes.

    Two things differ from Keras' own. Weight decay is added to the gradient, so that momentum sees
    it too: g ← g + weight_decay · w. And the rate multiplies what momentum has gathered, v ← m · v
    + g, w ← w − rate · v, where Keras gathers steps that hold the rates of their time; the two are
    the same only while the rate stands still. Scale and offset of batch normalisation (variables
    named `gamma` and `beta`) are not decayed.

    Args:
        learning_rate: A float or a schedule.
        momentum: Defaults to 0.9.
        nesterov: Defaults to `True`.
        coupled_weight_decay: The factor; 1e-4 in the recipes.
        rate_factors: Some variables' own rates, as factors of the learning rate: regular
            expressions and their factors. The first that is found in a variable's path counts; 1
            where there is none.
        name: Name of the optimiser.
        **kwargs: The other arguments of `keras.optimizers.SGD`.

    Raises:
        ValueError: If a factor is negative, or gradients are to be accumulated on several replicas
            of `tf.distribute`, which Keras cannot.

    Example:
        >>> CoupledSGD(0.1, rate_factors={"classifier/": 1.0, "": 0.1})  # the others at 0.01
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        nesterov=True,
        coupled_weight_decay=1e-4,
        rate_factors: Mapping[str, float] | None = None,
        name="coupled_sgd",
        **kwargs,
    ):
        super().__init__(
            learning_rate=learning_rate, momentum=momentum, nesterov=nesterov, name=name, **kwargs
        )
        self.coupled_weight_decay = coupled_weight_decay
        self.rate_factors = dict(rate_factors or {})
        if any(factor < 0 for factor in self.rate_factors.values()):
            raise ValueError(f"Expected factors >= 0. Received: rate_factors={self.rate_factors}")
        if self.gradient_accumulation_steps and tensorflow() is not None and replicas() > 1:
            raise ValueError(
                "Keras cannot accumulate gradients on several replicas of TensorFlow. Received: "
                f"gradient_accumulation_steps={self.gradient_accumulation_steps} on {replicas()} "
                "of them. Leave it out, use one device, or KERAS_BACKEND=jax."
            )

    def build(self, variables):
        """Create the momenta, and note which variables decay and how fast each learns."""
        if not self.built:
            # Here, as the variables that TensorFlow hands to `update_step` have other names.
            self._decayed = tuple(is_decayed(variable) for variable in variables)
            self._factors = tuple(self._factor(variable.path) for variable in variables)
        super().build(variables)

    def _factor(self, path: str) -> float:
        found = (factor for name, factor in self.rate_factors.items() if re.search(name, path))
        return next(found, 1.0)

    def update_step(self, gradient, variable, learning_rate):
        """Step on the gradient of loss and decay."""
        index = variable_index(self, variable)
        gradient = ops.cast(gradient, variable.dtype)
        if self._decayed[index]:
            decay = ops.cast(self.coupled_weight_decay, variable.dtype)
            gradient = ops.add(gradient, ops.multiply(decay, variable))
        step = gradient
        if self.momentum:
            momentum = ops.cast(self.momentum, variable.dtype)
            velocity = self.momentums[index]
            moved = ops.add(ops.multiply(momentum, velocity), gradient)
            self.assign(velocity, moved)
            step = ops.add(gradient, ops.multiply(momentum, moved)) if self.nesterov else moved
        rate = ops.cast(learning_rate, variable.dtype) * self._factors[index]
        self.assign_sub(variable, ops.multiply(rate, step))

    def finalize_variable_values(self, var_list):
        """Replace weights by their moving average, if there is one.

        In memory of their own: Keras on JAX would let both have the same, and its compiled steps
        free what they are given.
        """
        super().finalize_variable_values(var_list)
        for variable in var_list if self.use_ema else ():
            variable.assign(ops.copy(variable))

    def save_own_variables(self, store):
        """Save the state, and that its momenta are without the rate."""
        super().save_own_variables(store)
        store[WITHOUT_RATE] = np.array(True)

    def load_own_variables(self, store):
        """Load a state; momenta of 0.1.0, which held the rate, are rid of it."""
        values = {name: store[name] for name in store.keys()}  # noqa: SIM118, no mapping
        converted = values.pop(WITHOUT_RATE, None) is not None
        super().load_own_variables(values)
        if not converted and len(values) == len(self.variables):
            factor = -1 / self._gathered_rate()
            for velocity in self.momentums:
                velocity.assign(ops.multiply(velocity, ops.cast(factor, velocity.dtype)))

    def _gathered_rate(self) -> float:
        """Mean rate of the steps so far, weighted as momentum weighs their gradients."""
        every = self.gradient_accumulation_steps or 1
        steps = range(int(self.iterations) * every - 1, -1, -every)
        rates = [float(rate) for rate in learning_rates(self, steps)]
        weights = self.momentum ** np.arange(len(rates))
        return float(np.average(rates, weights=weights)) if rates else 1.0

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "coupled_weight_decay": self.coupled_weight_decay,
            "rate_factors": self.rate_factors,
        }


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
        first_step: Step at which all this begins: the last one of a training that is extended (a
            warm restart, Loshchilov and Hutter, 2017).

    Raises:
        ValueError: If there are no steps, or the warm-up is longer than the training.
    """

    def __init__(
        self,
        peak: float,
        total_steps: int,
        warmup_steps: int = 0,
        warmup_start: float = 0.0,
        first_step: int = 0,
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
        self.first_step = first_step

    def __call__(self, step):
        """Learning rate of this step."""
        step = ops.maximum(ops.cast(step, "float32") - self.first_step, 0.0)
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
            "first_step": self.first_step,
        }
