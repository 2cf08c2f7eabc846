"""The verb of the command line that measures speed."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from keras_acl.cli.options import SavedModel
from keras_acl.cli.terminal import no_startup_noise, screen


def bench(
    model: SavedModel,
    data: Annotated[
        list[Path] | None, typer.Option(help="Videos, or a folder of them: also measure loading.")
    ] = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Clips a batch; may be given again.", show_default="1, 2, 4, ..."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="For each row.")] = 5.0,
    precision: Annotated[
        str | None,
        typer.Option(
            help="Of the inference: auto, float32, bfloat16, float16.", show_default="the model's"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Measure inference, training and data loading in clips a second, and which of them waits.

    Example: keras-acl bench k400 --data videos/
    """
    from keras_acl.video.files import list_files

    for source in data or []:
        if not source.exists():
            raise FileNotFoundError(f"There is no file or folder {source}")
    videos = list_files(data) if data else []
    with no_startup_noise():
        from keras_acl.pretrained import load_any
        from keras_acl.speed.throughput import benchmark, verdict

    loaded = load_any(model)
    sizes = sorted(set(batch_size)) if batch_size else [2**power for power in range(7)]
    rates = []
    with screen.status("measuring", spinner="line"):
        for rate in benchmark(loaded, videos, sizes, seconds, precision):
            rates.append(rate)
            if not as_json:
                screen.print(f"{rate.what}, {rate.batch_size} a batch: {_shown(rate)}")
    if as_json:
        rows = [dataclasses.asdict(rate) for rate in rates]
        for row in rows:
            if math.isnan(row["clips_per_second"]):
                row["clips_per_second"] = None
        typer.echo(json.dumps({"rates": rows, "verdict": verdict(rates)}, indent=2))
        return
    table = Table("", "clips a batch", "clips/s", "ms a clip")
    for column in table.columns[1:]:
        column.justify = "right"
    for rate in rates:
        known = not math.isnan(rate.clips_per_second)
        milliseconds = f"{1000 / rate.clips_per_second:.1f}" if known else ""
        table.add_row(rate.what, str(rate.batch_size), _shown(rate), milliseconds)
    screen.print(table)
    screen.print(verdict(rates) or "With --data FOLDER the loading of videos is measured, too.")


def _shown(rate) -> str:
    return rate.note or f"{rate.clips_per_second:.3g}"
