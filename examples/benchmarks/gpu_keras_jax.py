"""Steps of a Keras model on JAX, compiled ahead of time; see `gpu_keras`."""

import time

import jax
import numpy as np


def set_precision(precision: str) -> None:
    """Of products of float32 values."""
    names = {"fp32": "highest", "tf32": "tensorfloat32", "bf16": None}
    jax.config.update("jax_default_matmul_precision", names[precision])


def device_name() -> str:
    """Of the device computations run on."""
    return jax.local_devices()[0].device_kind


def peak_gib() -> float | None:
    """Most memory that was in use at once; none where JAX does not count."""
    statistics = jax.local_devices()[0].memory_stats()
    return statistics["peak_bytes_in_use"] / 2**30 if statistics else None


def trace(folder: str):
    """Context in which the profiler records."""
    return jax.profiler.trace(folder)


def training(model, clips, labels):
    """Steps of `train_step`, which return the loss; how long tracing and compiling took."""
    model.optimizer.build(model.trainable_variables)
    state = tuple(
        [variable.value for variable in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
    )
    batch = jax.device_put((clips, labels))
    step, facts = _compiled(jax.jit(model.train_step, donate_argnums=0), state, batch)

    def steps(count: int) -> float:
        nonlocal state
        logs = {}
        for _ in range(count):
            logs, state = step(state, batch)
        jax.block_until_ready(state)
        return float(logs["loss"])

    return steps, facts


def inference(model, clips):
    """Steps of the inference function; they return the last logits."""
    state = (
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    )
    clips = jax.device_put(clips)

    def infer(state, clips):
        return model.stateless_call(*state, clips, training=False)[0]

    step, facts = _compiled(jax.jit(infer), state, clips)

    def steps(count: int) -> np.ndarray:
        outputs = [step(state, clips) for _ in range(count)]
        jax.block_until_ready(outputs)
        return np.asarray(outputs[-1])

    return steps, facts


def _compiled(function, *arguments):
    started = time.perf_counter()
    lowered = function.lower(*arguments)
    traced = time.perf_counter()
    compiled = lowered.compile()
    return compiled, {"trace s": traced - started, "compile s": time.perf_counter() - traced}
