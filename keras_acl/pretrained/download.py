"""Weights as a folder to carry to a machine without a network."""

import os
import shutil
from pathlib import Path

from keras_acl.pretrained.find_folder import find_folder
from keras_acl.pretrained.model_folder import FILES, written_folder


def download_pretrained(name: str | os.PathLike, folder: str | os.PathLike) -> Path:
    """Put a preset or a model of the Hub into a folder, for a machine without a network.

    There, `load_pretrained(folder)` loads it, and so does every command that takes a model.

    Args:
        name: As in `load_pretrained`.
        folder: A new or empty folder, or one with an earlier save, which is replaced.

    Returns:
        The folder.

    Raises:
        ValueError: As in `load_pretrained`, or if the folder holds something else.
        FileNotFoundError: If the repository or a file is not there.
        PermissionError: If a repository is private.
        ConnectionError: If the download fails.

    Example:
        >>> keras_acl.pretrained.download_pretrained("k400", "k400")
    """
    folder = Path(folder).resolve()
    found = find_folder(name)
    with written_folder(folder) as beside:
        for file in FILES:
            shutil.copyfile(found / file, beside / file)
    return folder
