"""A Keras contender of `gpu.py`, on JAX or TensorFlow; started by it as a child process.

What is timed is the model's own `train_step`, the documented one that `fit` compiles, in one
compiled function whose result is waited for at the end of a block only: on JAX
`jax.jit(model.train_step, donate_argnums=0)` on (trainable, non-trainable, optimizer, metrics)
variables, on TensorFlow `tf.function(model.train_step, jit_compile=True)`. Inference is
`stateless_call` or `call`. Batches lie on the device. The task "fit" is `model.fit` itself on a
batch in the host's memory, copies to the device and all.
"""

import importlib.util
import time
from typing import Any

from keras_acl.clip import ClipSpec
from keras_acl.models import SlowFastClassifier, TwoStreamClassifier, optimize
from keras_acl.system.devices import compile_with_xla
from keras_acl.training.optimizers import CoupledSGD

import keras
import numpy as np
from gpu_cases import Contender
from gpu_process import serve

TINY: dict[str, Any] = {"depth": 11, "width": 8, "speed_ratio": 4, "channel_ratio": 2}
SCALES = {"ac": (1.0,), "ac_scam": (1.0, 0.5)}


def prepare(contender: Contender):
    """Build, compile and warm up; see `gpu_process.serve`."""
    if keras.backend.backend() == "jax":
        import gpu_keras_jax as backend
    elif keras.backend.backend() == "tensorflow":
        import gpu_keras_tensorflow as backend
    else:
        raise ValueError(
            f"Expected KERAS_BACKEND=jax or tensorflow. Received: {keras.backend.backend()}"
        )
    backend.set_precision(contender.precision)
    model = build(contender)
    if contender.optimized:
        model = optimize(model, model.compute_dtype)
    clips, labels = batch(contender)
    facts: dict[str, Any] = {"device": backend.device_name()}
    if contender.task in ("reference", "check"):
        steps, _ = backend.inference(model, clips)
        logits = steps(1)
        if contender.task == "reference":
            write_reference(contender.file, model, logits)
            return facts, steps, dict
        return facts | compare(contender.file, logits), steps, dict
    if contender.task == "fit":
        steps, compiled = fitting(model, clips, labels)
    elif contender.task == "train":
        steps, compiled = backend.training(model, clips, labels)
    else:
        steps, compiled = backend.inference(model, clips)
    started = time.perf_counter()
    steps(1)
    facts |= {"first step s": time.perf_counter() - started + sum(compiled.values()), **compiled}
    last = steps(2)
    if contender.task != "infer":
        facts["loss"] = last
    if contender.file:
        from gpu_profile import largest_of_trace

        with backend.trace(contender.file):
            steps(3)
        facts["largest"] = largest_of_trace(contender.file)
    return facts, steps, lambda: {"peak GiB": backend.peak_gib()}


def build(contender: Contender):
    """The network, with weights that differ from their initial ones, compiled for training."""
    options: dict[str, Any] = {
        "form": contender.form,
        "dtype": "mixed_bfloat16" if contender.precision == "bf16" else "float32",
    }
    if contender.tiny:
        options |= TINY | {"clip": ClipSpec(frames=8, span=16, size=32)}
    if contender.consistency == "none":
        model = SlowFastClassifier(400, fusion=contender.fusion, **options)
    else:
        model = TwoStreamClassifier(400, scales=SCALES[contender.consistency], **options)
        model.rematerialize = contender.rematerialize
    if contender.task == "check":
        with np.load(contender.file) as stored:
            model.set_weights([stored[f"weight{i}"] for i in range(len(model.weights))])
    else:
        randomize(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(CoupledSGD(1e-3), loss, jit_compile=compile_with_xla())
    return model


def randomize(model) -> None:
    """He's kernels; and no scale is zero: a chip is faster on zeros than on trained weights."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name == "gamma":
            variable.assign(rng.uniform(0.3, 0.7, variable.shape))
        elif variable.name == "kernel":
            shape = variable.shape
            deviation = np.sqrt(2 / (np.prod(shape[:-2]) * shape[-1]))  # fan-out
            variable.assign(deviation * rng.standard_normal(shape, "float32"))


def batch(contender: Contender) -> tuple[np.ndarray, np.ndarray]:
    """Clips of noise, uint8 (B, T, H, W, 3), and labels (B,)."""
    frames, size = (8, 32) if contender.tiny else (32, 224)
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, (contender.batch, frames, size, size, 3), dtype=np.uint8)
    return clips, rng.integers(0, 400, contender.batch).astype("int32")


class Repeated(keras.utils.PyDataset):
    """The same batch a number of times."""

    def __init__(self, clips, labels, count: int):
        super().__init__()
        self._batch, self._count = (clips, labels), count

    def __len__(self) -> int:
        """Batches."""
        return self._count

    def __getitem__(self, index):
        """A batch."""
        return self._batch


def fitting(model, clips, labels):
    """Steps of `fit`, which return the loss, and nothing compiled ahead."""

    def steps(count: int) -> float:
        return model.fit(Repeated(clips, labels, count), verbose=0).history["loss"][0]

    return steps, {}


def write_reference(file: str, model, logits) -> None:
    """Weights, by number and where torch is installed under the peer's names, and outputs."""
    weights = {f"weight{i}": value for i, value in enumerate(model.get_weights())}
    if importlib.util.find_spec("torch"):
        from torch_peer import keras_weights

        weights |= keras_weights(model)
    np.savez(file, logits=logits, **weights)


def compare(file: str, logits) -> dict:
    """Largest difference from the reference, relative to its largest output."""
    with np.load(file) as stored:
        expected = stored["logits"]
    logits = np.asarray(logits, "float32")
    return {"difference": float(np.abs(logits - expected).max() / np.abs(expected).max())}


if __name__ == "__main__":
    serve(prepare)
