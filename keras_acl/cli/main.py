"""The application: its commands, and what becomes of errors."""

import os
import sys
from typing import Annotated, NoReturn

import typer

from keras_acl import __version__
from keras_acl.cli import (
    archive,
    attention,
    evaluate,
    export,
    predict,
    quantize,
    speed,
    train,
    videos,
    weights,
)
from keras_acl.cli.options import with_options
from keras_acl.cli.terminal import logger, start_logging

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# As they are listed: what most people come for stands first.
VERBS = {
    "From your videos to a report": (
        train.train,
        predict.predict,
        evaluate.evaluate,
        attention.explain,
        evaluate.report,
    ),
    "More about a model": (
        attention.attention,
        predict.features,
        archive.classify,
        speed.summary,
        speed.bench,
        speed.costs,
    ),
    "Video files": (videos.check_videos, videos.flow, videos.shrink, videos.synthesize),
    "Weights": (
        weights.presets,
        weights.download,
        weights.import_,
        export.export,
        quantize.quantize,
        weights.publish,
    ),
}
COMPUTING = {
    train.train,
    predict.predict,
    predict.features,
    evaluate.evaluate,
    evaluate.report,
    attention.explain,
    attention.attention,
    speed.bench,
}
for panel, commands in VERBS.items():
    for command in commands:
        name = command.__name__.strip("_").replace("_", "-")
        app.command(name, rich_help_panel=panel)(with_options(command, command in COMPUTING))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"keras-acl {__version__}")
        raise typer.Exit


@app.callback()
def keras_acl(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Video action recognition that shows where it looks."""


def main() -> None:
    """Run the command line; a user's mistake is one line, not a stack trace."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    start_logging()
    if "" in sys.argv[1:]:  # a path would become the current folder
        _fail("An argument is empty. Is a shell variable unset?")
    try:
        app(prog_name="keras-acl")  # so, too, as `python -m keras_acl`
    except ImportError as error:
        extras = "deploy, flow, imagenet, jax, keras-cv, parquet, quantize, ray and torch"
        _fail(f"{error}. The extras are {extras}.")
    except OSError as error:
        known = error.filename is not None and error.strerror is not None
        _fail(f"{error.filename}: {error.strerror}" if known else error)
    except (ValueError, RuntimeError) as error:
        _fail(error)
    except MemoryError as error:
        _fail(f"There is not enough memory. {error}".rstrip())
    except Exception as error:
        what = str(error).partition("\n")[0]
        _fail(
            f"{type(error).__name__}: {what}. This should not happen; "
            "with -v the same command says where it did."
        )


def _fail(error: object) -> NoReturn:
    logger.error("%s", error)
    logger.debug("Where it arose:", exc_info=True)
    sys.exit(1)
