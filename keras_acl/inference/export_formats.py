"""The formats that a network is exported to, each written by its own library."""

import dataclasses
import importlib
import importlib.util
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from keras_acl.engines.metadata import KEY
from keras_acl.inference.export_metadata import write_metadata
from keras_acl.system.devices import backend_name
from keras_acl.system.without_telemetry import import_without_telemetry

Signature = list[keras.InputSpec]


@dataclasses.dataclass(frozen=True)
class Format:
    """A format, and what it takes to write it and to run it.

    Args:
        name: What people call it.
        write: Writes a network with a signature to a path; gets the metadata, too.
        packages: Modules that write and run it.
        backend: Keras' backend that has the exporter.
        lowered: Whether its runtimes are faster with 2D convolutions than with 3D ones.
        free_size: Whether height and width of the clips may be left open.
    """

    name: str
    write: Callable[[keras.Model, Signature, Path, dict[str, Any]], object]
    packages: tuple[str, ...]
    backend: str = "tensorflow"
    lowered: bool = False
    free_size: bool = True

    def check_installed(self) -> None:
        """Refuse what this process cannot write or run, before the work is done.

        Raises:
            ImportError: If a package is missing.
            ValueError: If Keras runs on another backend.
        """
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            extra = "torch" if self.backend == "torch" else "deploy"
            raise ImportError(
                f'{self.name} needs {" and ".join(missing)}: pip install "keras-acl[{extra}]"'
            )
        if backend_name() != self.backend:
            raise ValueError(
                f"{self.name} is written on the {self.backend} backend: set "
                f"KERAS_BACKEND={self.backend}. Received: {backend_name()}"
            )


def format_of(path: Path) -> Format:
    """The format that the ending of a path stands for.

    Raises:
        ValueError: If it stands for none.
    """
    if path.suffix not in FORMATS:
        raise ValueError(
            "An export is named .xml (OpenVINO), .onnx, .tflite (LiteRT) or .pt2 (torch), or has "
            f"no ending: the folder of a TensorFlow SavedModel. Received: {path}"
        )
    return FORMATS[path.suffix]


def _write_saved_model(network, signature: Signature, folder: Path, metadata) -> None:
    keras.Model.export(network, str(folder), "tf_saved_model", False, signature)
    write_metadata(folder, metadata)


def _write_openvino(network, signature: Signature, file: Path, metadata) -> None:
    # By the reader of the runtime, not by the converter that Keras calls: that one reports its use
    # to its makers.
    openvino = import_without_telemetry("openvino")
    with tempfile.TemporaryDirectory() as folder:
        keras.Model.export(network, folder, "tf_saved_model", False, signature)
        model = openvino.Core().read_model(folder)
        for output in model.outputs:
            output.set_names({_signature_name(output.get_names(), metadata["outputs"])})
        for given in model.inputs:
            given.set_names({signature[0].name})
        model.set_rt_info(json.dumps(metadata), KEY)
        openvino.save_model(model, file, compress_to_fp16=False)


def _signature_name(names: set[str], known: dict[str, str]) -> str:
    return next(name for name in known if name in {n.split(":")[0] for n in names})


def _write_onnx(network, signature: Signature, file: Path, metadata) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*np\.object", category=FutureWarning)
        keras.Model.export(network, str(file), "onnx", False, signature)
    onnx = importlib.import_module("onnx")
    model = onnx.load(file)
    # The exporter numbers the outputs, in the order of their names.
    names = dict(
        zip([o.name for o in model.graph.output], sorted(metadata["outputs"]), strict=True)
    )
    for node in model.graph.node:
        for side in (node.input, node.output):
            side[:] = [names.get(name, name) for name in side]
    for output in model.graph.output:
        output.name = names[output.name]
    onnx.save(model, file)
    write_metadata(file, metadata)


def _write_litert(network, signature: Signature, file: Path, metadata) -> None:
    builtins = importlib.import_module("tensorflow").lite.OpsSet.TFLITE_BUILTINS
    keras.Model.export(
        network,
        str(file),
        "litert",
        False,
        signature,
        target_spec={"supported_ops": [builtins]},  # Keras would allow TensorFlow's own, too
    )
    write_metadata(file, metadata)


def _write_torch(network, signature: Signature, file: Path, metadata) -> None:
    options = {}
    if signature[0].shape[0] is None:
        dimension = importlib.import_module("torch.export").Dim("batch", min=1)
        options = {"dynamic_shapes": {0: dimension}}
    keras.Model.export(network, str(file), "torch", False, signature, **options)
    write_metadata(file, metadata)


FORMATS = {
    "": Format("A TensorFlow SavedModel", _write_saved_model, ("tensorflow",)),
    ".xml": Format("OpenVINO IR", _write_openvino, ("openvino",)),
    # With a free size tf2onnx takes the width for the channels in some networks.
    ".onnx": Format("ONNX", _write_onnx, ("onnx", "onnxruntime", "tf2onnx"), free_size=False),
    ".tflite": Format("LiteRT", _write_litert, ("ai_edge_litert",), lowered=True, free_size=False),
    # Keras' exporter frees the batch alone.
    ".pt2": Format("torch .pt2", _write_torch, ("torch",), backend="torch", free_size=False),
}
