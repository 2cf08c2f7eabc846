"""What an archive holds: a CSV, a Parquet file, a folder or an address -> its videos, each once."""

import contextlib
import hashlib
import importlib
import importlib.util
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fsspec.core import url_to_fs

from keras_acl.data.tables import read_table
from keras_acl.system.printable import escaped, shortened
from keras_acl.video.address import is_address, local_copy, store_errors
from keras_acl.video.files import VIDEO_SUFFIXES, checked_folder, find_videos, is_url
from keras_acl.video.video import Video

logger = logging.getLogger("keras_acl")
PARQUET = (".parquet", ".pq")
NUMBERS = ("start", "end", "fps")
MISSING = 'Parquet files need pyarrow: pip install "keras-acl[ray]"'


class Item(NamedTuple):
    """A video of an archive.

    Args:
        name: What the manifest calls it; in a folder, its path below the folder.
        video: Where it is, with its part of the file.
    """

    name: str
    video: Video


def read_manifest(manifest: str | os.PathLike[str]) -> tuple[Item, ...]:
    """List the videos of an archive, each once, in the order of the manifest.

    Args:
        manifest: A CSV or a Parquet file with the column path and, where wanted, start, end
            (seconds) and fps, as `read_csv` takes them; or a folder with videos at any depth. An
            address such as s3://bucket/list.csv or s3://bucket/videos is opened by fsspec. Paths
            are relative to the manifest; they may be URLs and addresses themselves.

    Returns:
        The videos. One that is named again, with the same part of the file, is there once; the log
        says how many were. Whether they exist is found out when they are read.

    Raises:
        FileNotFoundError: If there is no such manifest.
        ImportError: If pyarrow is needed and not installed.
        ValueError: If it has no column path or no row, or a row makes no sense.
    """
    text = manifest if isinstance(manifest, str) else os.fspath(manifest)
    suffix = os.path.splitext(text)[1].lower()
    if suffix == ".csv" or suffix in PARQUET:
        read = _read_csv if suffix == ".csv" else _read_parquet
        root = text.rpartition("/")[0] if is_address(manifest) else os.path.abspath(text + "/..")
        with _on_disk(manifest) as file:
            listed = [_item(where, cells, root) for where, cells in read(file, text)]
    else:
        listed = list(_in_folder(text))
    first: dict[Video, Item] = {}
    for item in listed:
        first.setdefault(item.video, item)
    items = tuple(first.values())
    if not items:
        raise ValueError(f"There is no video in {text}")
    if len(items) < len(listed):
        logger.info(
            "%s names %d videos more than once: each is done once.",
            text,
            len(listed) - len(items),
        )
    return items


def digest_of(items: Iterable[Item]) -> str:
    """Equal for the same videos in the same order, wherever they are mounted."""
    digest = hashlib.sha256()
    for name, video in items:
        line = repr((name, video.start, video.end, video.fps))
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _on_disk(manifest: str | os.PathLike[str]) -> Iterator[Path]:
    if isinstance(manifest, str) and is_address(manifest):
        with local_copy(manifest) as copy:
            yield copy
    else:
        yield Path(manifest)


def _read_csv(file: Path, name: str) -> Iterator[tuple[str, dict]]:
    for row in read_table(file, ("path",)):
        yield row.where.replace(str(file), name, 1), row.cells


def _read_parquet(file: Path, name: str) -> Iterator[tuple[str, dict]]:
    if importlib.util.find_spec("pyarrow") is None:
        raise ImportError(MISSING)
    if not file.is_file():
        raise FileNotFoundError(2, "No such file", name)
    parquet, arrow = (importlib.import_module(f"pyarrow{part}") for part in (".parquet", ""))
    try:
        with parquet.ParquetFile(file) as table:
            columns = table.schema_arrow.names
            if "path" not in columns:
                raise ValueError(
                    f"{name}: expected a column path. Received: {shortened(','.join(columns))!r}"
                )
            wanted = [each for each in ("path", *NUMBERS) if each in columns]
            rows = (
                row for batch in table.iter_batches(columns=wanted) for row in batch.to_pylist()
            )
            for number, row in enumerate(rows, 1):
                yield f"{name}, row {number}", row
    except arrow.ArrowException as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{name} cannot be read as Parquet: {shortened(reason)}") from error


def _item(where: str, cells: dict, root: str) -> Item:
    path = cells["path"]
    if not isinstance(path, str) or not path:
        raise ValueError(f"{where}: expected a path. Received: {path!r}")
    try:
        start, end, fps = (
            None if cells.get(name) in (None, "") else float(cells[name]) for name in NUMBERS
        )
        return Item(path, Video(_joined(root, path), None, start, end, None, fps))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _joined(root: str, path: str) -> str:
    if is_url(path) or is_address(path):
        return path
    return f"{root}/{path}" if is_address(root) else os.path.normpath(os.path.join(root, path))


def _in_folder(folder: str) -> Iterator[Item]:
    if is_address(folder):
        for address, name in _find_at(folder):
            yield Item(name, Video(address))
        return
    if os.path.isfile(folder):
        raise ValueError(
            f"Expected a manifest that ends in .csv or {' or '.join(PARQUET)}, or a folder of "
            f"videos. Received: {folder}"
        )
    root = os.path.abspath(checked_folder(folder))
    for path in find_videos(root):
        yield Item(os.path.relpath(path, root), Video(path))


def _find_at(folder: str) -> Sequence[tuple[str, str]]:
    """Address of each video below an address, and its path from there."""
    with store_errors(folder):
        files, root = url_to_fs(folder)
        found = sorted(files.find(root))
    beyond = len(root.rstrip("/")) + 1
    return [
        (str(files.unstrip_protocol(path)), path[beyond:])
        for path in found
        if path.lower().endswith(VIDEO_SUFFIXES)
        and not any(part.startswith(".") for part in path[beyond:].split("/"))
    ]


def printable_name(item: Item) -> str:
    """The name as UTF-8 text, which file names need not be."""
    return escaped(item.name)
