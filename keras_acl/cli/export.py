"""The command that writes a model for another engine."""

from pathlib import Path
from typing import Annotated

import typer

from keras_acl.cli.options import AllMaps, Maps, SavedModel
from keras_acl.cli.terminal import no_startup_noise, screen


def export(
    model: SavedModel,
    out: Annotated[
        Path,
        typer.Argument(
            help="A file that ends in .xml (OpenVINO), .onnx, .tflite (LiteRT) or .pt2 (torch), or "
            "a folder for a TensorFlow SavedModel."
        ),
    ],
    maps: Maps = False,
    all_maps: AllMaps = False,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Clips of a batch.", show_default="any number"),
    ] = None,
    video: Annotated[
        str | None,
        typer.Option(help="A video to compare on.", show_default="drawn figures"),
    ] = None,
) -> None:
    """Write a model for OpenVINO, ONNX Runtime, LiteRT, TensorFlow or torch.

    The file takes uint8 clips and returns logits. It is run at once, and refused if it computes
    something else than the model. KERAS_BACKEND=torch for .pt2.

    Example: keras-acl export runs/videos model.onnx
    """
    with no_startup_noise():
        from keras_acl.inference.export_formats import format_of
        from keras_acl.inference.export_model import export as write
        from keras_acl.pretrained import load_any

    format_of(out).check_installed()  # before a large model is loaded
    done = write(load_any(model), out, maps="all" if all_maps else maps, batch=batch, video=video)
    screen.print(
        f"Written: {done.path} ({done.format}). Run once, it differs from the Keras model by "
        f"{done.difference:.0e} at most."
    )
