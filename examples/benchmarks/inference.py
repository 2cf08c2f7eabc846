"""How long a clip takes on a CPU: as trained, optimised, and in PyTorch, ONNX Runtime, OpenVINO.

The R50 4x16 of the paper with the same weights everywhere; that all give the same logits is checked
before anything is timed. The contenders run in turn in one process, and once each in a process of
their own for the peak of its memory. Peers that are not installed are left out.

    pip install torch onnx onnxscript onnxruntime openvino
    python examples/benchmarks/inference.py

Takes about 10 minutes on two cores; `--small` tries it out. `floor` is what the machine would need
for the multiply-adds alone, at the best rate at which it multiplies matrices.
"""

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import measuring
import numpy as np

from keras_acl import ClipSpec, optimize
from keras_acl.devices import fast_bfloat16, peak_memory
from keras_acl.models import TwoStreamClassifier
from keras_acl.profiling import count_multiply_adds

BASE, PEER = "Keras", "PyTorch"
SMALL = {"depth": 11, "width": 16, "channel_ratio": 2, "clip": ClipSpec(frames=8, size=64)}
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}  # of the largest logit

Call = Callable[[], np.ndarray]


def main() -> None:
    options = read_options()
    if options.memory_of:
        build(options.memory_of, options.precision, network(options), options.clips[0])()
        print(f"\n{peak_memory():.0f}")
        return
    model = network(options)
    rows, limits = [], {}
    for precision in options.precisions:
        limits[precision] = rate = measuring.matrix_rate(precision)
        floor = count_multiply_adds(model, model.clip.size) / rate
        for clips in options.clips:
            rows += measure(model, precision, clips, floor, options)
            measuring.show(rows)
    about = {"network": "small" if options.small else "R50", "matrix_multiply_adds_a_s": limits}
    measuring.save("inference", rows, options.output, **about)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, nargs="+", default=[1, 8], help="clips in a batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--precisions", nargs="+", default=["float32"], choices=TOLERANCE)
    parser.add_argument("--small", action="store_true", help="a tiny network, to try the script")
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)  # a child process
    parser.add_argument("--precision", default="float32", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if "bfloat16" in options.precisions and not fast_bfloat16():
        print("This processor has no bfloat16 arithmetic: expect it to be slower than float32.")
    return options


def network(options) -> TwoStreamClassifier:
    """The network with values in its normalisation that make every block count."""
    keras.utils.set_random_seed(0)
    model = TwoStreamClassifier(400, consistency_weight=None, **(SMALL if options.small else {}))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1, weight.shape))
        elif weight.name in ("beta", "moving_mean"):
            weight.assign(rng.normal(0, 0.1, weight.shape))
    return model


def measure(model, precision: str, clips: int, floor: float, options) -> list[dict]:
    """Check and time all contenders on one batch."""
    calls = {name: build(name, precision, model, clips) for name in contenders(precision)}
    check(calls, precision)
    times = measuring.alternate(calls, options.repeats)
    peer = PEER if PEER in times else BASE
    return [
        {
            "precision": precision,
            "clips": clips,
            "contender": name,
            "s a clip": statistics.median(seconds) / clips,
            f"times {peer}": measuring.ratio(times, name, peer),
            f"times {BASE}": measuring.ratio(times, name, BASE),
            "of the floor": statistics.median(seconds) / clips / floor,
            "peak MiB": memory(name, precision, clips, options),
        }
        for name, seconds in times.items()
    ]


def contenders(precision: str) -> list[str]:
    """Those that are installed."""
    names = [BASE, "Keras, optimised"]
    needs = {PEER: ("torch",), "ONNX Runtime": ("torch", "onnxscript", "onnxruntime")}
    needs["OpenVINO"] = ("torch", "onnxscript", "openvino")
    if precision == "bfloat16":
        del needs["ONNX Runtime"]  # it has no bfloat16 convolution on a CPU
    for name, modules in needs.items():
        if missing := [one for one in modules if importlib.util.find_spec(one) is None]:
            print(f"{name} is left out: {', '.join(missing)} is not installed")
        else:
            names.append(name)
    return names


def build(name: str, precision: str, model, clips: int) -> Call:
    """A function that computes the logits of the same clips."""
    size, frames = model.clip.size, model.clip.frames
    rng = np.random.default_rng(0)
    batch = rng.integers(0, 256, (clips, frames, size, size, 3), dtype=np.uint8)
    if name == BASE:
        return keras_call(in_precision(model, precision), batch)
    if name == "Keras, optimised":
        return keras_call(optimize(model, precision), batch)
    from torch_peer import peer_of

    peer = peer_of(model).eval()
    if name == PEER:
        return torch_call(peer, precision, batch)
    with tempfile.TemporaryDirectory() as folder:
        file = write_onnx(peer, batch, Path(folder))
        if name == "OpenVINO":
            return openvino_call(file, precision, batch)
        return onnxruntime_call(file, batch)


def in_precision(model, precision: str):
    """The model as one would train it."""
    if precision == "float32":
        return model
    copy = type(model).from_config({**model.get_config(), "dtype": f"mixed_{precision}"})
    copy.set_weights(model.get_weights())
    return copy


def keras_call(model, batch) -> Call:
    return lambda: np.asarray(model.predict_on_batch(batch))


def torch_call(peer, precision: str, batch) -> Call:
    import torch

    peer = peer.to(memory_format=torch.channels_last_3d)
    clips = torch.from_numpy(batch)

    def call():
        with torch.inference_mode(), torch.autocast("cpu", enabled=precision == "bfloat16"):
            return peer(clips).float().numpy()

    return call


def write_onnx(peer, batch, folder: Path) -> Path:
    import torch

    file = folder / "peer.onnx"
    with torch.inference_mode():
        torch.onnx.export(peer, (torch.from_numpy(batch),), file, dynamo=True, verbose=False)
    return file


def onnxruntime_call(file: Path, batch) -> Call:
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: batch}
    return lambda: session.run(None, feed)[0]


def openvino_call(file: Path, precision: str, batch) -> Call:
    import openvino

    hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
    network = openvino.Core().compile_model(
        openvino.convert_model(file), "CPU", {"INFERENCE_PRECISION_HINT": hint}
    )
    return lambda: network(batch)[0]


def check(calls: dict[str, Call], precision: str) -> None:
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


def memory(name: str, precision: str, clips: int, options) -> int:
    """Peak resident memory (MiB) of a process that builds one contender and calls it once."""
    command = [sys.executable, __file__, "--memory-of", name, "--precision", precision]
    command += ["--clips", str(clips), *(["--small"] if options.small else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
