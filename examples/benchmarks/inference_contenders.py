"""The contenders of `inference.py`: written to files once, loaded from them to be called.

Also a process for each, which imports nothing of the others and prints the peak of its memory and
the seconds until the first logits:

    python inference_contenders.py NAME FOLDER
"""

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path

from keras_acl.system.memory import peak_memory

import numpy as np

BASE, OPTIMIZED, CONSTANT = "Keras", "Keras, optimised", "the same, constant weights"
PEER, OPENVINO = "PyTorch", "OpenVINO"
ONNX, ONNX_3D = "ONNX Runtime", "ONNX Runtime, 3D convolutions"
LITERT, LITERT_3D = "LiteRT", "LiteRT, 3D convolutions"
INT8 = "OpenVINO, int8"
FILES = {
    OPENVINO: "model.xml",
    INT8: "model_int8.xml",
    ONNX: "model.onnx",
    ONNX_3D: "model_3d.onnx",
    LITERT: "model.tflite",
    LITERT_3D: "model_3d.tflite",
}
NEEDS = {
    BASE: (),
    OPTIMIZED: (),
    CONSTANT: (),
    PEER: ("torch",),
    OPENVINO: ("openvino",),
    INT8: ("openvino", "nncf"),
    ONNX: ("tf2onnx", "onnxruntime"),
    ONNX_3D: ("tf2onnx", "onnxruntime"),
    LITERT: ("ai_edge_litert",),
    LITERT_3D: ("ai_edge_litert",),
}

Call = Callable[[], np.ndarray]


def main() -> None:
    _, name, folder = sys.argv
    started = time.perf_counter()
    load(name, Path(folder))
    print(f"\n{peak_memory():.0f} {time.perf_counter() - started:.3f}")


def contenders() -> list[str]:
    """Those that are installed."""
    names = []
    for name, modules in NEEDS.items():
        if missing := [one for one in modules if importlib.util.find_spec(one) is None]:
            print(f"{name} is left out: {', '.join(missing)} is not installed")
        else:
            names.append(name)
    return names


def write(model, names: list[str], folder: Path, clips: int) -> None:
    """Write what `load` needs: the networks and a batch of noise."""
    import keras_acl

    shape = (clips, model.clip.frames, model.clip.size, model.clip.size, 3)
    batch = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.save(folder / "clips.npy", batch)
    model.save(folder / "plain.keras")
    keras_acl.optimize(model, "float32").save(folder / "optimized.keras")
    if PEER in names:
        import torch
        from torch_peer import peer_of

        peer = peer_of(model).eval()
        torch.save(peer, folder / "peer.pt")
    for name in set(names) & set(FILES):
        if name == INT8:
            quantize(model, folder)
        else:
            form = "2d" if name in (ONNX, LITERT) else "native"
            keras_acl.export(model, folder / FILES[name], form=form)


def quantize(model, folder: Path) -> None:
    """Write the network in int8; its ranges are those of a few drawn videos."""
    import keras_acl

    figures = keras_acl.data.MovingFigures(frames=max(model.clip.span, 16))
    figures.write(folder / "videos", 1)
    videos = sorted((folder / "videos").rglob("*.mp4"))[:4]
    # Noise has no class that such a network could be sure of, so nothing is said of agreement.
    keras_acl.quantize(model, videos, folder / FILES[INT8], clips=4, accept=True)


def load(name: str, folder: Path) -> Call:
    """A function that computes the logits of the batch, after its first call."""
    batch = np.load(folder / "clips.npy")
    if name in (BASE, OPTIMIZED, CONSTANT):
        file = folder / ("plain.keras" if name == BASE else "optimized.keras")
        call = keras_call(file, batch, constant_weights=name == CONSTANT)
    else:
        call = torch_call(folder, batch) if name == PEER else exported(folder / FILES[name], batch)
    call()
    return call


def keras_call(file: Path, batch, constant_weights: bool) -> Call:
    import keras_acl

    model = keras_acl.load_model(file)
    if constant_weights:  # which is not saved
        model = keras_acl.optimize(model, None, constant_weights=True)
    return lambda: np.asarray(model.predict_on_batch(batch))


def torch_call(folder: Path, batch) -> Call:
    import torch

    # Pickled by `write` a moment ago.
    peer = torch.load(folder / "peer.pt", weights_only=False)
    peer = peer.to(memory_format=torch.channels_last_3d)
    clips = torch.from_numpy(batch)

    def call():
        with torch.inference_mode():
            return peer(clips).numpy()

    return call


def exported(file: Path, batch) -> Call:
    """A file through `load_model`: one clip by all cores, many as requests at a time."""
    import keras_acl

    model = keras_acl.load_model(file)
    if len(batch) == 1 or model.engine != "OpenVINO":
        return lambda: model.predict(batch, len(batch))
    clips = [clip[None] for clip in batch]
    return lambda: np.concatenate([found["logits"] for found in model.run_many(clips)])


if __name__ == "__main__":
    main()
