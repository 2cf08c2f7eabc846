"""What the backend runs on; the one place that asks a backend by its own name."""

import sys
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
    if has_accelerator():
        return True
    try:
        features = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return bool({"amx_bf16", "avx512_bf16"} & set(features))


def peak_memory() -> float:
    """Most memory (MiB) that this process has had resident; 0 where the system does not tell."""
    try:  # not that of the process it was forked from, which `ru_maxrss` remembers
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


def compile_with_xla() -> bool:
    """The default of `jit_compile`: XLA wherever it is faster.

    On a CPU, TensorFlow's graph is several times faster than its XLA; torch has its own compiler.
    """
    backend = keras.backend.backend()
    return backend == "jax" or (backend == "tensorflow" and has_accelerator())
