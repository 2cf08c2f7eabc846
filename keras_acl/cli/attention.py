"""Commands about where a model looks: explain, attention."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from keras_acl.cli.options import (
    AsJson,
    Engine,
    InferencePrecision,
    SavedModel,
    VideoFiles,
    load_for_inference,
    output_names,
)
from keras_acl.cli.terminal import errors, no_startup_noise, progress_bar, screen

# Measures in the table; the JSON has the others, too.
SHOWN = (
    "spatial_pointing",
    "spatial_energy",
    "spatial_iou",
    "temporal_pointing",
    "temporal_energy",
    "temporal_iou",
    "correlation",
    "chance",
)


def explain(
    model: SavedModel,
    videos: VideoFiles,
    output: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("."),
    label: Annotated[
        str | None,
        typer.Option(help="Class whose attention is shown.", show_default="the predicted one"),
    ] = None,
    compare: Annotated[
        str | None, typer.Option(help="A second model; its attention stands below.")
    ] = None,
    clips: Annotated[
        int | None, typer.Option(min=1, help="Clips shown.", show_default="the whole video")
    ] = None,
    gif: Annotated[bool, typer.Option("--gif", help="GIF instead of mp4.")] = False,
    precision: InferencePrecision = None,
    engine: Engine = "auto",
) -> None:
    """Write videos that show where each stream looks, and a contact sheet of each.

    Example: keras-acl explain runs/videos clip.mp4 --output attention/
    """
    from keras_acl.video.files import list_files

    paths = list_files(videos)
    with no_startup_noise():
        from keras_acl.attention import explain as write
        from keras_acl.attention.explanation import find_class
        from keras_acl.data import DecodingError

    loaded = [
        load_for_inference(name, precision, engine) for name in (model, compare) if name is not None
    ]
    for one in loaded:
        find_class(one, label)
    second = loaded[1] if compare is not None else None
    bad = 0
    with progress_bar("explaining") as progress:
        for done, (path, name) in enumerate(zip(paths, output_names(paths), strict=True), 1):
            file = output / f"{name}_attention{'.gif' if gif else '.mp4'}"
            try:
                found = write(loaded[0], path, file, label, clips=clips, compare=second)
            except DecodingError as error:
                bad += 1
                errors.print(str(error), style="red")
            else:
                screen.print(f"{path}: {found.label} {found.score:.1%}: {file} {found.sheet}")
            progress(done, len(paths))
    if bad:
        raise typer.Exit(1)


def attention(
    model: SavedModel,
    boxes: Annotated[
        Path,
        typer.Argument(
            help="A CSV (path,start,end,left,top,right,bottom), or a folder of moving figures."
        ),
    ],
    precision: InferencePrecision = None,
    engine: Engine = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure how much of a model's attention falls where the action is.

    Seconds and pixels of the upright video; a column label may name the class.

    Example: keras-acl attention runs/videos boxes.csv
    """
    if not boxes.exists():
        raise FileNotFoundError(f"There is no file or folder {boxes}.")
    with no_startup_noise():
        from keras_acl.attention import measure_boxes

    loaded = load_for_inference(model, precision, engine)
    with progress_bar("measuring") as progress:
        found = measure_boxes(loaded, boxes, progress)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        _show(found)
    if any(row.problem for row in found.rows):
        raise typer.Exit(1)


def _show(found) -> None:
    names = [name for name in SHOWN if name in found.mean]
    numbers = [Column(Text(name.replace("_", "\n")), justify="right") for name in names]
    table = Table(Column("video", overflow="fold"), "class", *numbers)
    for row in found.rows:
        values = [] if row.values is None else [f"{row.values[name]:.2f}" for name in names]
        table.add_row(row.path, row.label or f"not measured: {row.problem}", *values)
    if found.mean:
        table.add_section()
        measured = sum(row.values is not None for row in found.rows)
        table.add_row("mean", f"{measured} videos", *(f"{found.mean[name]:.2f}" for name in names))
    screen.print(table)
