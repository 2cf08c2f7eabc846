"""What the benchmarks share: runs in turn, the machine, results on disk."""

import datetime
import importlib.metadata
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from keras_acl.clip import ClipSpec
from keras_acl.system.atomic_write import written_whole

import rich.console
import rich.table

SMALL = {"depth": 11, "width": 16, "channel_ratio": 2, "clip": ClipSpec(frames=8, size=64)}
RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    *("keras", "tensorflow", "jax", "torch", "onnxruntime", "openvino"),
    *("onnxscript", "pytorchvideo", "numpy", "av", "decord", "grain", "keras-acl"),
)


def alternate(
    contenders: Mapping[str, Callable[[], object]], repeats: int = 5
) -> dict[str, list[float]]:
    """Seconds a call of each contender, in turn, so that a busy machine is busy for all.

    Args:
        contenders: Name -> what to time; it returns when the work is done, not when it is queued.
        repeats: Calls of each that count, after one that does not.
    """
    for call in contenders.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for name in turns(contenders, repeats):
        started = time.perf_counter()
        contenders[name]()
        times[name].append(time.perf_counter() - started)
    return times


def turns(names: Iterable[str], repeats: int) -> Iterator[str]:
    """Names in turn; the order of each turn is drawn, as what ran before leaves its trace."""
    names, order = list(names), random.Random(0)
    for _ in range(repeats):
        yield from order.sample(names, len(names))


def ratio(times: Mapping[str, Sequence[float]], name: str, peer: str) -> float:
    """How many times faster `name` is than `peer`: the median of the turns' ratios."""
    return statistics.median(b / a for a, b in zip(times[name], times[peer], strict=True))


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
        "load": busy(),
        "memory_gib": round(_memory() / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
    }


def busy() -> float | None:
    """Processes that ran at once in the last minute, this one's included, where known."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def save(name: str, rows: Sequence[Mapping[str, object]], folder: Path = RESULTS, **about) -> Path:
    """Print rows as a table and write them to `folder`/`name`.json with machine, date and command.

    Args:
        name: Of the file.
        rows: Cells by column; floats are shown with three digits.
        folder: Where the file goes.
        **about: What else belongs in the file.
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
    """Print rows as a table."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    table = rich.table.Table(*columns, title=title)
    for row in rows:
        table.add_row(*(_text(row.get(column, "")) for column in columns))
    rich.console.Console(width=None if sys.stdout.isatty() else 140).print(table)


def _without_places(arguments: Sequence[str]) -> list[str]:
    """Where files lie on this machine is nobody's business."""
    kept = list(arguments)
    if "--output" in kept:
        place = kept.index("--output")
        del kept[place : place + 2]
    if "--videos" in kept:
        kept[kept.index("--videos") + 1] = "FOLDER"
    return kept


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    features = {word for line in lines if line.startswith("flags") for word in line.split()}
    vectors = next((name for name in ("avx512f", "avx2") if name in features), "no avx2")
    return f"{names[0]}, {vectors}" if names else platform.machine()


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has none
        return 0
