"""What took the time, out of a trace that JAX' or TensorFlow's profiler wrote."""

import gzip
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path


def largest_of_trace(folder: str, count: int = 20) -> list[tuple[str, float]]:
    """Kernels of the newest trace in a folder that take the most time, see `largest`.

    JAX writes events as JSON, TensorFlow as a message that its own classes read.

    Raises:
        FileNotFoundError: If there is no trace.
    """
    files = [
        *Path(folder).rglob("*.trace.json.gz"),
        *Path(folder).rglob("*.xplane.pb"),
    ]
    if not files:
        raise FileNotFoundError(f"No trace in {folder}; was anything profiled?")
    # JAX writes both at once: the message is for where there is no JSON.
    newest = max(files, key=lambda file: (file.parent.stat().st_mtime, file.suffix == ".gz"))
    if newest.suffix == ".gz":
        with gzip.open(newest, "rt", encoding="utf-8") as stream:
            return largest(device_times(json.load(stream)["traceEvents"]), count)
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # pyright: ignore

    return largest(plane_times(xplane_pb2.XSpace.FromString(newest.read_bytes()).planes), count)


def plane_times(planes) -> Counter:
    """Time of each kernel by name, as `device_times`, from TensorFlow's message."""
    gpus = [plane for plane in planes if "GPU" in plane.name]
    times: Counter = Counter()
    for plane in gpus or planes:
        for line in plane.lines:
            if gpus and "Stream" not in line.name:
                continue
            for event in line.events:
                times[plane.event_metadata[event.metadata_id].name] += event.duration_ps
    return times


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
