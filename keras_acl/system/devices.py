"""What the backend runs on; the one place that asks a backend by its own name."""

import functools
import os
import platform
import warnings
from pathlib import Path

import keras


def has_accelerator() -> bool:
    """Whether Keras' backend computes on a GPU or TPU."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch  # pyright: ignore[reportMissingImports]  an extra

        return torch.cuda.is_available()
    if backend == "jax":
        import jax  # pyright: ignore[reportMissingImports]  an extra

        return jax.default_backend() != "cpu"
    return any(keras.distribution.list_devices(kind) for kind in ("gpu", "tpu"))


def fast_bfloat16() -> bool:
    """Whether the device multiplies bfloat16 matrices faster than float32 ones.

    Taken for granted of GPUs and TPUs (those of NVIDIA before Ampere do not); a CPU does with AMX
    or AVX512-BF16, where its features are known (Linux).
    """
    return has_accelerator() or not _processor_features().isdisjoint({"amx_bf16", "avx512_bf16"})


def wide_vectors() -> bool:
    """Whether the device is a CPU with vectors of 16 float32 values (AVX-512), where known."""
    return "avx512f" in _processor_features() and not has_accelerator()


@functools.cache
def _processor_features() -> frozenset[str]:
    try:
        return frozenset(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:  # another system than Linux
        return frozenset()


@functools.cache
def warn_of_slow_convolutions() -> None:
    """Once a process: tell who runs TensorFlow on an x86 CPU without oneDNN's convolutions.

    They are off where `TF_ENABLE_ONEDNN_OPTS=0` was set, as is often done to hush TensorFlow, or
    where TensorFlow turned them off by itself before this package could ask for them.
    """
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    if not x86 or keras.backend.backend() != "tensorflow" or has_accelerator() or _has_onednn():
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


def _has_onednn() -> bool:
    """Whether TensorFlow computes with oneDNN, as it decided when it was imported."""
    try:
        from tensorflow.python.util import _pywrap_util_port

        return _pywrap_util_port.IsMklEnabled()
    except (ImportError, AttributeError):  # TensorFlow has no public way to ask
        return True


def compile_with_xla() -> bool:
    """The default of `jit_compile`: XLA wherever it is faster.

    On a CPU, TensorFlow's graph is several times faster than its XLA; torch has its own compiler.
    """
    backend = keras.backend.backend()
    return backend == "jax" or (backend == "tensorflow" and has_accelerator())
