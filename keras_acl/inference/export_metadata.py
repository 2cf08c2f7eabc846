"""What an exported file says of itself: labels, clip, version and card, as JSON inside it."""

import dataclasses
import importlib
import json
import zipfile
from pathlib import Path
from typing import Any

from keras_acl.models.video_classifier import VideoClassifier, model_name
from keras_acl.system.without_telemetry import import_without_telemetry

KEY = "keras_acl"
JSON = "keras_acl.json"
MOST_BYTES = 2**24  # of it, unpacked
OUTPUTS = {
    "logits": "(batch, classes)",
    "features": "(batch, channels): what the dense layer sees, the spatial stream's first",
    "spatial_map": "(batch, h, w): class activation map of the class with the largest logit",
    "temporal_map": "(batch, frames, h, w): the same of the temporal stream",
}


def describe(model: VideoClassifier, outputs: list[str]) -> dict[str, Any]:
    """What goes into the file, as plain values.

    Args:
        model: The classifier that is exported.
        outputs: Names of what the file returns.
    """
    card = getattr(model, "card", None)
    return {
        "version": importlib.import_module("keras_acl").__version__,
        "name": model_name(model),
        "architecture": type(model).__name__,
        "clip": dataclasses.asdict(model.clip),
        "labels": None if model.labels is None else list(model.labels),
        "num_classes": model.num_classes,
        "multi_label": model.multi_label,
        "input": "clip: uint8 RGB, (batch, frames, height, width, 3)",
        "outputs": {name: OUTPUTS[name] for name in outputs},
        "card": None if card is None else json.loads(json.dumps(card.to_dict(), default=vars)),
    }


def write_metadata(file: Path, metadata: dict[str, Any]) -> None:
    """Put metadata into an exported file, or the folder of a SavedModel.

    ONNX and OpenVINO have a place for them. LiteRT reads a file from its beginning and ignores a
    zip archive at its end, the usual place there; a SavedModel has `assets.extra`.
    """
    text = json.dumps(metadata)  # ASCII: no file format can spoil a label
    if file.suffix == ".onnx":
        onnx = importlib.import_module("onnx")
        model = onnx.load(file)
        model.metadata_props.add(key=KEY, value=text)
        onnx.save(model, file)
    elif file.suffix == ".pt2":
        export = importlib.import_module("torch.export")
        export.save(export.load(file), file, extra_files={JSON: text})
    elif file.suffix == ".tflite":
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(JSON, text)
    elif file.suffix != ".xml":  # that of OpenVINO is set before the file is written
        (file / "assets.extra").mkdir()
        (file / "assets.extra" / JSON).write_text(text, encoding="utf-8")


def read_metadata(file: str | Path) -> dict[str, Any]:
    """What `keras_acl.export` wrote into a file, or into the folder of a SavedModel.

    Args:
        file: The exported file or folder.

    Returns:
        version, name, architecture, clip, labels, num_classes, multi_label, input, outputs, card.

    Raises:
        ValueError: If it has no such metadata: it is damaged, or another program made it.
        ImportError: If the package that reads it is missing.
        OSError: If it cannot be read.
    """
    file = Path(file)
    if not file.exists():
        raise FileNotFoundError(f"There is no file {file}")
    try:
        return json.loads(_read_text(file))
    except ImportError as error:
        raise ImportError(
            f'{file} is read by a package that is missing: pip install "keras-acl[deploy]" '
            f"({error})"
        ) from error
    except Exception as error:  # each format's library has errors of its own
        raise ValueError(
            f"{file} is damaged, or was not written by keras_acl.export: it has no metadata "
            "that can be read."
        ) from error


def _read_text(file: Path) -> str:
    if file.suffix == ".onnx":
        model = importlib.import_module("onnx").load(file, load_external_data=False)
        return {entry.key: entry.value for entry in model.metadata_props}[KEY]
    if file.suffix == ".xml":
        model = import_without_telemetry("openvino").Core().read_model(file)
        return model.get_rt_info(KEY).astype(str)
    if file.suffix in (".pt2", ".tflite"):
        # Both are zip archives; torch's own reader would unpickle what a foreign .pt2 holds.
        with zipfile.ZipFile(file) as archive:
            (entry,) = (e for e in archive.infolist() if Path(e.filename).name == JSON)
            if entry.file_size > MOST_BYTES:
                raise ValueError(f"{JSON} has {entry.file_size:,} bytes")
            return archive.read(entry).decode()
    return (file / "assets.extra" / JSON).read_text(encoding="utf-8")
