"""Engines made from models, kept on disk: the next start needs neither Keras nor compiling."""

import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import filelock

from keras_acl.engines.inference_model import InferenceModel
from keras_acl.pretrained.any_file import load_exported
from keras_acl.pretrained.find_folder import find_folder
from keras_acl.pretrained.model_folder import CONFIG, METADATA, WEIGHTS, sha256_of
from keras_acl.system.atomic_write import written_whole
from keras_acl.system.cache_folder import cache_folder

MOST = 8  # engines kept, the ones used last
FILE = "model.xml"


def engines_folder() -> Path:
    """Where they are; it may be removed at any time."""
    return cache_folder() / "engines"


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def kept(fingerprint: str, make: Callable[[Path], object], precision: str) -> InferenceModel:
    """The engine of a model; made, if it was not before.

    Args:
        fingerprint: What tells the model from others.
        make: Writes the engine's file.
        precision: What it computes in.
    """
    version = importlib.import_module("keras_acl").__version__
    folder = engines_folder() / f"{fingerprint}-{version}"
    file = folder / FILE
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.parent / ".lock"):  # another process may be making it
        if file.is_file():
            try:
                return _used(file, precision)
            except ValueError:  # half of it may have been removed
                shutil.rmtree(folder, ignore_errors=True)
        make(file)
        _forget_old(folder)
        return _used(file, precision)


def note_source(name: str, model: InferenceModel, precision: str) -> None:
    """Note that what is called by this name is this engine, until its files change."""
    note = engines_folder() / f"{_digest(name)}.json"
    content = {"engine": model.file.parent.name, "precision": precision, "name": model.saved_as}
    # Without the note the next start takes longer.
    with contextlib.suppress(OSError), written_whole(note) as beside:
        beside.write_text(json.dumps(content), encoding="utf-8")


def noted(name: str, precision: str | None) -> InferenceModel | None:
    """The engine of what is called by this name, if it was noted; nothing of Keras is imported.

    Args:
        name: What `load_any` takes.
        precision: What it computes in; `None` for the model's own.
    """
    if not has_openvino():
        return None
    try:
        note = engines_folder() / f"{_digest(name)}.json"
        found = json.loads(note.read_text(encoding="utf-8"))
        model = _used(
            engines_folder() / Path(found["engine"]).name / FILE, precision or found["precision"]
        )
        model.saved_as = found["name"]
    except (OSError, ValueError, KeyError, TypeError):  # it is made again
        return None
    return model


def _used(file: Path, precision: str) -> InferenceModel:
    model = load_exported(file, precision=precision, cache=file.parent / "compiled")
    with contextlib.suppress(OSError):  # a cache that may only be read
        os.utime(file)  # the ones used last are kept
    return model


def source_files(name: str) -> list[Path]:
    """The files that a name stands for, as `load_any` takes it."""
    path = Path(name)
    if path.suffix == ".keras" or (path / "model.keras").is_file():
        return [path if path.suffix == ".keras" else path / "model.keras"]
    return [find_folder(name) / each for each in (CONFIG, WEIGHTS, METADATA)]


def _digest(name: str) -> str:
    digest = hashlib.sha256(importlib.import_module("keras_acl").__version__.encode())
    for file in source_files(name):
        digest.update(f"{file.resolve()}{sha256_of(file)}".encode())
    return digest.hexdigest()[:16]


def _forget_old(newest: Path) -> None:
    folders = [file.parent for file in engines_folder().glob(f"*/{FILE}")]
    folders.sort(key=lambda folder: (folder == newest, (folder / FILE).stat().st_mtime))
    for folder in folders[:-MOST]:
        shutil.rmtree(folder, ignore_errors=True)
