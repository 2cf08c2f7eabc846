"""Speed on one GPU: Keras on JAX or TensorFlow against PyTorch, from a bare machine.

Checks the outputs against the CPU's, then measures inference and training clips a second in fp32,
tf32 and bf16, batch by batch until the memory is full, both forms of the convolutions, `fit`,
what the consistency costs, MFU, compile time and peak memory of R50 4x16 on 224 clips. Keras and
PyTorch (channels last, autocast, cuDNN's benchmark, with and without `torch.compile`) are child
processes that take turns; figures are medians of the turns, ratios medians of the turns' ratios.
Results are written after each case, and cases that are in the file are not run again. Needs JAX
or TensorFlow, Keras, NumPy, and torch for the peer; `--quick` takes less than 9 minutes, everything
1 to 2 hours.

    PYTHONPATH=. python examples/benchmarks/gpu.py --quick
    PYTHONPATH=. python examples/benchmarks/gpu.py --profile traces
    PYTHONPATH=. python examples/benchmarks/gpu.py --cpu   # a tiny network, to try the script
"""

import argparse
import datetime
import importlib.util
import json
import math
import os
import sys
import tempfile
import time
from pathlib import Path

from keras_acl.system.atomic_write import written_whole

import measuring
from gpu_cases import PRECISIONS, Choices, plan
from gpu_process import NO_ANSWER
from gpu_runner import TOLERANCE, Limits, Runner

QUICK_SECONDS = 480
GRACE_SECONDS = 40  # that a case which has begun may take beyond the end


def main() -> None:
    options = parse()
    choices = Choices(
        backend=options.backend,
        batch=options.batch,
        quick=options.quick,
        torch=not options.without_torch,
        compiled=options.compile,
        pytorchvideo=not options.cpu and importlib.util.find_spec("pytorchvideo") is not None,
        cpu=options.cpu,
        profile=options.profile,
    )
    rows = read_rows(options.output)
    ends = time.monotonic() + options.seconds
    limits = Limits(
        repeats=options.repeats,
        block_seconds=0.05 if options.cpu else 1.5,
        answer_seconds=options.limit,
        ends=ends + GRACE_SECONDS,
    )
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(limits, Path(folder) / "reference.npz", options.peak)
        for case in plan(choices, rows):
            chosen = not options.only or any(part in case.name for part in options.only)
            if not chosen or any(row["case"] == case.name for row in rows):
                continue
            if time.monotonic() > ends:
                print("The time is up. The same command goes on from here.")
                break
            print(case.name, flush=True)
            rows += runner.run(case)
            write(options.output, rows)
            for row in rows:
                if row["case"] == case.name:
                    print(f"    {describe(row)}", flush=True)
    measuring.show([readable(row) for row in rows], title=str(options.output.name))
    if wrong := [row["contender"] for row in rows if row.get("correct") is False]:
        sys.exit(f"Outputs differ from the CPU's by more than {TOLERANCE}: {', '.join(wrong)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed on one GPU against PyTorch.")
    backend = os.environ.get("KERAS_BACKEND", "jax")
    parser.add_argument("--backend", choices=["jax", "tensorflow"], default=backend)
    parser.add_argument("--quick", action="store_true", help="the most important cases")
    parser.add_argument("--cpu", action="store_true", help="a tiny network on the CPU")
    parser.add_argument("--batch", type=int, help="clips a step; 32 by default")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each contender")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="cases whose name holds one")
    parser.add_argument("--without-torch", action="store_true", help="no PyTorch peer")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, help="torch.compile")
    parser.add_argument("--peak", help="TFLOP/s of the chip in fp32,tf32,bf16")
    parser.add_argument("--profile", default="", metavar="FOLDER", help="trace training there")
    parser.add_argument("--limit", type=float, default=300, help="seconds a contender may take")
    parser.add_argument("--seconds", type=float, help="start no case after that")
    parser.add_argument("--output", type=Path, metavar="FILE", help="results/gpu_BACKEND.json")
    options = parser.parse_args()
    options.batch = options.batch or (2 if options.cpu else 32)
    if options.compile is None:
        options.compile = not options.cpu  # it compiles longer than the tiny network runs
    if options.seconds is None:
        options.seconds = QUICK_SECONDS if options.quick else float("inf")
    stem = f"gpu_{options.backend}{'_tried' if options.cpu else ''}"
    options.output = options.output or measuring.RESULTS / f"{stem}.json"
    options.peak = [float(value) for value in options.peak.split(",")] if options.peak else []
    if len(options.peak) not in (0, len(PRECISIONS)):
        parser.error("--peak takes three numbers, fp32,tf32,bf16: --peak 67,494,989")
    return options


def read_rows(file: Path) -> list[dict]:
    """Rows of an earlier run, less the cases that ran out of time; none if there is no file.

    Raises:
        SystemExit: If the file is not one of this script's.
    """
    if not file.exists():
        return []
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
        again = {row["case"] for row in rows if row.get("error", "").startswith(NO_ANSWER)}
        return [row for row in rows if row["case"] not in again]
    except (ValueError, KeyError, TypeError, AttributeError):
        sys.exit(f"{file} holds no results of this script. Move it away or give another --output.")


def write(file: Path, rows: list[dict]) -> None:
    record = {
        "command": " ".join(["python", "examples/benchmarks/gpu.py", *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(),
        "machine": measuring.machine(),
        "rows": rows,
    }
    with written_whole(file) as beside:
        beside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def readable(row: dict) -> dict:
    """A row for a table of 140 columns."""
    faster = [f"{value:.2f}× {peer}" for peer, value in row.get("times as fast as", {}).items()]
    shown = {"case": row["case"], "contender": row["contender"], "batch": row["batch"]}
    for key in ("clips/s", "MFU", "peak GiB", "first step s"):
        shown[key] = "" if row.get(key) is None else row[key]
    return shown | {"as fast as": ", ".join(faster), "note": note(row)}


def note(row: dict) -> str:
    """What went wrong, or how far outputs are from the CPU's."""
    if "error" in row:
        return row["error"]
    if not math.isfinite(row.get("loss", 0.0)):
        return f"the loss became {row['loss']}"
    return f"{row['difference']:.1e} from the CPU" if "difference" in row else ""


def describe(row: dict) -> str:
    """A row as a line, and the largest parts of a profile below it."""
    named = {key: value for key, value in readable(row).items() if value != ""}
    del named["case"], named["contender"]
    line = f"{row['contender']}: " + ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in named.items()
    )
    parts = [f"{100 * share:5.1f} % {name}" for name, share in row.get("largest", [])]
    return "\n        ".join([line, *parts])


if __name__ == "__main__":
    main()
