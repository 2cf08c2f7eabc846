"""The runs of one program one after the other, on any backend: the way for CPUs.

What is compiled for the first run is used by all: between them, variables alone change.
"""

import time
from collections.abc import Callable

from keras_acl.models.compiled_call import CompiledCall
from keras_acl.training.consistency_loss import weight_at_epoch
from keras_acl.training.precise_batch_norm import precise_statistics, training_forward

import keras
import numpy as np
from program import PRECISE_BATCHES, Member, Program

MEASURED = 40  # clips measured at once


class OneByOne:
    """What `SideBySide` does, without JAX; see there."""

    def __init__(self, program: Program):
        if program.augment is not None:
            raise ValueError("Clips are varied by JAX alone: set KERAS_BACKEND=jax.")
        self.build, self.recipe, self.members = program.build, program.recipe, program.members
        self.batch_size = program.batch_size
        self.steps = len(self.members[0].clips) // self.batch_size
        self.model = self.build()
        self.recipe.compile(self.model)
        self.model.optimizer.build(self.model.trainable_variables)
        self.forward = training_forward(self.model)
        self.trained: list[list[np.ndarray]] = []
        self.compiled: dict[Callable, CompiledCall] = {}

    def fit(self, epochs: int) -> dict[str, np.ndarray]:
        """Train all; returns loss and accuracy by member and epoch."""
        histories = [self._fit_one(member, epochs) for member in self.members]
        return {name: np.stack([each[name] for each in histories]) for name in histories[0]}

    def _fit_one(self, member: Member, epochs: int) -> dict[str, list]:
        self._start(member)
        schedule = self.recipe.schedule(self.steps, self.batch_size)
        rates = keras.ops.convert_to_numpy(
            schedule(np.arange(epochs * self.steps, dtype="float32"))
        )
        rates = rates * member.learning_rate / self.recipe.learning_rate
        rng, history, started = np.random.default_rng(member.seed), {}, time.monotonic()
        for epoch in range(epochs):
            if getattr(self.model, "initial_consistency_weight", None) is not None:
                weight = weight_at_epoch(epoch, member.weight, member.ramp)
                self.model.consistency_weight.assign(weight)
            order = rng.permutation(len(member.clips))
            logs = {}
            for step in range(self.steps):
                chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
                self.model.optimizer.learning_rate = rates[epoch * self.steps + step]
                logs = self.model.train_on_batch(
                    member.clips[chosen], member.labels[chosen], return_dict=True
                )
            self.model.reset_metrics()
            for name in ("loss", "accuracy"):  # means over the epoch
                history.setdefault(name, []).append(float(logs[name]))
        precise_statistics(self.forward, _Batches(member.clips, self.batch_size), PRECISE_BATCHES)
        self.trained.append([_numpy(v) for v in self.model.variables])
        seconds = time.monotonic() - started
        print(f"seed {member.seed}: loss {history['loss'][-1]:.3f}, {seconds:.0f} s", flush=True)
        return history

    def _start(self, member: Member) -> None:
        """First weights, an optimiser that has seen nothing, and the run's terms."""
        keras.utils.set_random_seed(member.seed)
        fresh = self.build()
        for ours, theirs in zip(self.model.variables, fresh.variables, strict=False):
            ours.assign(theirs)
        for variable in self.model.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        for name, variable in getattr(self.model, "terms", {}).items():
            variable.assign(member.terms.get(name, 0.0))

    def outputs(self, function: Callable, clips: list, labels: list) -> list[dict]:
        """What a function of the model, clips (B, ...) and labels (B,) gives for each member."""
        if function not in self.compiled:

            def call(batch):
                return function(self.model, batch["clips"], batch["labels"])

            self.compiled[function] = CompiledCall(call, [self.model])
        found = []
        for trained, theirs, told in zip(self.trained, clips, labels, strict=True):
            for variable, value in zip(self.model.variables, trained, strict=True):
                variable.assign(value)
            parts = []
            for first in range(0, len(told), MEASURED):
                now = np.arange(first, first + MEASURED) % len(told)  # the last one is filled up
                part = self.compiled[function].predict_on_batch(
                    {"clips": theirs[now], "labels": told[now]}
                )
                parts.append({name: _numpy(value) for name, value in part.items()})
            found.append(
                {n: np.concatenate([part[n] for part in parts])[: len(told)] for n in parts[0]}
            )
        return found


class _Batches:
    """Arrays as `precise_statistics` wants them: by batch, with a length."""

    def __init__(self, clips: np.ndarray, batch_size: int):
        self.clips, self.batch_size = clips, batch_size

    def __len__(self) -> int:
        return len(self.clips) // self.batch_size

    def __getitem__(self, index: int):
        return (self.clips[index * self.batch_size : (index + 1) * self.batch_size],)


def _numpy(value) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(value))  # a copy: torch hands out its own memory
