"""Speed on one GPU: Keras on JAX or TensorFlow against PyTorch with and without `torch.compile`.

Training and inference of the R50 4x16 on 224 clips in bf16, tf32 and fp32; then, in bf16 and on
Keras alone, what the consistency term, rematerialisation, both forms of the convolutions and `fit`
cost. The contenders of a case are processes that take turns. The logits of all are compared with
those of Keras on the CPU. Results are written after each case, and cases that are in the file are
not run again. It has not run on a GPU yet; `--cpu` tries it with a tiny network on the CPU.

    python examples/benchmarks/gpu.py --backend jax --batch 8 32
    python examples/benchmarks/gpu.py --backend tensorflow --only bf16
"""

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import measuring
import numpy as np
from gpu_contenders import Child, Contender

TOLERANCE = 1e-3  # of fp32 logits, relative to the largest
VARIANTS = {
    "consistency": ("plain", "AC", "AC + SCAM", "AC + SCAM, rematerialised"),
    "convolutions": ("2D convolutions", "native convolutions"),
}


def main() -> None:
    options = read_options()
    name = f"gpu_{options.backend}{'_tried' if options.cpu else ''}"
    file, rows = options.output / f"{name}.json", []
    if file.exists():
        rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    expected: dict[str, np.ndarray] = {}
    for case, contenders in cases(options):
        done = any(row["case"] == case for row in rows)
        if done or not any(part in case for part in options.only):
            continue
        ours = contenders[-1]
        if ours.task == "infer" and ours.network not in expected:
            expected[ours.network] = reference(ours, options.limit)
        rows += measure(case, contenders, options, expected)
        measuring.save(name, rows, options.output)
    if wrong := [f"{r['contender']} ({r['case']})" for r in rows if r.get("correct") is False]:
        sys.exit(f"Logits differ from the CPU's by more than {TOLERANCE}: {', '.join(wrong)}")


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    backend = os.environ.get("KERAS_BACKEND", "jax")
    parser.add_argument("--backend", choices=["jax", "tensorflow"], default=backend)
    parser.add_argument("--batch", type=int, nargs="+", default=[16], help="clips per step")
    parser.add_argument("--peers", nargs="*", default=["torch", "torch.compile"])
    parser.add_argument("--only", nargs="+", metavar="TEXT", default=[""], help="part of a case")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each contender")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of a turn")
    parser.add_argument("--limit", type=float, default=300, help="seconds to wait for a contender")
    parser.add_argument("--cpu", action="store_true", help="a tiny network on the CPU")
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    return parser.parse_args()


def cases(options) -> Iterator[tuple[str, list[Contender]]]:
    """Names and contenders of the cases, the most important first; Keras is the last contender."""
    base = Contender(options.backend, cpu=options.cpu, tiny=options.cpu)
    for precision in ("bf16", "tf32", "fp32"):
        for batch in options.batch:
            for network in ("plain", "fusion"):
                for task in ("train", "infer"):
                    values = {"task": task, "precision": precision, "batch": batch}
                    one = dataclasses.replace(base, network=network, **values)
                    peers = [dataclasses.replace(one, framework=peer) for peer in options.peers]
                    yield f"{network}, {task}, {precision}, batch {batch}", [*peers, one]
    for batch in options.batch:
        one = dataclasses.replace(base, batch=batch)
        for name, networks in VARIANTS.items():
            variants = [dataclasses.replace(one, network=network) for network in networks]
            yield f"{name}, train, bf16, batch {batch}", variants
        both = [dataclasses.replace(one, task=task) for task in ("train", "fit")]
        yield f"fit, bf16, batch {batch}", both


def reference(contender: Contender, limit: float) -> np.ndarray:
    """Logits of Keras on the CPU in fp32."""
    changes = {"precision": "fp32", "batch": 2, "cpu": True}
    with contextlib.closing(Child(dataclasses.replace(contender, **changes))) as child:
        return child.answer(limit)["logits"]


def measure(case: str, contenders: Sequence[Contender], options, expected) -> list[dict]:
    """Rows of a case, one for each contender; one that fails has an "error"."""
    rows, children = {}, {}
    with contextlib.ExitStack() as stack:
        for contender in contenders:
            name = contender.name
            rows[name] = {"case": case, "contender": name, "batch": contender.batch}
            child = stack.enter_context(contextlib.closing(Child(contender)))
            try:
                rows[name] |= child.answer(options.limit)
                children[name] = child
            except (RuntimeError, OSError) as error:
                rows[name]["error"] = str(error)
        times = take_turns(rows, children, options)
    for contender in contenders:
        conclude(rows[contender.name], contender, times, expected)
    return list(rows.values())


def take_turns(rows: dict, children: dict[str, Child], options) -> dict[str, list[float]]:
    """Seconds per clip of each contender by turn; the first turn finds out how many steps."""
    steps = dict.fromkeys(children, 2)
    times: dict[str, list[float]] = {name: [] for name in children}
    for number, name in enumerate(measuring.turns(children, options.repeats + 1)):
        if name not in times:
            continue
        try:
            answer = children[name].run(steps[name], options.limit)
        except (RuntimeError, OSError) as error:
            rows[name]["error"] = str(error)
            del times[name]
            continue
        seconds = answer.pop("seconds") / steps[name]
        rows[name] |= answer
        if number < len(children):
            steps[name] = max(1, min(1000, round(options.seconds / seconds)))
        else:
            times[name].append(seconds / rows[name]["batch"])
    return times


def conclude(row: dict, contender: Contender, times: dict[str, list[float]], expected) -> None:
    """Add to a row what its times and its logits say."""
    counted = row.pop("multiply-adds", 0)
    if (logits := row.pop("logits", None)) is not None:
        right = expected[contender.network]
        row["difference"] = float(abs(logits - right).max() / abs(right).max())
        if contender.precision == "fp32":
            row["correct"] = row["difference"] <= TOLERANCE
    if contender.name in times:
        a_clip = statistics.median(times[contender.name])
        passes = 1 if contender.task == "infer" else 3  # a backward pass is two forward ones
        first = next(iter(times))
        row["clips/s"] = 1 / a_clip
        row["TFLOP/s"] = 2 * passes * counted / a_clip / 1e12
        row[f"times {first}"] = measuring.ratio(times, contender.name, first)


if __name__ == "__main__":
    main()
