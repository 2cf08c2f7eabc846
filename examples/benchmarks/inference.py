"""How long a clip takes on a CPU: as trained, optimised, and in PyTorch, ONNX Runtime, OpenVINO.

The R50 4x16 of the paper with the same weights everywhere; that all give the same logits is checked
before anything is timed. The contenders run in turn in one process, and once each in a process of
their own for the peak of its memory and the time until the first logits. Peers that are not
installed are left out.

    pip install torch onnx onnxscript onnxruntime openvino
    python examples/benchmarks/inference.py
    python examples/benchmarks/inference.py --onednn     what TensorFlow's oneDNN brings

Takes about 10 minutes on two cores, with `--onednn` 5; `--small` tries it out. The floor is one of
the contenders: a product of matrices with as many multiply-adds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_acl.models import TwoStreamClassifier
from keras_acl.speed.cost import count_multiply_adds
from keras_acl.speed.throughput import matrix_products
from keras_acl.system.devices import fast_bfloat16

import keras
import measuring
import numpy as np
from inference_contenders import BASE, OPTIMIZED, PEER, contenders, load, write

FLOOR = "the floor"
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}  # of the largest logit


def main() -> None:
    options = read_options()
    model = network(options.small)
    about = {"network": "small" if options.small else "R50"}
    if options.onednn:
        rows = with_and_without_onednn(model, options.clips, options.repeats)
        measuring.save("inference_onednn", rows, options.output, **about)
        return
    rows = []
    for precision in options.precisions:
        for clips in options.clips:
            rows += measure(model, precision, clips, options.repeats)
            measuring.show(rows)
    measuring.save("inference", rows, options.output, **about)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, nargs="+", default=[1, 8], help="clips in a batch")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--precisions", nargs="+", default=["float32"], choices=TOLERANCE)
    parser.add_argument("--onednn", action="store_true", help="only with oneDNN and without")
    parser.add_argument("--small", action="store_true", help="a tiny network, to try the script")
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    options = parser.parse_args()
    if "bfloat16" in options.precisions and not fast_bfloat16():
        print("This processor has no bfloat16 arithmetic: expect it to be slower than float32.")
    return options


def network(small: bool) -> TwoStreamClassifier:
    """The network with values in its normalisation that make every block count."""
    keras.utils.set_random_seed(0)
    options = measuring.SMALL if small else {}
    model = TwoStreamClassifier(400, consistency_weight=None, **options)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1, weight.shape))
        elif weight.name in ("beta", "moving_mean"):
            weight.assign(rng.normal(0, 0.1, weight.shape))
    return model


def measure(model, precision: str, clips: int, repeats: int) -> list[dict]:
    """Check and time all contenders on one batch."""
    names = contenders(precision)
    work = count_multiply_adds(model, model.clip.size)
    with tempfile.TemporaryDirectory() as folder:
        write(model, names, Path(folder), precision, clips)
        alone = {name: process(name, folder, precision, clips) for name in names}
        calls = {name: load(name, Path(folder), precision, clips) for name in names}
        check(calls, precision)
        calls[FLOOR] = matrix_products(work, clips, precision)
        times = measuring.alternate(calls, repeats)
    peer = PEER if PEER in times else BASE
    return [
        {
            "precision": precision,
            "clips": clips,
            "contender": name,
            "s a clip": statistics.median(seconds) / clips,
            f"times {peer}": measuring.ratio(times, name, peer),
            f"times {BASE}": measuring.ratio(times, name, BASE),
            "of the floor": measuring.ratio(times, FLOOR, name),
            **dict(zip(("peak MiB", "first s"), alone.get(name, ()), strict=False)),
        }
        for name, seconds in times.items()
    ]


def with_and_without_onednn(model, batch_sizes: list[int], repeats: int) -> list[dict]:
    """Time the optimised network in processes that take turns: it is chosen at TensorFlow's start.

    Each process gives the median of three calls.
    """
    rows = []
    for clips in batch_sizes:
        with tempfile.TemporaryDirectory() as folder:
            write(model, [OPTIMIZED], Path(folder), "float32", clips)
            times = {value: [] for value in ("1", "0")}
            for value in measuring.turns(times, repeats):
                environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": value}
                times[value].append(process(OPTIMIZED, folder, "float32", clips, 3, environment)[2])
        rows += [
            {
                "clips": clips,
                "oneDNN": name,
                "s a clip": statistics.median(times[value]) / clips,
                "times without": measuring.ratio(times, value, "0"),
            }
            for name, value in (("with", "1"), ("without", "0"))
        ]
    return rows


def check(calls, precision: str) -> None:
    """End with an error unless all compute the same.

    Raises:
        SystemExit: If a contender's logits are others.
    """
    expected = calls[BASE]()
    for name, call in calls.items():
        error = np.abs(call() - expected).max() / np.abs(expected).max()
        print(f"{name}: differs by {error:.1e} of the largest logit")
        if not error < TOLERANCE[precision]:
            raise SystemExit(f"{name} does not compute what {BASE} computes")


def process(
    name: str, folder: str, precision: str, clips: int, calls: int = 1, environment=None
) -> list[float]:
    """Peak memory (MiB) of one that loads and calls a contender, seconds until then and later."""
    script = Path(__file__).with_name("inference_contenders.py")
    command = [sys.executable, str(script), name, folder, precision, str(clips), str(calls)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    peak, first, later = done.stdout.split()[-3:]
    return [int(peak), float(first), float(later)]


if __name__ == "__main__":
    main()
