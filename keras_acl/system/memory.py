"""Memory of this process and of the machine, in MiB, where the system tells."""

import sys
from pathlib import Path


def peak_memory() -> float:
    """Most memory that this process has had resident; 0 where the system does not tell."""
    # Not `ru_maxrss` first: it remembers the process that this one was forked from.
    if (peak := _kibibytes("/proc/self/status", "VmHWM")) is not None:
        return peak / 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


def available_memory() -> float:
    """Memory that could be taken; without end where the system does not tell."""
    available = _kibibytes("/proc/meminfo", "MemAvailable")
    return float("inf") if available is None else available / 1024


def _kibibytes(file: str, name: str) -> int | None:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), None)
