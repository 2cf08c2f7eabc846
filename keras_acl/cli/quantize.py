"""The command that writes a model in int8."""

from pathlib import Path
from typing import Annotated

import typer

from keras_acl.cli.options import AllMaps, Maps, SavedModel
from keras_acl.cli.terminal import errors, no_startup_noise, progress_bar, screen

SHOWN = 5  # unreadable files that are named


def quantize(
    model: SavedModel,
    videos: Annotated[
        str,
        typer.Argument(help="A folder of videos like those to come, or a CSV."),
    ],
    out: Annotated[
        Path, typer.Argument(help="A file that ends in .xml (OpenVINO), .onnx or .tflite (LiteRT).")
    ],
    evaluate: Annotated[
        Path | None,
        typer.Option(
            help="Folder of class folders, or a CSV (path,label), to compare on.",
            show_default="videos of VIDEOS that are not calibrated with",
        ),
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="Clips to calibrate with.")] = 300,
    accept: Annotated[
        bool, typer.Option("--accept", help="Write it even if more than 1 % of the answers differ.")
    ] = False,
    maps: Maps = False,
    all_maps: AllMaps = False,
) -> None:
    """Write a model in int8 for OpenVINO, ONNX Runtime or LiteRT, and compare it with float32.

    Needs the extra quantize. The figures are written beside it, as NAME.quantization.json.

    Example: keras-acl quantize runs/videos videos/ model.xml
    """
    with no_startup_noise():
        from keras_acl.inference.quantize_formats import check_quantizer
        from keras_acl.inference.quantize_model import quantize as write
        from keras_acl.pretrained import load_any

    check_quantizer(out.suffix)  # before a large model is loaded
    with progress_bar("quantising") as progress:
        done = write(
            load_any(model),
            videos,
            out,
            maps="all" if all_maps else maps,
            clips=clips,
            evaluate=evaluate,
            accept=accept,
            progress=progress,
        )
    for path, reason in done.skipped[:SHOWN]:
        errors.print(f"Left out: {path}: {reason}", style="yellow")
    if len(done.skipped) > SHOWN:
        errors.print(f"Left out: {len(done.skipped) - SHOWN} more", style="yellow")
    if not done.held_out:
        errors.print(
            "It was compared on the clips that it was calibrated with: there were no others.",
            style="yellow",
        )
    screen.print(*str(done).splitlines(), sep="\n")
    screen.print(f"Written: {done.path} ({done.format})")
