"""The verb of the command line that shows an evaluation: report."""

from pathlib import Path
from typing import Annotated

import typer

from keras_acl.cli.terminal import no_startup_noise, progress_bar, screen


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
