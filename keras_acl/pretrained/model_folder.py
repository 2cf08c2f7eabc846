"""The four files of a saved model: written whole, and checked."""

import contextlib
import glob
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
README = "README.md"
METADATA = "metadata.json"
FILES = (CONFIG, WEIGHTS, README, METADATA)  # in the order in which they move into place
MOVING_IN = ".saved"  # complete new files on their way into a folder that holds older ones


@contextlib.contextmanager
def written_folder(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write the four files to; they move in when all went well.

    Whatever ends the writing early, an older save in `folder` stays whole. What else lies there
    is not touched.

    Yields:
        An empty folder on the same file system.

    Raises:
        ValueError: If `folder` is a file, or holds other things and no earlier save: a README.md
            of something else would be lost.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file. Expected a folder to save to.")
    finish_interrupted(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / METADATA).is_file():
        raise ValueError(
            f"{folder} holds other files, and no earlier save. Give a new or an empty folder."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".saving-{glob.escape(folder.name)}-*"):
        if time.time() - left.stat().st_mtime > 24 * 3600:  # of a killed process
            shutil.rmtree(left, ignore_errors=True)
    beside = folder.with_name(f".saving-{folder.name}-{os.getpid()}-{time.time_ns()}")
    beside.mkdir()
    try:
        yield beside
        if folder.is_dir():
            os.rename(beside, folder / MOVING_IN)  # from here on the new save counts
            finish_interrupted(folder)
        else:
            os.rename(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def finish_interrupted(folder: Path) -> None:
    """Move the files of a complete save into place that a killed process left behind."""
    saved = folder / MOVING_IN
    if not saved.is_dir():
        return
    for name in FILES:
        with contextlib.suppress(FileNotFoundError):  # moved already
            os.replace(saved / name, folder / name)
    shutil.rmtree(saved, ignore_errors=True)


def sha256_of(file: Path) -> str:
    """Digest of a file's content, in hexadecimal."""
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def read_json(file: Path) -> dict[str, Any]:
    """Read a file that must hold a JSON object.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it holds something else.
    """
    if not file.is_file():
        raise FileNotFoundError(
            f"There is no {file.name} in {file.parent}. Expected a folder that save_pretrained "
            f"wrote: {', '.join(FILES)}."
        )
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no JSON, is it whole? {error}. {SAVE_AGAIN}") from error
    if not isinstance(values, dict):
        raise ValueError(
            f"{file} must hold a JSON object. Received: {str(values)[:80]}. {SAVE_AGAIN}"
        )
    return values


SAVE_AGAIN = "Save or download the folder again."
