"""The contenders of `gpu.py`: one network in one framework, in a process of its own.

Timed on Keras is the model's own `train_step`, the documented one that `fit` compiles, in one
compiled function whose result is waited for at the end of a turn only; on PyTorch the peer with the
same weights: channels last, autocast to bfloat16, cuDNN's benchmark, the fused SGD. Batches lie on
the device, but for the task "fit", which is `model.fit` on a batch in the host's memory.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

SPAWN = multiprocessing.get_context("spawn")
TINY = {"depth": 11, "width": 8, "speed_ratio": 4, "channel_ratio": 2}
NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {"fusion": "none"},
    "fusion": {"fusion": "conv"},
    "AC": {"scales": (1.0,)},
    "AC + SCAM": {},
    "AC + SCAM, rematerialised": {},
    "2D convolutions": {"fusion": "none", "form": "2d"},
    "native convolutions": {"fusion": "none", "form": "native"},
}
# Runs a number of steps, waits for them, and returns the last loss or logits.
Steps = Callable[[int], Any]


@dataclasses.dataclass(frozen=True)
class Contender:
    """One process.

    Args:
        framework: `"jax"` or `"tensorflow"`, for Keras, `"torch"` or `"torch.compile"`.
        task: `"train"`, `"infer"` or `"fit"`.
        precision: `"bf16"`, `"tf32"` or `"fp32"`.
        batch: Clips per step.
        network: Name in `NETWORKS`; torch has the first two.
        cpu: Whether it runs on the CPU.
        tiny: Whether the network and the clips are tiny.
    """

    framework: str
    task: str = "train"
    precision: str = "bf16"
    batch: int = 16
    network: str = "plain"
    cpu: bool = False
    tiny: bool = False

    @property
    def name(self) -> str:
        """Name in the table."""
        framework = self.framework if self.framework.startswith("torch") else "Keras"
        return f"{framework}, {self.network}{', fit' * (self.task == 'fit')}"


class Child:
    """A contender's process, as its parent sees it."""

    def __init__(self, contender: Contender):
        self._pipe, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=serve, args=(theirs, contender), daemon=True)
        with mock.patch.dict(os.environ, environment(contender)):
            self._process.start()
        theirs.close()

    def answer(self, seconds: float) -> dict:
        """What it says next.

        Raises:
            TimeoutError: If it says nothing for so long.
            RuntimeError: If it failed or is no more.
        """
        if not self._pipe.poll(seconds):
            raise TimeoutError(f"no answer within {seconds:g} s")
        try:
            answer = self._pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            raise RuntimeError(f"ended with exit status {self._process.exitcode}") from None
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer

    def run(self, steps: int, seconds: float) -> dict:
        """Let it run steps; see `answer`."""
        self._pipe.send(steps)
        return self.answer(seconds)

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def environment(contender: Contender) -> dict[str, str]:
    """Variables that libraries read when they are imported."""
    variables = {
        "KERAS_BACKEND": contender.framework.removesuffix(".compile"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # others need memory too
    }
    if contender.precision == "fp32":
        variables["NVIDIA_TF32_OVERRIDE"] = "0"  # for all libraries of NVIDIA
    if contender.cpu:
        variables |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    return variables


def serve(pipe, contender: Contender) -> None:
    """Be the process: say what the contender is, then time as many steps as are asked for."""
    try:
        facts, steps, peak = prepare(contender)
        pipe.send(facts)
        while True:
            count = pipe.recv()
            steps(1)  # clocks go up, memory given back comes again
            started = time.perf_counter()
            steps(count)
            pipe.send({"seconds": time.perf_counter() - started, "peak GiB": peak()})
    except EOFError:  # the parent is no more
        pass
    except Exception as error:  # whatever it is, the table says it
        pipe.send(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}")


def prepare(contender: Contender) -> tuple[dict, Steps, Callable[[], float | None]]:
    """Build, compile and warm up; returns facts, what runs steps, and what tells peak memory."""
    from keras_acl.speed.cost import count_multiply_adds

    import numpy as np

    model = build(contender)
    size = model.clip.size
    rng = np.random.default_rng(0)
    two = rng.integers(0, 256, (2, model.clip.frames, size, size, 3), dtype=np.uint8)
    clips = np.resize(two, (contender.batch, *two.shape[1:]))
    labels = rng.integers(0, 400, contender.batch).astype("int32")
    counted = count_multiply_adds(model, size)
    make = {"jax": jax_steps, "tensorflow": tensorflow_steps}.get(contender.framework, torch_steps)
    device, steps, peak = make(contender, model, clips, labels)
    if contender.task == "fit":

        def steps(count):
            batches = ((clips, labels) for _ in range(count))
            return model.fit(batches, steps_per_epoch=count, shuffle=False, verbose=0).history[
                "loss"
            ][0]

    started = time.perf_counter()
    last = steps(1)
    facts = {"device": device, "first step s": time.perf_counter() - started}
    facts["multiply-adds"] = counted
    if contender.task == "infer":
        facts["logits"] = np.asarray(last, "float32")[:2]
    else:
        facts["loss"] = float(steps(2))
    return facts, steps, peak


def build(contender: Contender):
    """The network on Keras, compiled for training; weights drawn by NumPy, the same everywhere.

    No scale is zero: a chip is faster on zeros than on trained weights.
    """
    from keras_acl.clip import ClipSpec
    from keras_acl.models import SlowFastClassifier, TwoStreamClassifier
    from keras_acl.system.devices import compile_with_xla
    from keras_acl.training.optimizers import CoupledSGD

    import keras
    import numpy as np

    options = dict(NETWORKS[contender.network])
    if contender.tiny:
        options |= TINY | {"clip": ClipSpec(frames=8, span=16, size=32)}
    on_torch = contender.framework.startswith("torch")  # which has autocast
    if contender.precision == "bf16" and not on_torch:
        options["dtype"] = "mixed_bfloat16"
    network = SlowFastClassifier if "fusion" in options else TwoStreamClassifier
    model = network(400, **options)
    model.rematerialize = contender.network.endswith("rematerialised")
    rng = np.random.default_rng(0)
    for variable in model.weights:
        shape = variable.shape
        if variable.name == "gamma":
            variable.assign(rng.uniform(0.3, 0.7, shape))
        elif variable.name == "kernel":  # He, fan-out
            deviation = np.sqrt(2 / (np.prod(shape[:-2]) * shape[-1]))
            variable.assign(deviation * rng.standard_normal(shape, "float32"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(CoupledSGD(1e-3), loss, jit_compile=compile_with_xla())
    return model


def jax_steps(contender: Contender, model, clips, labels):
    """Device, steps and peak memory on JAX."""
    from keras_acl.models import optimize

    import jax

    matmul = {"fp32": "highest", "tf32": "tensorfloat32", "bf16": None}[contender.precision]
    jax.config.update("jax_default_matmul_precision", matmul)
    model.optimizer.build(model.trainable_variables)
    clips, labels = jax.device_put((clips, labels))
    model = optimize(model, model.compute_dtype) if contender.task == "infer" else model
    trained = (model.trainable_variables, model.non_trainable_variables)
    if contender.task == "infer":
        state = [[variable.value for variable in variables] for variables in trained]
        infer = jax.jit(lambda state, x: model.stateless_call(*state, x, training=False)[0])

        def steps(count):
            outputs = [infer(state, clips) for _ in range(count)]
            return jax.block_until_ready(outputs)[-1]
    else:
        all_variables = (*trained, model.optimizer.variables, model.metrics_variables)
        state = tuple([variable.value for variable in variables] for variables in all_variables)
        train = jax.jit(model.train_step, donate_argnums=0)

        def steps(count):
            nonlocal state
            for _ in range(count):
                logs, state = train(state, (clips, labels))
            jax.block_until_ready(state)
            return logs["loss"]

    def peak():
        statistics = jax.local_devices()[0].memory_stats()
        return statistics["peak_bytes_in_use"] / 2**30 if statistics else None

    return jax.local_devices()[0].device_kind, steps, peak


def tensorflow_steps(contender: Contender, model, clips, labels):
    """Device, steps and peak memory on TensorFlow."""
    from keras_acl.models import optimize

    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(contender.precision != "fp32")
    gpus = tf.config.list_physical_devices("GPU")
    model.optimizer.build(model.trainable_variables)
    clips, labels = (tf.identity(tf.constant(value)) for value in (clips, labels))
    model = optimize(model, model.compute_dtype) if contender.task == "infer" else model

    @tf.function(jit_compile=bool(model.jit_compile), autograph=False)
    def step(clips, labels):
        if contender.task == "infer":
            return model(clips, training=False)
        return model.train_step((clips, labels))["loss"]

    def steps(count):
        # Each output is waited for at the end; training steps need the one before anyhow.
        return [output.numpy() for output in [step(clips, labels) for _ in range(count)]][-1]

    def peak():
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30 if gpus else None

    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    return details.get("device_name", "cpu"), steps, peak


@contextlib.contextmanager
def without_onednn():
    """On CPUs with AVX512-BF16 its bfloat16 gives NaN now and then (torch 2.13)."""
    import torch

    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before


def torch_steps(contender: Contender, model, clips, labels):
    """Device, steps and peak memory on PyTorch."""
    import torch
    from torch_peer import peer_of, sgd, train_step

    on_gpu, autocast = not contender.cpu, contender.precision == "bf16"
    device = torch.device("cuda" if on_gpu else "cpu")
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = contender.precision != "fp32"
    torch.backends.cuda.matmul.allow_tf32 = contender.precision != "fp32"
    peer = peer_of(model).to(device).to(memory_format=torch.channels_last_3d)
    run = torch.compile(peer) if contender.framework == "torch.compile" else peer
    clips, labels = (torch.from_numpy(value).to(device) for value in (clips, labels))
    labels, optimizer = labels.long(), sgd(peer, fused=on_gpu)
    peer.train(contender.task == "train")

    def step():
        if contender.task == "train":
            return train_step(run, optimizer, clips, labels, autocast)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            return run(clips)

    def steps(count):
        for _ in range(count):
            with without_onednn() if autocast and not on_gpu else contextlib.nullcontext():
                last = step()
        return last.float().cpu()  # waits

    def peak():
        if not on_gpu:
            return None
        gib = torch.cuda.max_memory_allocated() / 2**30
        torch.cuda.empty_cache()  # for the other contenders; an untimed step takes it again
        return gib

    return torch.cuda.get_device_name() if on_gpu else "cpu", steps, peak
