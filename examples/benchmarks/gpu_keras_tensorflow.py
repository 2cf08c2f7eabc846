"""Steps of a Keras model on TensorFlow, compiled as `fit` compiles; see `gpu_keras`."""

import contextlib
import time

import numpy as np
import tensorflow as tf


def set_precision(precision: str) -> None:
    """Of products of float32 values."""
    tf.config.experimental.enable_tensor_float_32_execution(precision != "fp32")


def device_name() -> str:
    """Of the device computations run on."""
    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else "cpu"


def peak_gib() -> float | None:
    """Most memory that was in use at once; none on a CPU."""
    if not tf.config.list_physical_devices("GPU"):
        return None
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30


@contextlib.contextmanager
def trace(folder: str):
    """Context in which the profiler records."""
    tf.profiler.experimental.start(folder)
    try:
        yield
    finally:
        tf.profiler.experimental.stop()


def training(model, clips, labels):
    """Steps of `train_step`, which return the loss; how long tracing, not compiling, took."""
    model.optimizer.build(model.trainable_variables)
    batch = _on_device(clips), _on_device(labels)
    step, facts = _traced(lambda *batch: model.train_step(batch), model.jit_compile, *batch)

    def steps(count: int) -> float:
        logs = {}
        for _ in range(count):
            logs = step(*batch)
        return float(logs["loss"])  # waits: each step needs the one before

    return steps, facts


def inference(model, clips):
    """Steps of the inference function; they return the last logits."""
    clips = _on_device(clips)
    step, facts = _traced(lambda x: model(x, training=False), model.jit_compile, clips)

    def steps(count: int) -> np.ndarray:
        outputs = [step(clips) for _ in range(count)]
        return [output.numpy() for output in outputs][-1]  # waits for each

    return steps, facts


def _on_device(array):
    return tf.identity(tf.constant(array))


def _traced(function, jit_compile, *arguments):
    started = time.perf_counter()
    compiled = tf.function(function, jit_compile=bool(jit_compile), autograph=False)
    concrete = compiled.get_concrete_function(*arguments)
    return concrete, {"trace s": time.perf_counter() - started}
