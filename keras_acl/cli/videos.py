"""Commands about video files: check-videos, flow, shrink, synthesize."""

from pathlib import Path
from typing import Annotated

import typer

from keras_acl.cli.options import Workers, resumable
from keras_acl.cli.terminal import errors, progress_bar, screen
from keras_acl.system.printable import escaped

Folder = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, help="Searched with all folders in it.")
]


def check_videos(folder: Folder, workers: Workers = None) -> None:
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
        typer.echo(f"{escaped(problem.path)}\t{escaped(problem.reason)}")
    errors.print(f"{len(paths) - len(problems)} of {len(paths)} videos can be decoded.")
    if problems:
        raise typer.Exit(1)


def flow(
    folder: Folder,
    method: Annotated[
        str | None,
        typer.Option(
            help="dis, the fast one (default), or tvl1, which TSN and I3D were trained with."
        ),
    ] = None,
    workers: Workers = None,
) -> None:
    """Compute the optical flow that networks of flow see, and keep it beside the videos.

    The flow of videos/NAME is videos/.flow/NAME.mp4. What is missing is computed when it is first
    read, too. The same command again goes on after an interruption.

    Example: keras-acl flow videos/
    """
    from keras_acl.video.files import find_videos
    from keras_acl.video.flow import compute_flow

    paths = find_videos(folder)
    if not paths:
        raise ValueError(f"There is no video file in {folder}")
    with (
        resumable("with the videos that are left"),
        progress_bar("computing flow", unit="videos") as progress,
    ):
        report = compute_flow(paths, method, workers, progress)
    for problem in report.problems:
        typer.echo(f"{escaped(problem.path)}\t{escaped(problem.reason)}")
    there = f", {report.finished} of them from before" if report.finished else ""
    screen.print(f"{folder}: the flow of {report.written + report.finished} videos{there}.")
    if report.problems:
        errors.print(f"Videos that cannot be read and have no flow: {len(report.problems)}.")
        raise typer.Exit(1)


def shrink(
    folder: Folder,
    output: Annotated[Path, typer.Argument(help="Folder for the copies; names stay the same.")],
    short_side: Annotated[
        int, typer.Option(min=16, help="Pixels of the shorter side; nothing is enlarged.")
    ] = 320,
    codec: Annotated[
        str | None,
        typer.Option(
            help="mpeg4, which decodes fastest (default), or h264, which is smaller and plays in "
            "browsers."
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            min=0, max=51, help="mpeg4: 1 (best) to 31, 3 by default. h264: 0 to 51, 20 by default."
        ),
    ] = None,
    workers: Workers = None,
) -> None:
    """Copy videos so that training decodes them faster: smaller, often a key frame, no sound.

    Class folders and lists stay as they are. The same command again goes on after an interruption.

    Example: keras-acl shrink videos/ videos320/
    """
    from keras_acl.video.shrink import shrink_videos

    with (
        resumable("with the videos that are left"),
        progress_bar("shrinking", unit="videos") as progress,
    ):
        report = shrink_videos(folder, output, short_side, quality, workers, progress, codec)
    for problem in report.problems:
        typer.echo(f"{escaped(problem.path)}\t{escaped(problem.reason)}")
    before, after = report.bytes_before / 1e6, report.bytes_after / 1e6
    share = f" ({after / before:.0%})" if before else ""
    there = f", {report.finished} of them from before" if report.finished else ""
    screen.print(
        f"{output}: {report.written + report.finished} videos{there}. "
        f"{before:,.1f} MB became {after:,.1f} MB{share}."
    )
    if after > before:
        screen.print("Copies of small videos can be larger; --codec h264 makes the smallest.")
    if report.problems:
        errors.print(f"Videos that cannot be read and have no copy: {len(report.problems)}.")
        raise typer.Exit(1)


def synthesize(
    folder: Annotated[Path, typer.Argument(help="Where to write the class folders.")],
    count: Annotated[int, typer.Option(min=1, help="Videos per class.")] = 40,
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
