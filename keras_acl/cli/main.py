"""The command line: one short function a verb."""

import enum
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from keras_acl.cli import attention, evaluate, predict, report, shrink, speed, weights
from keras_acl.cli.options import INTERRUPTED, SavedModel
from keras_acl.cli.terminal import errors, no_startup_noise, progress_bar, screen, show_warning

app = typer.Typer(
    help="Video action recognition that shows where it looks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(evaluate.evaluate)
app.command()(evaluate.costs)
app.command()(report.report)
app.command("import")(weights.import_)
app.command()(weights.publish)
app.command()(weights.presets)
app.command("predict")(predict.predict)
app.command("features")(predict.features)
app.command("bench")(speed.bench)
app.command("shrink")(shrink.shrink)
app.command("explain")(attention.explain)
app.command("attention")(attention.attention)


class Network(enum.StrEnum):
    """Choices of --network."""

    AUTO = "auto"
    SMALL = "small"
    R50 = "r50"
    R101 = "r101"


@app.command()
def train(
    folder: Annotated[
        Path, typer.Argument(exists=True, help="Folder of class folders, or a CSV (path,label).")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Run folder.", show_default="runs/NAME")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 20,
    batch_size: Annotated[int, typer.Option(min=1)] = 8,
    network: Annotated[
        Network, typer.Option(help="auto is r50 on a GPU, small on a CPU.")
    ] = Network.AUTO,
    weights: Annotated[
        str | None,
        typer.Option(help="Start from a preset, a saved folder or hf://USER/REPO: its network."),
    ] = None,
    size: Annotated[int | None, typer.Option(min=32, help="Crop in pixels.")] = None,
    frames: Annotated[int | None, typer.Option(min=4, help="Frames a clip.")] = None,
    span: Annotated[
        int | None, typer.Option(min=4, help="Frames of video, at 30 a second, a clip covers.")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Peak, for 64 clips a batch.",
            show_default="0.4 for the small network from scratch, else 0.1",
        ),
    ] = None,
    consistency_weight: Annotated[float, typer.Option(min=0, help="λ of the paper.")] = 1.5,
    validation_split: Annotated[float, typer.Option(min=0.01, max=0.9)] = 0.2,
    flip: Annotated[bool, typer.Option(help="Mirror clips at random.")] = True,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Batches a step: larger ones than the memory holds.")
    ] = 1,
    rematerialize: Annotated[
        bool, typer.Option("--rematerialize", help="Less memory, more time.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Train on a folder of videos. The same command again resumes an interrupted run.

    Example: keras-acl train videos/ --epochs 30
    """
    with no_startup_noise():
        from keras_acl.training import recipes
        from keras_acl.training.runs import settings as run_settings
        from keras_acl.training.runs import train as training

    if weights is not None and network is not Network.AUTO:
        raise ValueError("--weights bring their own network: leave --network out")
    name = training.choose_network() if network is Network.AUTO else network.value
    given = {"frames": frames, "size": size, "span": span}
    changes = {key: value for key, value in given.items() if value is not None}
    if weights is None:
        clip = training.clip_for(name, **changes)
        usual_rate = training.LEARNING_RATES[name]
    else:
        clip = training.clip_of(weights, **changes)
        usual_rate = recipes.finetune().learning_rate
    settings = run_settings.RunSettings(
        source=str(folder),
        network=name,
        clip=clip,
        recipe=recipes.finetune(
            epochs=epochs,
            learning_rate=usual_rate if learning_rate is None else learning_rate,
            consistency_weight=consistency_weight,
            seed=seed,
        ),
        batch_size=batch_size,
        accumulate=accumulate,
        rematerialize=rematerialize,
        validation_split=validation_split,
        flip=flip,
        seed=seed,
        weights=weights,
    )
    output = output or Path("runs") / folder.resolve().name.removesuffix(".csv")
    what = f"the {name} two-stream network" if weights is None else weights
    screen.print(f"Training {what} on {folder}; run folder {output}")
    try:
        report = training.train_folder(settings, output, verbose=1 if sys.stdout.isatty() else 2)
    except KeyboardInterrupt:
        errors.print("\nInterrupted. The same command goes on after the last finished epoch.")
        raise typer.Exit(INTERRUPTED) from None
    _show_report(report)


@app.command()
def check_videos(
    folder: Annotated[
        Path,
        typer.Argument(exists=True, file_okay=False, help="Searched with all folders in it."),
    ],
    workers: Annotated[int | None, typer.Option(min=1, help="Files at a time.")] = None,
) -> None:
    """Decode every video in a folder and name those that are broken.

    Example: keras-acl check-videos videos/
    """
    from keras_acl.video.check import check_videos as check
    from keras_acl.video.files import find_videos

    paths = find_videos(folder)
    if not paths:
        raise ValueError(f"There is no video file in {folder}")
    with progress_bar("checking") as progress:
        problems = check(paths, workers, progress)
    for problem in problems:
        typer.echo(f"{problem.path}\t{problem.reason}")
    errors.print(f"{len(paths) - len(problems)} of {len(paths)} videos can be decoded.")
    if problems:
        raise typer.Exit(1)


@app.command()
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


@app.command()
def synthesize(
    folder: Annotated[Path, typer.Argument(help="Where to write the class folders.")],
    count: Annotated[int, typer.Option(min=1, help="Videos a class.")] = 40,
    task: Annotated[
        str, typer.Option(help="motion, appearance_motion or appearance_other_motion.")
    ] = "motion",
    distractors: Annotated[int, typer.Option(min=0)] = 3,
    frames: Annotated[int, typer.Option(min=8)] = 64,
    size: Annotated[int, typer.Option(min=32, help="Pixels.")] = 128,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Write labelled videos of moving figures, with the actor's masks beside them.

    Left and right are classes here: train on them with --no-flip.

    Example: keras-acl synthesize figures/ --count 20 --distractors 0
    """
    from keras_acl.moving_figures.dataset import MovingFigures

    figures = MovingFigures(task, distractors, frames, size)
    with progress_bar("writing") as progress:
        figures.write(folder, count, seed, progress)
    screen.print(f"{count * len(figures.labels)} videos of {len(figures.labels)} classes: {folder}")


def main() -> None:
    """Run the command line; a user's mistake is one line, not a stack trace."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.showwarning = show_warning
    try:
        app()
    except ImportError as error:
        errors.print(
            f"Error: {error}. The extras are imagenet, jax, parquet and torch.", style="red"
        )
        sys.exit(1)
    except (ValueError, OSError, RuntimeError) as error:
        errors.print(f"Error: {error}", style="red")
        sys.exit(1)


def _show_report(report) -> None:
    screen.print(
        f"Validation accuracy {report.accuracy:.1%} on {report.videos[1]} videos, one centre clip "
        f"each (the most frequent class: {report.chance:.1%}); {report.classes} classes, "
        f"{report.videos[0]} training videos, {report.epochs} epochs, {report.seconds:.0f} s."
    )
    if report.bad_files:
        screen.print(f"{report.bad_files} unreadable files: {report.folder / 'bad_videos.txt'}")
    for name in ("model.keras", "curves.png", "predictions.csv", "attention.png"):
        screen.print(f"  {report.folder / name}")
