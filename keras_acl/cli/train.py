"""The command that trains."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from keras_acl.cli.options import TrainingPrecision, Workers, resumable
from keras_acl.cli.terminal import keras_verbosity, no_startup_noise, screen

Option = typer.Option
Source = Annotated[
    Path,
    typer.Argument(
        exists=True,
        help="Folder of class folders, or a CSV (path,label); or a folder of train/ and val/, "
        "with test/ or without, each a folder of class folders.",
    ),
]
Validation = Annotated[
    Path | None,
    Option(
        exists=True,
        help="Folder or CSV of the validation videos.",
        show_default="FOLDER/val, or some are split off",
    ),
]
Test = Annotated[
    Path | None,
    Option(
        exists=True,
        help="Folder or CSV of test videos, scored at the end.",
        show_default="FOLDER/test if it is split",
    ),
]
RunFolder = Annotated[Path | None, Option(help="Run folder.", show_default="runs/NAME")]
Epochs = Annotated[
    int,
    Option(min=1, help="With more, a run goes on; its learning rate begins anew from its peak."),
]
NetworkName = Annotated[
    Literal["auto", "small", "r50", "r101"], Option(help="auto is r50 on a GPU, small on a CPU.")
]
Weights = Annotated[
    str | None, Option(help="Start from a preset, a saved folder or hf://USER/REPO: its network.")
]
Size = Annotated[int | None, Option(min=32, help="Crop in pixels.")]
Frames = Annotated[int | None, Option(min=4, help="Frames per clip.")]
Span = Annotated[
    int | None, Option(min=4, help="Frames of video, at 30 per second, that a clip covers.")
]
LearningRate = Annotated[
    float | None,
    Option(
        help="Peak, for 64 clips per batch.",
        show_default="0.4 for the small network from scratch, else 0.1",
    ),
]
Freeze = Annotated[
    Literal["none", "streams", "spatial", "temporal"] | None,
    Option(help="What is not trained; streams: all but the dense layer.", show_default="none"),
]
HeadRate = Annotated[
    float | None,
    Option(help="How many times faster the dense layer learns than the streams.", show_default="1"),
]
MultiLabel = Annotated[
    bool,
    Option("--multi-label", help="A CSV whose cells may hold several labels (left|red), or none."),
]
Balance = Annotated[bool, Option("--balance", help="Let all classes weigh the same in the loss.")]
Ema = Annotated[
    float | None,
    Option(help="Keep a moving average of the weights, with this momentum, such as 0.99."),
]
Consistency = Annotated[float, Option(min=0, help="λ of the paper.")]
Supervision = Annotated[
    float | None,
    Option(
        min=0,
        help="Weight of each stream's own loss, such as 0.5; 0 is the paper.",
        show_default="the weights', or 0",
    ),
]
ValidationSplit = Annotated[
    float | None,
    Option(min=0.01, max=0.9, help="Share kept for validation.", show_default="0.2"),
]
Flip = Annotated[bool, Option(help="Mirror clips at random.")]
Accumulate = Annotated[
    int, Option(min=1, help="Batches per step: larger ones than the memory holds.")
]
Keep = Annotated[
    Literal["best", "last"],
    Option(help="model.keras: best epoch by validation accuracy, or last; the other stays beside."),
]
Patience = Annotated[
    int | None, Option(min=1, help="Stop after so many epochs without a better accuracy.")
]
AllScores = Annotated[
    bool, Option("--all-scores", help="The scores of all classes in predictions.csv.")
]
Devices = Annotated[
    str | None,
    Option(
        help="all, or how many devices train together; with JAX also those of other processes.",
        show_default="one",
    ),
]
Processes = Annotated[
    int,
    Option(
        min=0,
        help="Decode in so many processes instead of threads: a decoder that crashes or hangs "
        "costs its video, not the run.",
    ),
]
Rematerialize = Annotated[bool, Option("--rematerialize", help="Less memory, more time.")]


def train(
    folder: Source,
    output: RunFolder = None,
    epochs: Epochs = 20,
    batch_size: Annotated[int, Option(min=1)] = 8,
    network: NetworkName = "auto",
    weights: Weights = None,
    size: Size = None,
    frames: Frames = None,
    span: Span = None,
    learning_rate: LearningRate = None,
    consistency_weight: Consistency = 1.5,
    stream_supervision: Supervision = None,
    freeze: Freeze = None,
    head_rate: HeadRate = None,
    balance: Balance = False,
    multi_label: MultiLabel = False,
    ema: Ema = None,
    validation: Validation = None,
    test: Test = None,
    validation_split: ValidationSplit = None,
    flip: Flip = True,
    accumulate: Accumulate = 1,
    rematerialize: Rematerialize = False,
    keep: Keep = "best",
    patience: Patience = None,
    all_scores: AllScores = False,
    seed: Annotated[int, Option(min=0)] = 0,
    precision: TrainingPrecision = None,
    workers: Workers = None,
    processes: Processes = 0,
    devices: Devices = None,
) -> None:
    """Train on a folder of videos. The same command again resumes an interrupted run.

    Example: keras-acl train videos/ --epochs 30
    """
    with no_startup_noise():
        from keras_acl.system.distribution import join
        from keras_acl.training.runs import default_folder, plan_run

        join(devices)  # before anything asks JAX for its devices
    length = {"epochs": epochs, "learning_rate": learning_rate, "patience": patience}
    few_videos = {"freeze": freeze, "head_rate": head_rate, "balance": balance, "ema": ema}
    losses = {"consistency_weight": consistency_weight, "stream_supervision": stream_supervision}
    sides = {"validation": validation, "test": test, "validation_split": validation_split}
    larger = {"batch_size": batch_size, "accumulate": accumulate, "rematerialize": rematerialize}
    others = {"flip": flip, "keep": keep, "all_scores": all_scores, "multi_label": multi_label}
    reading = {"workers": workers, "processes": processes}
    settings = plan_run(
        folder,
        network,
        weights,
        clip={"frames": frames, "size": size, "span": span},
        recipe={**length, **few_videos, **losses},
        **{**sides, **larger, **others, **reading},
        seed=seed,
        precision=precision,
    )
    _train(settings, output or default_folder(folder), devices)


def _train(settings, output: Path, devices: str | None) -> None:
    """Say what is trained, train, and show what came out."""
    from keras_acl.system.distribution import is_first
    from keras_acl.training.runs import train_folder

    what = settings.weights or f"the {settings.network} two-stream network"
    if is_first():
        screen.print(f"Training {what} on {settings.source}; run folder {output}")
        for side, where in (("Validation", settings.validation), ("Test", settings.test)):
            if where is not None:
                screen.print(f"{side} videos: {where}")
    with resumable("after the last finished epoch"):
        report = train_folder(settings, output, keras_verbosity(), devices)
    if report is not None:  # of the first process
        _show_report(report)


def _show_report(report) -> None:
    chance = "at random" if report.multi_label else "the most frequent class"
    screen.print(
        f"Validation {report.measure} {report.accuracy:.1%} on {report.videos[1]} videos, one "
        f"centre clip each ({chance}: {report.chance:.1%}); {report.classes} classes, "
        f"{report.videos[0]} training videos, {report.epochs} epochs, {report.seconds:.0f} s."
    )
    if report.test_accuracy is not None:
        screen.print(
            f"Test {report.measure} {report.test_accuracy:.1%} on {report.test_videos} videos."
        )
    if report.bad_files:
        files = "file" if report.bad_files == 1 else "files"
        screen.print(f"{report.bad_files} unreadable {files}: {report.folder / 'bad_videos.txt'}")
    for model in report.models:
        screen.print(f"  {report.folder / model.file} (epoch {model.epoch}: {model.which})")
    names = ["curves.png", "predictions.csv", "attention.png"]
    if report.test_accuracy is not None:
        names.insert(2, "test_predictions.csv")
    for name in names:
        screen.print(f"  {report.folder / name}")
