"""What a training step costs on a CPU: with the term and SCAM, with fusion, and in PyTorch.

The R50 4x16 of the paper at 224, the same batch, steps of the contenders in turn. Then the first
step, most of which is tracing, and the peak of the memory with a larger batch, each in a process of
its own: as it is and rematerialised.

    python examples/benchmarks/training.py

Takes about 25 minutes on two cores; `--small` tries it out. PyTorch is left out if not installed.
"""

import argparse
import functools
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_acl import ClipSpec, recipes
from keras_acl.models import SlowFastClassifier, TwoStreamClassifier
from keras_acl.system.memory import peak_memory

import keras
import measuring
import numpy as np

NONE, FUSION = "no consistency", "lateral fusion"
VARIANTS = {
    NONE: {"consistency_weight": None},
    "AC": {"scales": (1.0,)},
    "AC + SCAM": {},
    FUSION: {"fusion": "conv"},
}
CLASSES = 400


def main() -> None:
    options = read_options()
    if options.one is not None:
        measure_alone(options)
        return
    rows = compare(options)
    measuring.show(rows, "step")
    memory = [
        alone(options, "AC + SCAM", batch_size, rematerialize)
        for batch_size in (1, options.large_batch)
        for rematerialize in (False, True)
    ]
    measuring.show(memory, "memory")
    about = {"network": "small" if options.small else "R50", "memory": memory}
    measuring.save("training", rows, options.output, **about)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--large-batch", type=int, default=8, help="batch of the memory")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processes", type=int, default=3, help="of each kind, for memory")
    parser.add_argument("--small", action="store_true", help="a tiny network, to try the script")
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    parser.add_argument("--one", help=argparse.SUPPRESS)  # a child process
    parser.add_argument("--rematerialize", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def compare(options) -> list[dict]:
    """Rows of the steps of all contenders, in turn."""
    clips, labels = batch(options, options.batch_size)
    models = {name: network(name, options) for name in VARIANTS}
    steps = {
        f"Keras, {name}": functools.partial(model.train_on_batch, clips, labels)
        for name, model in models.items()
    }
    peers = {}
    if importlib.util.find_spec("torch"):
        for name in (NONE, FUSION):
            peers[f"Keras, {name}"] = f"PyTorch, {name}"
            steps[f"PyTorch, {name}"] = torch_step(models[name], clips, labels)
    else:
        print("PyTorch is left out: torch is not installed")
    timed = {name: measuring.timed(step) for name, step in steps.items()}
    times = measuring.in_turn(timed, options.repeats)
    base = f"Keras, {NONE}"
    return [
        {
            "step": name,
            "s a clip": statistics.median(seconds) / options.batch_size,
            f"of {NONE}": 1 / measuring.ratio(times, name, base),
            "times its PyTorch": measuring.ratio(times, name, peers[name]) if name in peers else "",
        }
        for name, seconds in times.items()
    ]


def batch(options, count: int):
    clip = measuring.SMALL["clip"] if options.small else ClipSpec()
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, (count, clip.frames, clip.size, clip.size, 3), dtype=np.uint8)
    return clips, rng.integers(0, CLASSES, count)


def network(name: str, options, rematerialize: bool = False) -> keras.Model:
    """A variant, compiled by the package's recipe with a tiny learning rate."""
    keras.utils.set_random_seed(0)
    build = SlowFastClassifier if "fusion" in VARIANTS[name] else TwoStreamClassifier
    model = build(CLASSES, **VARIANTS[name], **(measuring.SMALL if options.small else {}))
    recipes.finetune(epochs=1, learning_rate=1e-6).compile(model, rematerialize=rematerialize)
    return model


def torch_step(model, clips, labels):
    import torch
    from torch_peer import peer_of, sgd, train_step

    peer = peer_of(model).to(memory_format=torch.channels_last_3d).train()
    optimizer = sgd(peer, 1e-6)
    clips, labels = torch.from_numpy(clips), torch.from_numpy(labels)
    return lambda: float(train_step(peer, optimizer, clips, labels))


def alone(options, name: str, batch_size: int, rematerialize: bool) -> dict:
    """Medians of what a few processes measure of a variant."""
    row = {"variant": name, "batch": batch_size, "rematerialised": "yes" if rematerialize else "no"}
    command = [sys.executable, __file__, "--one", name, "--batch-size", str(batch_size)]
    command += ["--repeats", str(options.repeats), *(["--small"] if options.small else [])]
    command += ["--rematerialize"] if rematerialize else []
    found = []
    for _ in range(options.processes):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return {**row, "peak MiB": f"failed: {done.returncode}"}  # -9: killed for its memory
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return row | {key: statistics.median(one[key] for one in found) for key in found[0]}


def measure_alone(options) -> None:
    clips, labels = batch(options, options.batch_size)
    model = network(options.one, options, options.rematerialize)
    step = measuring.timed(lambda: model.train_on_batch(clips, labels))
    first, _, *later = (step() for _ in range(2 + options.repeats))  # the second touches new memory
    found = {
        "first step s": first,
        "later steps s": statistics.median(later),
        "peak MiB": round(peak_memory()),
    }
    print(f"\n{json.dumps(found)}")


if __name__ == "__main__":
    main()
