"""The command that classifies a whole archive: classify."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_acl.cli.options import (
    AsJson,
    Device,
    Engine,
    InferencePrecision,
    SavedModel,
    read_shard,
    resumable,
)
from keras_acl.cli.terminal import errors, no_startup_noise, progress_bar, screen
from keras_acl.system.choose_device import choose_device

Option = typer.Option
Manifest = Annotated[
    str,
    typer.Argument(
        help="A CSV or Parquet file with a column path, a folder, or an address (s3://…)."
    ),
]
Count = Annotated[
    int | None,
    Option(min=1, help="Processes.", show_default="one per GPU, or one per machine"),
]
Address = Annotated[
    str | None, Option(help="Ray cluster: auto, or HOST:6379.", show_default="this machine")
]
Shards = Annotated[
    int | None,
    Option(
        min=1,
        help="Parts that the work is cut into; a part is done or not.",
        show_default="16 to 1024 videos a part",
    ),
]
Shard = Annotated[
    str | None,
    Option(
        help="1/4: the first of four machines without connection; copy their folders into one. "
        "auto: as the launcher says."
    ),
]


def classify(
    model: SavedModel,
    manifest: Manifest,
    out: Annotated[Path, typer.Argument(help="Folder for the tables videos/ and bad/ (Parquet).")],
    clips: Annotated[int, Option(min=1, help="Clips per video.")] = 3,
    features: Annotated[bool, Option("--features", help="Keep what the dense layer sees.")] = False,
    per_stream: Annotated[bool, Option("--per-stream", help="Keep each stream's scores.")] = False,
    workers: Count = None,
    address: Address = None,
    shards: Shards = None,
    shard: Shard = None,
    retry_bad: Annotated[
        bool, Option("--retry-bad", help="Do parts with unreadable videos again.")
    ] = False,
    batch_size: Annotated[int, Option(min=1, help="Clips computed at once.")] = 8,
    precision: InferencePrecision = None,
    engine: Engine = "auto",
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Classify an archive of videos, on this machine or a Ray cluster: exactly one row a video.

    Killed or interrupted, the same command goes on. What cannot be read is in OUT/bad, and no
    error.

    Example: keras-acl classify runs/videos archive.csv archive/ --workers 2
    """
    if device is not None:
        choose_device(device)
    part = read_shard(shard)
    with no_startup_noise():
        from keras_acl.inference.archive.classify import classify_archive
        from keras_acl.inference.archive.options import ArchiveOptions, Workers

    options = ArchiveOptions(
        clips, features, per_stream, precision, engine, batch_size, retry_bad=retry_bad
    )
    with (
        resumable("after the last finished part"),
        progress_bar("classifying", unit="videos") as progress,
    ):
        done = classify_archive(
            model,
            manifest,
            out,
            options=options,
            workers=Workers(workers, address),
            shards=shards,
            shard=part,
            progress=progress,
        )
    _show(done, as_json)


def _show(done, as_json: bool) -> None:
    """What the folder holds now."""
    if as_json:
        counts = {name: getattr(done, name) for name in ("videos", "classified", "bad", "pending")}
        typer.echo(json.dumps(counts, indent=2))
        return
    screen.print(f"{done.classified} of {done.videos} videos: {done.folder / 'videos'}")
    if done.bad:
        errors.print(f"{done.bad} cannot be read: {done.folder / 'bad'}", style="yellow")
    if done.pending:
        errors.print(f"This part is done; {done.pending} videos wait for the other machines.")
