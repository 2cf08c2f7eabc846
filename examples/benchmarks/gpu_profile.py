"""What took the time, out of a trace that JAX' or TensorFlow's profiler wrote."""

import gzip
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path


def largest_of_trace(folder: str, count: int = 20) -> list[tuple[str, float]]:
    """Kernels of the newest trace in a folder that take the most time, see `largest`.

    Raises:
        FileNotFoundError: If there is no trace.
    """
    files = sorted(Path(folder).rglob("*.trace.json.gz"), key=lambda file: file.stat().st_mtime)
    if not files:
        raise FileNotFoundError(f"No *.trace.json.gz in {folder}; was anything profiled?")
    with gzip.open(files[-1], "rt", encoding="utf-8") as stream:
        events = json.load(stream)["traceEvents"]
    return largest(device_times(events), count)


def device_times(events: list[dict]) -> Counter:
    """Time of each kernel by name, on GPUs where the trace has any.

    A GPU's process has a thread a stream beside threads that tell the same again by module, by
    operation or by name scope; those are left out.
    """
    processes, threads = {}, {}
    for event in events:
        if event.get("name") == "process_name":
            processes[event["pid"]] = event["args"]["name"]
        elif event.get("name") == "thread_name":
            threads[event["pid"], event["tid"]] = event["args"]["name"]
    gpus = {pid for pid, name in processes.items() if "GPU" in name}
    streams = {key for key, name in threads.items() if key[0] in gpus and "Stream" in name}
    times: Counter = Counter()
    for event in events:
        if event.get("ph") == "X" and (not gpus or (event["pid"], event["tid"]) in streams):
            times[event["name"]] += event.get("dur", 0.0)
    return times


def largest(times: Mapping[str, float], count: int = 20) -> list[tuple[str, float]]:
    """The names that take the most time, with their share of all."""
    total = sum(times.values()) or 1.0
    ranked = sorted(times.items(), key=lambda pair: -pair[1])[:count]
    return [(name[:120], round(value / total, 4)) for name, value in ranked if value]
