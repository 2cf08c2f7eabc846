"""Commands about accuracy: evaluate, report."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from keras_acl.cli.options import (
    AsJson,
    Engine,
    SavedModel,
    Shard,
    Workers,
    load_to_evaluate,
    read_shard,
    resumable,
)
from keras_acl.cli.terminal import errors, no_startup_noise, progress_bar, screen

SHOWN = 5  # unreadable files that are named

Option = typer.Option
Source = Annotated[
    str | None,
    typer.Argument(
        help="Folder of class folders, a CSV (path,label), ucf101 or kinetics.",
        show_default="what a run folder held out",
    ),
]
Videos = Annotated[Path | None, Option(help="With ucf101 and kinetics: where the videos are.")]
Annotations = Annotated[
    Path | None, Option(help="ucf101: folder of testlist01.txt …; kinetics: the table, a CSV.")
]
Positions = Annotated[bool, Option(help="Average the scores over positions, as PySlowFast does.")]
Output = Annotated[
    Path | None,
    Option(help="Folder for the scores.", show_default="runs/evaluate-MODEL-SOURCE, or RUN"),
]
BatchSize = Annotated[
    int | None, Option(min=1, help="Views computed at once.", show_default="3; 30 on a GPU")
]


def evaluate(
    model: SavedModel,
    source: Source = None,
    videos: Videos = None,
    annotations: Annotations = None,
    split: Annotated[int, Option(min=1, max=3, help="Split of ucf101.")] = 1,
    clips: Annotated[int, Option(min=1, help="Clips per video.")] = 10,
    crops: Annotated[
        str, Option(help="Crops per clip, a number, or ten: corners, centre and mirrored.")
    ] = "3",
    fully_convolutional: Positions = False,
    output: Output = None,
    batch_size: BatchSize = None,
    workers: Workers = None,
    shard: Shard = None,
    engine: Engine = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure accuracy with many views of each video, by default the 30 of the literature.

    Of a multi-label model, mean average precision: labels.csv has that of every label.

    The same command again goes on where an interrupted one stopped. A run folder alone is
    measured on the videos that it held out.

    Example: keras-acl evaluate runs/videos
    """
    part, crop_number = read_shard(shard), _read_crops(crops)
    with no_startup_noise():
        from keras_acl.evaluation import evaluate_views
        from keras_acl.evaluation.source import note_model, read_source

    # A head that averages over places is no part of an engine.
    loaded = load_to_evaluate(model, "keras" if fully_convolutional else engine)
    listed = read_source(
        model, source, loaded.labels, videos, annotations, split, loaded.multi_label
    )
    output = output or listed.folder
    with (
        resumable("after the last finished video"),
        progress_bar("evaluating", unit="views") as progress,
    ):
        scores = evaluate_views(
            loaded,
            listed.videos,
            clips,
            crop_number,
            fully_convolutional=fully_convolutional,
            output=output,
            dataset=listed.name,
            batch_size=batch_size,
            shard=part,
            workers=workers,
            progress=progress,
        )
    note_model(output, model, scores.fingerprint)
    _show(scores, output, as_json)


def _read_crops(text: str) -> int | Literal["ten"]:
    """A number of crops, or the word.

    Raises:
        ValueError: If it is neither.
    """
    if text == "ten":
        return "ten"
    if not (text.isdecimal() and int(text)):
        raise ValueError(f"--crops is a number from 1 on, or ten. Received: {text}")
    return int(text)


def _show(scores, output: Path, as_json: bool) -> None:
    """What came out: the videos that failed, then the numbers."""
    from keras_acl.evaluation import multi_label_summary, summary

    failed = [(p, why) for p, why in zip(scores.paths, scores.problems, strict=True) if why]
    for path, problem in failed[:SHOWN]:
        errors.print(f"Not in the mean: {path}: {problem}", style="yellow")
    if len(failed) > SHOWN:
        errors.print(f"Not in the mean: {len(failed) - SHOWN} more", style="yellow")
    if not scores.complete:
        pending = int((~(scores.done | scores.failed)).sum())
        errors.print(f"This part is done; {pending} videos wait for the other parts: {output}")
        return
    values = multi_label_summary(scores) if scores.multi_label else summary(scores)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(values), indent=2))
    else:
        names = ["scores.npz", "metrics.json", *["labels.csv"] * scores.multi_label]
        files = (str(output / name) for name in names)
        screen.print(*str(values).splitlines(), *files, sep="\n  ")


def report(
    run: Annotated[Path, typer.Argument(help="Folder that `keras-acl evaluate` wrote.")],
    run2: Annotated[
        Path | None, typer.Argument(help="A second one, compared with the first.")
    ] = None,
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    groups: Annotated[
        Path | None,
        typer.Option(help="CSV of named groups of classes (group,label).", show_default="paper's"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="RUN's model, for the attention.", show_default="the one evaluated"),
    ] = None,
    hardest: Annotated[int, typer.Option(min=0, help="Hardest videos shown.")] = 8,
) -> None:
    """Write a page about an evaluation, or about the difference of two: one HTML file.

    Example: keras-acl report runs/test --output report.html
    """
    with no_startup_noise():
        from keras_acl.report.write import write_report

    with progress_bar("looking") as progress:
        write_report(run, output, run2, groups, model, hardest, progress)
    screen.print(f"{output} ({output.stat().st_size / 1000:,.0f} kB; it needs no other file)")
