"""Presets built from public checkpoints: downloaded and imported once, then loaded as ours."""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.parse
from pathlib import Path

import filelock

from keras_acl.pretrained.metadata import check_files, read_metadata
from keras_acl.pretrained.model_folder import sha256_of
from keras_acl.pretrained.presets import Checkpoint, Preset
from keras_acl.system.cache_folder import cache_folder
from keras_acl.system.quiet_start import quiet_start

logger = logging.getLogger("keras_acl")


def built_preset(preset: Preset) -> Path:
    """The folder of a preset that is built from public checkpoints; made on first use.

    Processes that ask at the same time wait for the one that builds. What is broken is removed.

    Raises:
        FileNotFoundError: If a checkpoint is not at its address any more.
        ConnectionError: If a download fails.
        ValueError: If a checkpoint is not what was expected.
    """
    folder = cache_folder() / "presets" / f"{preset.name}-{_fingerprint(preset)}"
    if _is_whole(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(f"{folder}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        logger.warning("Another process prepares %s; waiting for it.", preset.name)
        lock.acquire()
    try:
        if not _is_whole(folder):  # the other process may have made it
            shutil.rmtree(folder, ignore_errors=True)
            _build(preset, folder)
    finally:
        lock.release()
    return folder


def download_checkpoint(checkpoint: Checkpoint, folder: Path) -> Path:
    """Download a file, unless it is there; it appears under its name when it is complete.

    Raises:
        FileNotFoundError: If it is not at its address.
        ConnectionError: If the server fails or the connection breaks off.
        ValueError: If it has not the expected digest.
    """
    import keras

    name = _file_name(checkpoint)
    file = folder / name
    if file.is_file() and checkpoint.sha256 in (None, sha256_of(file)):
        return file
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("part-*"):  # by a killed process
        shutil.rmtree(left, ignore_errors=True)
    # Keras takes whatever bears the name for complete; so it downloads into a folder of its own.
    with tempfile.TemporaryDirectory(prefix="part-", dir=folder) as beside:
        try:
            with contextlib.redirect_stdout(sys.stderr):  # progress is not output
                part = keras.utils.get_file(
                    name,
                    checkpoint.url,
                    file_hash=checkpoint.sha256,
                    hash_algorithm="sha256",
                    cache_dir=beside,
                    cache_subdir="",
                )
        except Exception as error:  # Keras raises Exception itself
            raise _explained(error, checkpoint.url) from error
        os.replace(part, file)
    return file


def _build(preset: Preset, folder: Path) -> None:
    with quiet_start():  # to find what was built needs no Keras
        from keras_acl.pretrained.build import build_preset
        from keras_acl.pretrained.save import save_pretrained

    downloads = cache_folder() / "downloads" / preset.name
    try:
        files = [download_checkpoint(checkpoint, downloads) for checkpoint in preset.checkpoints]
    except ConnectionError as error:
        names = " and ".join(map(_file_name, preset.checkpoints))
        raise ConnectionError(f"{error} Or put {names} into {downloads} by hand.") from error
    try:
        model, report = build_preset(preset, files)
    except ValueError as error:  # a file that was cut where nobody gave its length
        shutil.rmtree(downloads, ignore_errors=True)
        raise ValueError(
            f"The files of {preset.name} cannot be imported, and were removed from the cache. They "
            f"may have come incomplete: try again. {error}"
        ) from error
    logger.info("%s", report)
    save_pretrained(model, folder, preset.card)
    shutil.rmtree(downloads, ignore_errors=True)


def _file_name(checkpoint: Checkpoint) -> str:
    return Path(urllib.parse.urlsplit(checkpoint.url).path).name


def _is_whole(folder: Path) -> bool:
    try:
        check_files(folder, read_metadata(folder))
    except (FileNotFoundError, ValueError):
        return False
    return True


def _fingerprint(preset: Preset) -> str:
    """Changes with the record, so that an updated package does not load what an older one built."""
    record = [
        preset.card.to_dict(),
        preset.architecture.__name__,
        {name: str(value) for name, value in preset.arguments.items()},
        [checkpoint.url for checkpoint in preset.checkpoints],
    ]
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:12]


def _explained(error: Exception, url: str) -> Exception:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, urllib.error.HTTPError):
        cause.close()  # it is the answer, too, and holds the connection
        if cause.code >= 500 or cause.code in (408, 429):
            return ConnectionError(f"The server answered {cause.code} for {url}. Try again later.")
        return FileNotFoundError(
            f"The server answered {cause.code} for {url}: the file may have moved. With a copy of "
            "it, keras_acl.pretrained.import_checkpoint(file) goes on."
        )
    if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
        return error  # the disk is full, or the like
    if isinstance(error, ValueError):
        return ValueError(
            f"{url} has not the expected sha256: it came incomplete, or was changed at its source. "
            "Nothing was kept. Try again."
        )
    return ConnectionError(
        f"The download of {url} broke off ({type(error).__name__}: {error}). Nothing was kept. "
        "Check the network and try again."
    )
