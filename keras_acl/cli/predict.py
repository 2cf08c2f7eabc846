"""Commands that show videos to a model: predict (with timelines), features."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Column, Table

from keras_acl.cli.options import (
    AsJson,
    Engine,
    InferencePrecision,
    SavedModel,
    VideoFiles,
    Workers,
    load_for_inference,
    output_names,
)
from keras_acl.cli.terminal import errors, no_startup_noise, progress_bar, screen

NONE_REACHES = "no label reaches 0.5; --top 3 shows the best"

Option = typer.Option
Clips = Annotated[int | None, Option(min=1, help="Clips per video.", show_default="3")]
Top = Annotated[
    int | None,
    Option(min=1, help="Classes shown.", show_default="3; of a multi-label model, all from 0.5 on"),
]
InParts = Annotated[bool, Option("--timeline", help="What happens when, in long recordings.")]
Stride = Annotated[
    float | None, Option(help="Timeline: seconds between windows.", show_default="half a clip")
]
Threshold = Annotated[
    float | None,
    Option(
        min=0,
        max=1,
        help="Timeline: least score in a segment.",
        show_default="0.3; of a multi-label model, 0.5",
    ),
]
Csv = Annotated[Path | None, Option(help="A CSV to write: path, label, score, label_2, …")]
Output = Annotated[Path | None, Option(help="Timeline: folder for NAME.csv, NAME.json, NAME.png.")]


def predict(
    model: SavedModel,
    videos: VideoFiles,
    clips: Clips = None,
    top: Top = None,
    workers: Workers = None,
    precision: InferencePrecision = None,
    engine: Engine = "auto",
    as_json: AsJson = False,
    csv: Csv = None,
    timeline: InParts = False,
    stride: Stride = None,
    threshold: Threshold = None,
    output: Output = None,
) -> None:
    """Classify video files, or with --timeline every part of long recordings.

    Example: keras-acl predict runs/videos clip.mp4 --top 5
    """
    from keras_acl.video.files import list_files

    paths = list_files(videos)
    if timeline:
        if (clips, top, workers) != (None, None, None):
            raise ValueError(
                "--clips, --top and --workers do not go with --timeline, which sees everything"
            )
        if csv is not None:
            raise ValueError("--csv does not go with --timeline: --output writes its CSV files")
        loaded = load_for_inference(model, precision, engine)
        _show_timelines(loaded, paths, stride, threshold, output, as_json)
        return
    if (stride, threshold, output) != (None, None, None):
        raise ValueError("--stride, --threshold and --output belong to --timeline: add it")
    with no_startup_noise():
        from keras_acl.inference.predict import predict_videos

    loaded = load_for_inference(model, precision, engine)
    with progress_bar("predicting") as progress:
        predictions = predict_videos(loaded, paths, clips or 3, progress, workers)
    said = [
        one.above() if loaded.multi_label and top is None else one.top(top or 3)
        for one in predictions
    ]
    _show_predictions(predictions, said, loaded.class_names, as_json)
    if csv is not None:
        _write_predictions(csv, predictions, said, loaded.class_names)
    if any(prediction.problem for prediction in predictions):
        raise typer.Exit(1)


def _show_predictions(predictions, said: Sequence, names: Sequence[str], as_json: bool) -> None:
    """Print the classes and scores that are `said` of each video."""
    if as_json:
        rows = [
            {
                "path": prediction.path,
                "problem": prediction.problem,
                "predictions": [
                    {"label": names[index], "score": round(score, 6)} for index, score in found
                ],
            }
            for prediction, found in zip(predictions, said, strict=True)
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(Column("video", overflow="fold"), "class", "score")
    for prediction, found in zip(predictions, said, strict=True):
        lines = [(names[index], f"{score:.3f}") for index, score in found]
        if not lines:
            problem = prediction.problem
            lines = [(f"cannot be read: {problem}" if problem else NONE_REACHES, "")]
        table.add_row(prediction.path, *(Group(*column) for column in zip(*lines, strict=True)))
    screen.print(table)


def _write_predictions(file: Path, predictions, said: Sequence, names: Sequence[str]) -> None:
    """Write a line for each video; one that cannot be read has its problem instead of scores."""
    import csv

    from keras_acl.system.atomic_write import written_whole

    count = max([1, *map(len, said)])
    columns = [f"{name}_{place}" for place in range(1, count + 1) for name in ("label", "score")]
    columns[:2] = ["label", "score"]
    with (
        written_whole(file) as beside,
        # File names that are no UTF-8 go as they came.
        open(beside, "w", newline="", encoding="utf-8", errors="surrogateescape") as lines,
    ):
        writer = csv.writer(lines)
        writer.writerow(["path", *columns, "problem"])
        for one, found in zip(predictions, said, strict=True):
            cells = [cell for index, score in found for cell in (names[index], f"{score:.6f}")]
            blank = [""] * (len(columns) - len(cells))
            writer.writerow([one.path, *cells, *blank, one.problem or ""])
    screen.print(f"{file}")


def _show_timelines(
    model,
    paths: Sequence[str],
    stride: float | None,
    threshold: float | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Print what happens when in long recordings; `predict --timeline`.

    Args:
        model: A classifier.
        paths: Video files.
        stride: Seconds from a window to the next; half a clip if `None`.
        threshold: As in `Timeline.segments`.
        output: Folder for NAME.csv, NAME.json and NAME.png of each video.
        as_json: JSON instead of a table.

    Raises:
        ValueError: If two videos would write the same files.
        Exit: With code 1 if something is wrong with a video.
    """
    names = output_names(paths) if output is not None else []
    with no_startup_noise():
        from keras_acl.data import DecodingError
        from keras_acl.inference.timeline import predict_timeline
        from keras_acl.inference.timeline_plot import plot_timeline

    rows = []
    for number, path in enumerate(paths):
        try:
            with progress_bar(f"{Path(path).name}, seconds") as progress:
                timeline = predict_timeline(model, path, stride, progress=progress)
        except DecodingError as error:
            rows.append({"path": path, "problem": error.reason, "segments": []})
            continue
        segments = timeline.segments(threshold=threshold)
        rows.append(timeline.to_dict(segments, windows=False))
        if output is not None:
            timeline.to_csv(output / f"{names[number]}.csv", segments)
            timeline.to_json(output / f"{names[number]}.json", segments)
            plot_timeline(timeline, output / f"{names[number]}.png", segments)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            _print_segments(row)
        if output is not None and any("seconds" in row for row in rows):
            screen.print(f"CSV, JSON and pictures: {output}")
    if any(row["problem"] for row in rows):
        raise typer.Exit(1)


def _print_segments(row: dict) -> None:
    from keras_acl.inference.timeline_plot import minutes

    table = Table("start", "end", Column("class", overflow="fold"), "score", title=row["path"])
    table.title_justify = "left"
    for column in (0, 1, 3):
        table.columns[column].justify = "right"
    for segment in row["segments"]:
        start, end = (minutes(segment[name], digits=1) for name in ("start", "end"))
        table.add_row(start, end, segment["label"], f"{segment['score']:.3f}")
    if "seconds" not in row:  # nothing was read
        screen.print(f"{row['path']}: cannot be read: {row['problem']}")
        return
    if row["segments"]:
        screen.print(table)
    else:
        screen.print(f"{row['path']}: no class reaches the threshold; a lower one is --threshold 0")
    if row["problem"]:
        errors.print(f"{row['path']}: {row['problem']}. The rest was read.", style="yellow")


def features(
    model: SavedModel,
    videos: Annotated[
        list[str],
        typer.Argument(help="A folder of class folders, a CSV (path,label), or videos (or URLs)."),
    ],
    output: Annotated[Path, typer.Option(help="File to write: .npz, or .parquet (needs pyarrow).")],
    clips: Annotated[int, Option(min=1, help="Clips per video.")] = 1,
    average: Annotated[bool, Option(help="One vector per video, or one per clip.")] = True,
    workers: Workers = None,
    precision: InferencePrecision = None,
    engine: Engine = "auto",
) -> None:
    """Write the pooled features that the dense layer sees, video by video.

    If it is interrupted, the same command goes on where it stopped.

    Example: keras-acl features k400 videos/ --output features.npz
    """
    with no_startup_noise():
        from keras_acl.data.sources import list_videos
        from keras_acl.inference.feature_extraction import check_output, save_features
        from keras_acl.inference.feature_extraction import features as extract

    check_output(output)
    found = list_videos(videos)
    loaded = load_for_inference(model, precision, engine)
    with progress_bar("reading") as progress:
        unfinished = output.with_name(f"{output.name}.unfinished.npz")
        extracted = extract(
            loaded,
            found,
            clips,
            average=average,
            progress=progress,
            resume=unfinished,
            workers=workers,
        )
    for path, problem in zip(extracted.paths, extracted.problems, strict=True):
        if problem:
            errors.print(f"{path}: cannot be read: {problem}", style="yellow")
    save_features(extracted, output)
    good = sum(problem is None for problem in extracted.problems)
    screen.print(f"{good} of {len(found)} videos, {extracted.features.shape[-1]} numbers: {output}")
    if good < len(found):
        raise typer.Exit(1)
