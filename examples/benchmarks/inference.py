"""How long a clip takes on a CPU: in Keras, in PyTorch, and exported, by every engine.

The R50 4x16 of the paper in float32 with the same weights everywhere; that all give the same logits
is checked before anything is timed. The contenders run in turn in one process, and once each in a
process of their own for the peak of its memory and the time until the first logits. Peers that are
not installed are left out. OpenVINO computes several clips as requests at a time; int8 is timed
only, how exact it is says `quantization.py`. The floor is a product of matrices with as many
multiply-adds.

    pip install "keras-acl[deploy,torch]"
    python examples/benchmarks/inference.py

Takes about 10 minutes on two cores; `--small` tries it out. LiteRT's 3D convolutions alone may take
longer than that: `--without "LiteRT, 3D convolutions"`. TF_ENABLE_ONEDNN_OPTS=0 before the command
measures TensorFlow without oneDNN.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_acl.models import TwoStreamClassifier
from keras_acl.speed.cost import count_multiply_adds
from keras_acl.speed.throughput import matrix_products

import keras
import measuring
import numpy as np
from inference_contenders import BASE, INT8, PEER, contenders, load, write

FLOOR = "the floor"
TOLERANCE = 1e-4  # of the largest logit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, nargs="+", default=[1, 8], help="clips per batch")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--without", nargs="+", default=[], help="contenders that are left out")
    parser.add_argument("--small", action="store_true", help="a tiny network, to try the script")
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    options = parser.parse_args()
    model, rows = network(options.small), []
    for clips in options.clips:
        rows += measure(model, clips, options.repeats, options.without)
    network_name = "small" if options.small else "R50"
    measuring.save("inference", rows, options.output, network=network_name)


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


def measure(model, clips: int, repeats: int, without: Sequence[str] = ()) -> list[dict]:
    """Check and time the contenders on one batch."""
    names = [name for name in contenders() if name not in without]
    with tempfile.TemporaryDirectory() as folder:
        write(model, names, Path(folder), clips)
        alone = {name: alone_in_a_process(name, folder) for name in names}
        calls = {name: load(name, Path(folder)) for name in names}
        check(calls)
        calls[FLOOR] = matrix_products(count_multiply_adds(model, model.clip.size), clips)
        timed = {name: measuring.timed(call) for name, call in calls.items()}
        times = measuring.in_turn(timed, repeats)
    peer = PEER if PEER in times else BASE
    return [
        {
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


def check(calls) -> None:
    """Compare the logits of all contenders.

    Raises:
        SystemExit: If a contender's logits are others.
    """
    expected = calls[BASE]()
    for name, call in calls.items():
        error = np.abs(call() - expected).max() / np.abs(expected).max()
        print(f"{name}: differs by {error:.1e} of the largest logit")
        if name != INT8 and not error < TOLERANCE:
            raise SystemExit(f"{name} does not compute what {BASE} computes")


def alone_in_a_process(name: str, folder: str) -> tuple[int, float]:
    """Peak memory (MiB) of a process that loads and calls a contender, and its seconds."""
    script = Path(__file__).with_name("inference_contenders.py")
    command = [sys.executable, str(script), name, folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, first = done.stdout.split()[-2:]
    return int(peak), float(first)


if __name__ == "__main__":
    main()
