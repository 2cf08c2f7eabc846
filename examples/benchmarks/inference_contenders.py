"""The contenders of `inference.py`: written to files once, loaded from them to be called.

Also a process of its own for each, for the peak of its memory and the seconds until the first
logits, that imports nothing of the others:

    python inference_contenders.py NAME FOLDER PRECISION CLIPS [CALLS]

With CALLS it goes on to the median of the seconds of so many more.
"""

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from keras_acl.system.memory import peak_memory

import numpy as np

BASE, OPTIMIZED = "Keras", "Keras, optimised"
CONSTANT, UNPAIRED = "the same, constant weights", "the same, frame by frame"
PEER, ONNX, OPENVINO = "PyTorch", "ONNX Runtime", "OpenVINO"
KERAS = (BASE, OPTIMIZED, CONSTANT, UNPAIRED)
NEEDS = {
    PEER: ("torch",),
    ONNX: ("torch", "onnxscript", "onnxruntime"),
    OPENVINO: ("torch", "onnxscript", "openvino"),
}

Call = Callable[[], np.ndarray]


def main() -> None:
    name, folder, precision, clips, *calls = sys.argv[1:]
    started = time.perf_counter()
    call = load(name, Path(folder), precision, int(clips))
    print(f"\n{peak_memory():.0f} {time.perf_counter() - started:.3f}")
    if calls:
        print(statistics.median(seconds_of(call) for _ in range(int(calls[0]))))


def seconds_of(call: Call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def contenders(precision: str) -> list[str]:
    """Those that are installed and differ here."""
    from keras_acl.system.devices import wide_vectors

    names = [name for name in KERAS if name != UNPAIRED or wide_vectors()]
    for name, modules in NEEDS.items():
        if name == ONNX and precision == "bfloat16":
            continue  # it has no bfloat16 convolution on a CPU
        if missing := [one for one in modules if importlib.util.find_spec(one) is None]:
            print(f"{name} is left out: {', '.join(missing)} is not installed")
        else:
            names.append(name)
    return names


def write(model, names: list[str], folder: Path, precision: str, clips: int) -> None:
    """Write what `load` needs: the networks and a batch of noise."""
    from keras_acl import optimize

    shape = (clips, model.clip.frames, model.clip.size, model.clip.size, 3)
    batch = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.save(folder / "clips.npy", batch)
    in_precision(model, precision).save(folder / "plain.keras")
    optimize(model, precision).save(folder / "optimized.keras")
    if PEER not in names:
        return
    import torch
    from torch_peer import peer_of

    peer = peer_of(model).eval()
    torch.save(peer, folder / "peer.pt")
    if {ONNX, OPENVINO} & set(names):
        with torch.inference_mode():
            file = folder / "peer.onnx"
            torch.onnx.export(peer, (torch.from_numpy(batch),), file, dynamo=True, verbose=False)


def in_precision(model, precision: str):
    """The model as one would train it."""
    if precision == "float32":
        return model
    copy = type(model).from_config({**model.get_config(), "dtype": f"mixed_{precision}"})
    copy.set_weights(model.get_weights())
    return copy


def load(name: str, folder: Path, precision: str, clips: int) -> Call:
    """A function that computes the logits of the batch, the first call being done."""
    batch = np.load(folder / "clips.npy")
    assert len(batch) == clips
    if name in KERAS:
        file = folder / ("plain.keras" if name == BASE else "optimized.keras")
        call = keras_call(file, batch, constant_weights=name == CONSTANT)
    else:
        call = {PEER: torch_call, ONNX: onnx_call, OPENVINO: openvino_call}[name](
            folder, precision, batch
        )
    if name == UNPAIRED:
        with mock.patch("keras_acl.layers.convolution.wide_vectors", return_value=False):
            call()
    call()
    return call


def keras_call(file: Path, batch, constant_weights: bool) -> Call:
    import keras_acl

    model = keras_acl.load_model(file)
    if constant_weights:  # which is not saved
        model = keras_acl.optimize(model, None, constant_weights=True)
    return lambda: np.asarray(model.predict_on_batch(batch))


def torch_call(folder: Path, precision: str, batch) -> Call:
    import torch

    # Pickled by `write` a moment ago.
    peer = torch.load(folder / "peer.pt", weights_only=False)
    peer = peer.to(memory_format=torch.channels_last_3d)
    clips = torch.from_numpy(batch)

    def call():
        with torch.inference_mode(), torch.autocast("cpu", enabled=precision == "bfloat16"):
            return peer(clips).float().numpy()

    return call


def onnx_call(folder: Path, precision: str, batch) -> Call:
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "peer.onnx", providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: batch}
    return lambda: session.run(None, feed)[0]


def openvino_call(folder: Path, precision: str, batch) -> Call:
    import openvino

    hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
    network = openvino.Core().compile_model(
        openvino.convert_model(folder / "peer.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": hint}
    )
    return lambda: network(batch)[0]


if __name__ == "__main__":
    main()
