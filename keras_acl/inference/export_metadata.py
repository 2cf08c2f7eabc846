"""What an exported file is told to say of itself; `engines.metadata` reads it."""

import importlib
import json
import zipfile
from pathlib import Path
from typing import Any

from keras_acl.engines.metadata import JSON, KEY
from keras_acl.engines.naming import model_name
from keras_acl.models.video_classifier import VideoClassifier

OUTPUTS = {
    "logits": "(batch, classes)",
    "features": "(batch, channels): what the dense layer sees, the spatial stream's first",
    "spatial_logits": "(batch, classes): what the spatial stream says alone",
    "temporal_logits": "(batch, classes): what the temporal stream says alone",
    "spatial_map": "(batch, h, w): class activation map of the class with the largest logit",
    "temporal_map": "(batch, frames, h, w): the same of the temporal stream",
    "spatial_maps": "(batch, h, w, classes): class activation maps of all classes",
    "temporal_maps": "(batch, frames, h, w, classes): the same of the temporal stream",
}


INPUT_SHAPE = "clip: uint8 {}, (batch, frames, height, width, {})"


def describe(model: VideoClassifier, outputs: list[str]) -> dict[str, Any]:
    """What goes into the file, as plain values.

    Args:
        model: The classifier that is exported.
        outputs: Names of what the file returns.
    """
    clip, card = model.clip, getattr(model, "card", None)
    return {
        "version": importlib.import_module("keras_acl").__version__,
        "name": model_name(model),
        "architecture": type(model).__name__,
        "clip": clip.to_dict(),
        "labels": None if model.labels is None else list(model.labels),
        "num_classes": model.num_classes,
        "multi_label": model.multi_label,
        "input": INPUT_SHAPE.format(clip.modality_name, clip.channels),
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
        onnx.helper.set_model_props(model, {KEY: text})
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
