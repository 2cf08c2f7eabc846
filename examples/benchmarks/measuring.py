"""What the benchmarks share: contenders in turn, the machine, results as JSON."""

import datetime
import importlib.metadata
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from keras_acl.clip import ClipSpec
from keras_acl.system.atomic_write import written_whole

import rich.console
import rich.table

SMALL = {"depth": 11, "width": 16, "channel_ratio": 2, "clip": ClipSpec(frames=8, size=64)}
Name = TypeVar("Name", bound=Hashable)
RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    *("keras", "tensorflow", "jax", "torch", "onnxruntime", "openvino", "onnxscript", "ray"),
    *("numpy", "av", "decord", "grain", "keras-acl", "nncf", "ai-edge-litert", "ai-edge-quantizer"),
)


def in_turn(calls: Mapping[Name, Callable[[], float]], repeats: int = 5) -> dict[Name, list[float]]:
    """Seconds that each call returns, by name, so that a busy machine is busy for all.

    Args:
        calls: What to measure, by name.
        repeats: Calls of each that count, after one that does not.
    """
    for call in calls.values():
        call()
    times: dict[Name, list[float]] = {name: [] for name in calls}
    for name in turns(calls, repeats):
        times[name].append(calls[name]())
    return times


def turns(names: Iterable[Name], repeats: int) -> Iterator[Name]:
    """Names in turn; the order of each turn is drawn, as what ran before leaves its trace."""
    names, order = list(names), random.Random(0)
    for _ in range(repeats):
        yield from order.sample(names, len(names))


def timed(call: Callable[[], object]) -> Callable[[], float]:
    """A function that returns the seconds of a call, which ends when the work is done."""

    def seconds() -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    return seconds


def ratio(times: Mapping[Name, Sequence[float]], name: Name, peer: Name) -> float:
    """How many times faster `name` is than `peer`: the median of the turns' ratios."""
    return statistics.median(b / a for a, b in zip(times[name], times[peer], strict=True))


def save(name: str, rows: Sequence[Mapping[str, object]], folder: Path = RESULTS, **about) -> Path:
    """Print rows as a table and write them with machine, date and command.

    Args:
        name: Name of the file without its suffix.
        rows: Cells by column.
        folder: Folder of the file.
        **about: Further entries of the file.
    """
    show(rows, title=name)
    file = folder / f"{name}.json"
    script = f"examples/benchmarks/{Path(sys.argv[0]).name}"
    record = {
        "command": " ".join(["python", script, *_without_places(sys.argv[1:])]),
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        **about,
        "rows": list(rows),
    }
    with written_whole(file) as beside:
        beside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"Written: {file}")
    return file


def show(rows: Sequence[Mapping[str, object]], title: str = "") -> None:
    """Print rows as a table, floats with three digits."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    table = rich.table.Table(*columns, title=title)
    for row in rows:
        cells = (row.get(column, "") for column in columns)
        table.add_row(*(f"{c:.3g}" if isinstance(c, float) else str(c) for c in cells))
    rich.console.Console(width=None if sys.stdout.isatty() else 140).print(table)


def machine() -> dict[str, object]:
    """What the figures depend on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    features = {word for line in lines if line.startswith("flags") for word in line.split()}
    vectors = next((name for name in ("avx512f", "avx2") if name in features), "no avx2")
    return f"{names[0]}, {vectors}" if names else platform.machine()


def _without_places(arguments: Sequence[str]) -> list[str]:
    # Where files lie on this machine is nobody's business.
    kept = list(arguments)
    if "--output" in kept:
        place = kept.index("--output")
        del kept[place : place + 2]
    for option, shown in (("--videos", "FOLDER"), ("--test", "TEST"), ("--model", "MODEL")):
        if option in kept:
            kept[kept.index(option) + 1] = shown
    return kept
