"""Commands about accuracy: evaluate, report."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from keras_acl.cli.options import INTERRUPTED, AsJson, SavedModel, Workers
from keras_acl.cli.terminal import errors, no_startup_noise, progress_bar, screen
from keras_acl.system.atomic_write import written_whole

SHOWN = 5  # unreadable files that are named
BENCHMARKS = ("ucf101", "kinetics")

Option = typer.Option
Source = Annotated[
    str, typer.Argument(help="Folder of class folders, a CSV (path,label), ucf101 or kinetics.")
]
Videos = Annotated[Path | None, Option(help="With ucf101 and kinetics: where the videos are.")]
Annotations = Annotated[
    Path | None, Option(help="ucf101: folder of testlist01.txt …; kinetics: the table, a CSV.")
]
Positions = Annotated[bool, Option(help="Average the softmax over positions, as PySlowFast does.")]
Output = Annotated[
    Path | None, Option(help="Folder for the scores.", show_default="runs/evaluate-MODEL-SOURCE")
]
BatchSize = Annotated[
    int | None, Option(min=1, help="Views computed at once.", show_default="3; 30 on a GPU")
]
Shard = Annotated[str | None, Option(help="1/4: the first of four processes that share the work.")]


def evaluate(
    model: SavedModel,
    source: Source,
    videos: Videos = None,
    annotations: Annotations = None,
    split: Annotated[int, Option(min=1, max=3, help="Split of ucf101.")] = 1,
    clips: Annotated[int, Option(min=1, help="Clips per video.")] = 10,
    crops: Annotated[int, Option(min=1, help="Crops per clip.")] = 3,
    fully_convolutional: Positions = False,
    output: Output = None,
    batch_size: BatchSize = None,
    workers: Workers = None,
    shard: Shard = None,
    as_json: AsJson = False,
) -> None:
    """Measure accuracy with many views of each video, by default the 30 of the literature.

    The same command again goes on where an interrupted one stopped.

    Example: keras-acl evaluate runs/videos test/ --output runs/test
    """
    part = _shard(shard)
    with no_startup_noise():
        from keras_acl.evaluation import evaluate_views
        from keras_acl.pretrained import load_any

    loaded = load_any(model)
    # Paths that a report finds from anywhere, and that are the same in every run.
    if source not in BENCHMARKS and os.path.exists(source):
        source = os.path.abspath(source)
    videos = None if videos is None else videos.absolute()
    listed, dataset = _read(source, loaded.labels, videos, annotations, split)
    names = [Path(name.split("://")[-1]).name.removesuffix(".keras") for name in (model, source)]
    output = output or Path("runs") / "-".join(["evaluate", *names]).removesuffix(".csv")
    try:
        with progress_bar("evaluating", unit="views") as progress:
            scores = evaluate_views(
                loaded,
                listed,
                clips,
                crops,
                fully_convolutional=fully_convolutional,
                output=output,
                dataset=dataset,
                batch_size=batch_size,
                shard=part,
                workers=workers,
                progress=progress,
            )
    except KeyboardInterrupt:
        errors.print("\nInterrupted. The same command goes on after the last finished video.")
        raise typer.Exit(INTERRUPTED) from None
    _note_model(output, model, scores.fingerprint)
    _show(scores, output, as_json)


def _show(scores, output: Path, as_json: bool) -> None:
    """What came out: the videos that failed, then the numbers."""
    from keras_acl.evaluation import summary

    failed = [(p, why) for p, why in zip(scores.paths, scores.problems, strict=True) if why]
    for path, problem in failed[:SHOWN]:
        errors.print(f"Not in the mean: {path}: {problem}", style="yellow")
    if len(failed) > SHOWN:
        errors.print(f"Not in the mean: {len(failed) - SHOWN} more", style="yellow")
    if not scores.complete:
        pending = int((~(scores.done | scores.failed)).sum())
        errors.print(f"This part is done; {pending} videos wait for the other parts: {output}")
        return
    values = summary(scores)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(values), indent=2))
    else:
        screen.print(f"{values}\n  {output / 'scores.npz'}\n  {output / 'metrics.json'}")


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


def _shard(text: str | None) -> tuple[int, int]:
    """(index, count) of "1/4"."""
    if text is None:
        return 0, 1
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ValueError(f"--shard is a part and the number of parts, as in 1/4. Received: {text}")
    return int(number) - 1, int(count)


def _read(source: str, labels, videos: Path | None, annotations: Path | None, split: int):
    """The videos of a source and the name of the data set."""
    from keras_acl.data import read_csv, read_directory, read_kinetics, read_ucf101

    if source in BENCHMARKS:
        if videos is None or annotations is None:
            raise ValueError(f"{source} needs --videos and --annotations: where its files are")
        if source == "ucf101":
            return read_ucf101(videos, annotations, split, "test"), f"UCF101, test split {split}"
        return read_kinetics(videos, annotations, labels), f"Kinetics, {annotations.name}"
    if videos is not None or annotations is not None:
        raise ValueError("--videos and --annotations go with ucf101 and kinetics only")
    path = Path(source)
    if path.is_dir():
        return read_directory(path, labels), path.resolve().name
    if not path.exists():
        raise FileNotFoundError(
            f"There is no folder or CSV {source}. Expected one, or ucf101 or kinetics"
        )
    return read_csv(path, labels), path.stem


def _note_model(output: Path, model: str, fingerprint: str) -> None:
    """Leave in the folder what a report needs to load the model again."""
    # Another folder of a preset's name is not the model.
    saved = (Path(model), Path(model) / "model.keras", Path(model) / "metadata.json")
    local = any(file.is_file() for file in saved)
    note = {"model": os.path.abspath(model) if local else model, "fingerprint": fingerprint}
    with written_whole(output / "evaluation.json") as beside:
        beside.write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
