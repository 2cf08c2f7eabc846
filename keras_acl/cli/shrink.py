"""The verb of the command line that makes videos cheap to decode: shrink."""

from pathlib import Path
from typing import Annotated

import typer

from keras_acl.cli.options import INTERRUPTED
from keras_acl.cli.terminal import errors, progress_bar, screen


def shrink(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="Searched with all folders in it.")
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the copies; names stay the same.")],
    short_side: Annotated[
        int, typer.Option(min=16, help="Pixels of the shorter side; nothing is enlarged.")
    ] = 320,
    quality: Annotated[
        int, typer.Option(min=0, max=51, help="x264's crf: 0 is lossless, 51 the worst.")
    ] = 20,
    workers: Annotated[int | None, typer.Option(min=1, help="Files at a time.")] = None,
) -> None:
    """Copy videos so that training decodes them faster: smaller, often a key frame, no sound.

    Class folders and lists stay as they are. The same command again goes on after an interruption.

    Example: keras-acl shrink videos/ videos320/
    """
    from keras_acl.video.shrink import shrink_videos

    try:
        with progress_bar("shrinking", unit="videos") as progress:
            report = shrink_videos(folder, output, short_side, quality, workers, progress)
    except KeyboardInterrupt:
        errors.print("\nInterrupted. The same command goes on with the videos that are left.")
        raise typer.Exit(INTERRUPTED) from None
    for problem in report.problems:
        typer.echo(f"{problem.path}\t{problem.reason}")
    before, after = report.bytes_before / 1e6, report.bytes_after / 1e6
    share = f" ({after / before:.0%})" if before else ""
    there = f", {report.finished} of them from before" if report.finished else ""
    screen.print(
        f"{output}: {report.written + report.finished} videos{there}. "
        f"{before:,.1f} MB became {after:,.1f} MB{share}."
    )
    if report.problems:
        errors.print(f"Videos that cannot be read and have no copy: {len(report.problems)}.")
        raise typer.Exit(1)
