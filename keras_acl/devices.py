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
    """Once a process: tell who set `TF_ENABLE_ONEDNN_OPTS=0`, as is often done to hush TensorFlow.

    Its convolutions then take several times as long on an x86 CPU.
    """
    value = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "")
    if value.lower() not in ("0", "false"):
        return
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    if x86 and keras.backend.backend() == "tensorflow" and not has_accelerator():
        warnings.warn(
            f"TF_ENABLE_ONEDNN_OPTS={value} makes this package's networks several times slower on "
            "this CPU. Leave it unset; TF_CPP_MIN_LOG_LEVEL=1 hides TensorFlow's message about it.",
            stacklevel=4,  # whoever builds a model
        )


def compile_with_xla() -> bool:
    """The default of `jit_compile`: XLA wherever it is faster.

    On a CPU, TensorFlow's graph is several times faster than its XLA; torch has its own compiler.
    """
    backend = keras.backend.backend()
    return backend == "jax" or (backend == "tensorflow" and has_accelerator())
