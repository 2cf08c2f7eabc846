"""What an exported file says of itself: labels, clip, version and card, as JSON inside it."""

import importlib
import json
import zipfile
from pathlib import Path
from typing import Any

from keras_acl.system.without_telemetry import import_without_telemetry

KEY = "keras_acl"
JSON = "keras_acl.json"
MOST_BYTES = 2**24  # of it, unpacked


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
