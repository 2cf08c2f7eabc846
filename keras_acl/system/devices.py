"""What the backend and the device below it are good at; the one place that asks for its name.

Whoever needs an operation of TensorFlow that `keras.ops` lacks gets it from `tensorflow()`:
`layers.convolution` (kernels as constants, a bias that is fused) and `layers.normalization` (one
operation each way).
"""

import functools
import importlib
import os
import platform
import warnings
from pathlib import Path
from typing import Any

import keras

from keras_acl.system.keras_internals import tensorflow_has_onednn


def tensorflow() -> Any:
    """TensorFlow, where it is the backend; `None` where it is not."""
    return importlib.import_module("tensorflow") if backend_name() == "tensorflow" else None


def seed_tensorflow(seed: int) -> None:
    """Seed TensorFlow's global chance, from which KerasCV draws some values on any backend."""
    importlib.import_module("tensorflow").random.set_seed(seed)


def has_accelerator() -> bool:
    """Whether Keras' backend computes on a GPU or TPU."""
    if backend_name() == "torch":
        return importlib.import_module("torch").cuda.is_available()
    if backend_name() == "jax":
        return importlib.import_module("jax").default_backend() != "cpu"
    return any(keras.distribution.list_devices(kind) for kind in ("gpu", "tpu"))


def check_gpu() -> None:
    """Check that there is the GPU that somebody asked for.

    Raises:
        ValueError: If Keras' backend finds none.
    """
    if not has_accelerator():
        raise ValueError(
            f"{backend_name()}, Keras' backend, finds no such GPU. Leave the device out, choose "
            "cpu, or another backend with KERAS_BACKEND."
        )


def compile_with_xla() -> bool:
    """The default of `jit_compile`: XLA wherever it is faster.

    On a CPU, TensorFlow's graph is several times faster than its XLA; torch has its own compiler.
    """
    return backend_name() == "jax" or (backend_name() == "tensorflow" and has_accelerator())


def prefers_2d_convolutions() -> bool:
    """Whether separable 3D convolutions are faster as 2D ones: XLA's are, others' are not."""
    return backend_name() == "jax"


def convolves_in_groups() -> bool:
    """Whether the backend's own convolutions of groups of channels are to be used.

    TensorFlow has no 3D ones on a CPU: Keras compiles them with XLA, many times slower than one
    convolution a group, and files for other engines cannot have them.
    """
    return backend_name() != "tensorflow"


def compiles_random_draws() -> bool:
    """Whether drawing random numbers of a new shape compiles: on JAX, about a second each."""
    return backend_name() == "jax"


def has_global_dropout_state() -> bool:
    """Whether dropout draws from the process's random state rather than from Keras' seeds.

    Torch's does. On TensorFlow, setting that state would drop all that is compiled.
    """
    return backend_name() == "torch"


def fast_bfloat16() -> bool:
    """Whether the device multiplies bfloat16 matrices faster than float32 ones.

    Taken for granted of GPUs and TPUs (those of NVIDIA before Ampere do not); a CPU does with AMX
    or AVX512-BF16, where its features are known (Linux).
    """
    return has_accelerator() or not _processor_features().isdisjoint({"amx_bf16", "avx512_bf16"})


@functools.cache
def warn_of_slow_convolutions() -> None:
    """Once in a process: warn whoever runs TensorFlow on an x86 CPU without oneDNN's convolutions.

    They are off where `TF_ENABLE_ONEDNN_OPTS=0` was set, as is often done to hush TensorFlow, or
    where TensorFlow turned them off by itself before this package could ask for them.
    """
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    if not x86 or tensorflow() is None or has_accelerator() or tensorflow_has_onednn():
        return
    value = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1")
    remedy = (
        f"Unset TF_ENABLE_ONEDNN_OPTS (it is {value}); TF_CPP_MIN_LOG_LEVEL=1 hides TensorFlow's "
        "message about it."
        if value.lower() in ("0", "false")
        else "Import keras_acl before keras and tensorflow, or set TF_ENABLE_ONEDNN_OPTS=1."
    )
    warnings.warn(
        "TensorFlow runs without oneDNN, which makes this package's networks several times slower "
        f"on this CPU. {remedy}",
        stacklevel=4,  # whoever builds a model
    )


def backend_name() -> str:
    """Keras' backend: "tensorflow", "jax" or "torch"."""
    return keras.backend.backend()


@functools.cache
def _processor_features() -> frozenset[str]:
    try:
        return frozenset(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:  # another system than Linux
        return frozenset()
