"""An archive of videos, classified by several processes; killed, it goes on where it stopped."""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_acl.inference.archive.dispatch import finished
from keras_acl.inference.archive.manifest import digest_of, read_manifest
from keras_acl.inference.archive.options import ArchiveOptions, Workers
from keras_acl.inference.archive.pool import ray_pool
from keras_acl.inference.archive.tables import BAD, VIDEOS, ArchiveFolder, Part, parts_of
from keras_acl.inference.archive.worker import model_digest
from keras_acl.pretrained.model_folder import METADATA
from keras_acl.system.folder_lock import locked

logger = logging.getLogger("keras_acl")


class Archive(NamedTuple):
    """What is in the folder of an archive after a run.

    Args:
        folder: The folder, which holds the tables `videos/` and `bad/`.
        videos: Number of different videos in the manifest.
        classified: Rows of `videos/`.
        bad: Rows of `bad/`.
    """

    folder: Path
    videos: int
    classified: int
    bad: int

    @property
    def pending(self) -> int:
        """Videos that other shards have to do."""
        return self.videos - self.classified - self.bad


def classify_archive(
    model: str | os.PathLike[str],
    manifest: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    options: ArchiveOptions | None = None,
    workers: Workers | None = None,
    shards: int | None = None,
    shard: tuple[int, int] = (0, 1),
    progress: Callable[[int, int], object] | None = None,
) -> Archive:
    """Classify an archive of videos into Parquet tables, with exactly one row for each video.

    The archive is cut into parts, and what the workers (actors of Ray) say of a part is written as
    one file by this process alone, beside its name and then renamed. So a part is there or not,
    whatever is killed; the same call goes on with the parts that are not there. A worker that ends
    is replaced.

    `folder/videos/*.parquet` has the columns path (as in the manifest), start, end, label, score,
    labels and scores (the best five); `folder/bad/*.parquet` path, start, end and problem.
    `pyarrow.parquet.read_table(folder / "videos")` reads all, as pandas and DuckDB do.

    Args:
        model: Name of a model, as the command line takes it: a file, a run folder, a saved folder,
            a preset or `hf://user/repo`. On a cluster each machine must find it, and the videos,
            under this name.
        manifest: CSV or Parquet file with a column path, a folder, or an address of one, see
            `read_manifest`. A video that it names twice has one row.
        folder: Where the tables go; only this machine writes there.
        options: What is computed.
        workers: How many processes, and where.
        shards: Number of parts: a killed run loses the parts that it was at. By default about a
            thousand, of 16 to 1024 videos.
        shard: (index, count) of a machine that has no connection to others: it does every count-th
            part. The folders of all, copied into one, are the whole.
        progress: Called as `progress(done, total)`, counted in videos of this shard.

    Returns:
        What the folder holds.

    Raises:
        FileNotFoundError: If the manifest or the model is not there.
        ImportError: If Ray or pyarrow is not installed (extra `ray`).
        ValueError: If the folder holds the results of another model, manifest or other options; or
            an argument makes no sense.
        RuntimeError: If the workers end again and again, or another process does this shard.
    """
    options, workers = options or ArchiveOptions(), workers or Workers()
    name = _found_anywhere(os.fspath(model))
    items = read_manifest(manifest)
    parts = parts_of(items, shards)
    mine = _share(parts, *shard)
    settings = {"model": model_digest(name), "manifest": digest_of(items), **options.compared()}
    lock = f".lock-{shard[0]}-of-{shard[1]}"  # shards may share a folder
    with locked(Path(folder), "classifying into", lock):
        kept = ArchiveFolder(Path(folder), settings, len(parts), options)
        _classify(name, kept, mine, options, workers, progress)
    numbers = range(len(parts))
    return Archive(kept.folder, len(items), kept.count(VIDEOS, numbers), kept.count(BAD, numbers))


def _classify(
    model: str,
    kept: ArchiveFolder,
    parts: Sequence[Part],
    options: ArchiveOptions,
    workers: Workers,
    progress: Callable[[int, int], object] | None,
) -> None:
    """Do those parts that are not there."""
    todo = [part for part in parts if not kept.done(part.number, options.retry_bad)]
    total, left = (sum(len(part.items) for part in some) for some in (parts, todo))
    report = progress or (lambda done, total: None)
    report(total - left, total)
    if not todo:
        return
    with ray_pool(workers, model, options) as pool:
        count = min(pool.size, len(todo))
        logger.info("%d videos by %d worker%s.", left, count, "s" * (count > 1))
        for part, rows in finished(pool, todo, model_digest(model)):
            kept.write(part.number, rows)
            left -= len(rows)
            report(total - left, total)


def _share(parts: Sequence[Part], index: int, count: int) -> list[Part]:
    if not 0 <= index < count:
        raise ValueError(
            f"Expected shard=(index, count), 0 <= index < count. Received: {(index, count)}"
        )
    return [part for part in parts if part.number % count == index]


def _found_anywhere(model: str) -> str:
    """A model's name as a process with another current folder finds it."""
    path = Path(model)
    on_disk = path.is_file() or any((path / name).is_file() for name in ("model.keras", METADATA))
    return os.path.abspath(path) if on_disk else model
