"""Commands about speed and cost: bench, costs, summary."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from keras_acl.cli.options import AsJson, Engine, SavedModel
from keras_acl.cli.terminal import no_startup_noise, screen


def bench(
    model: SavedModel,
    data: Annotated[
        list[Path] | None, typer.Option(help="Videos, or a folder of them: also measure loading.")
    ] = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Clips per batch; may be given again.", show_default="1, 2, 4, ..."
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="For each row.")] = 5.0,
    precision: Annotated[
        str | None,
        typer.Option(
            help="Of the inference: auto, float32, bfloat16, float16.", show_default="the model's"
        ),
    ] = None,
    engine: Engine = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure inference, training and data loading in clips per second, and which of them waits.

    Example: keras-acl bench k400 --data videos/
    """
    from keras_acl.video.files import list_files

    for source in data or []:
        if not source.exists():
            raise FileNotFoundError(f"There is no file or folder {source}")
    videos = list_files(data) if data else []
    with no_startup_noise():
        from keras_acl.inference.engine_choice import optimize
        from keras_acl.pretrained import load_any
        from keras_acl.speed.throughput import benchmark, verdict

    loaded = load_any(model)
    sizes = sorted(set(batch_size)) if batch_size else [2**power for power in range(7)]
    fast = optimize(loaded, precision, engine=engine)
    chosen = {"engine": getattr(fast, "engine", "Keras"), "precision": fast.compute_dtype}
    if not as_json:
        screen.print("Inference by {engine}, in {precision}.".format(**chosen))
    rates = []
    with screen.status("measuring", spinner="line"):
        for rate in benchmark(loaded, videos, sizes, seconds, fast=fast):
            rates.append(rate)
            if not as_json:
                screen.print(f"{rate.what}, {rate.batch_size} per batch: {_shown(rate)}")
    if as_json:
        rows = [dataclasses.asdict(rate) for rate in rates]
        for row in rows:
            if math.isnan(row["clips_per_second"]):
                row["clips_per_second"] = None
        typer.echo(json.dumps({**chosen, "rates": rows, "verdict": verdict(rates)}, indent=2))
        return
    screen.print(_table(rates))
    screen.print(verdict(rates) or "With --data FOLDER the loading of videos is measured, too.")


def _table(rates) -> Table:
    table = Table("", "clips per batch", "clips/s", "ms per clip")
    for column in table.columns[1:]:
        column.justify = "right"
    for rate in rates:
        known = not math.isnan(rate.clips_per_second)
        milliseconds = f"{1000 / rate.clips_per_second:.1f}" if known else ""
        table.add_row(rate.what, str(rate.batch_size), _shown(rate), milliseconds)
    return table


def _shown(rate) -> str:
    return rate.note or f"{rate.clips_per_second:.3g}"


def costs(
    classes: Annotated[int, typer.Option(min=1)] = 400,
    size: Annotated[
        int | None,
        typer.Option(
            min=32, help="Side of a view in pixels.", show_default="what each is tested on"
        ),
    ] = None,
    views: Annotated[int, typer.Option(min=1, help="Views per video.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Count multiply-adds and parameters of every architecture: Table 3's cost column, and more.

    Example: keras-acl costs
    """
    from keras_acl.speed.architectures import architecture_costs

    rows = architecture_costs(classes, size)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
        return
    table = Table("architecture", "pixels", "GMACs x views", "GMACs a video", "parameters")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        giga = row.multiply_adds / 1e9
        table.add_row(
            row.name,
            f"{row.size}²",
            f"{giga:.2f} x {views}",
            f"{giga * views:,.0f}",
            f"{row.parameters:,}",
        )
    screen.print(table)
    screen.print(f"{classes} classes; multiply-adds, counted.")


def summary(
    model: SavedModel,
    size: Annotated[
        int | None, typer.Option(min=32, help="Pixels.", show_default="test size")
    ] = None,
) -> None:
    """Show layers, parameters and multiply-adds of a saved model.

    Example: keras-acl summary runs/videos
    """
    with no_startup_noise():
        from keras_acl.pretrained import load_any
        from keras_acl.speed.cost import count_parameters, layer_costs

    loaded = load_any(model)
    table = Table("layer", "output", "parameters", "multiply-adds")
    for column in table.columns[2:]:
        column.justify = "right"
    costs = layer_costs(loaded, size)
    for cost in costs:
        if cost.parameters or cost.multiply_adds:
            shape = "x".join(str(side) for side in cost.output_shape)
            table.add_row(cost.name, shape, f"{cost.parameters:,}", f"{cost.multiply_adds:,}")
    screen.print(table)
    pixels = size or loaded.clip.test_size
    total = sum(cost.multiply_adds for cost in costs)
    screen.print(
        f"{type(loaded).__name__}: {count_parameters(loaded):,} parameters, {total / 1e9:.2f} "
        f"billion multiply-adds for one clip of {loaded.clip.frames} frames at {pixels}x{pixels}"
    )
