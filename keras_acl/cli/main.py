"""The application: its commands, and what becomes of errors."""

import os
import sys
import warnings

import typer

from keras_acl.cli import attention, evaluate, predict, speed, train, videos, weights
from keras_acl.cli.terminal import errors, show_warning

app = typer.Typer(
    help="Video action recognition that shows where it looks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    train.train,
    predict.predict,
    evaluate.evaluate,
    evaluate.report,
    attention.explain,
    attention.attention,
    predict.features,
    speed.bench,
    speed.costs,
    speed.summary,
    videos.shrink,
    videos.check_videos,
    videos.synthesize,
    weights.presets,
    weights.import_,
    weights.publish,
):
    app.command(command.__name__.strip("_").replace("_", "-"))(command)


def main() -> None:
    """Run the command line; a user's mistake is one line, not a stack trace."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.showwarning = show_warning
    try:
        app()
    except ImportError as error:
        errors.print(
            f"Error: {error}. The extras are imagenet, jax, parquet and torch.", style="red"
        )
        sys.exit(1)
    except (ValueError, OSError, RuntimeError) as error:
        errors.print(f"Error: {error}", style="red")
        sys.exit(1)
