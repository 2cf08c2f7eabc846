"""What several commands have in common."""

import collections
import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from keras_acl.cli.terminal import errors, no_startup_noise, set_verbosity
from keras_acl.system.choose_device import choose_device
from keras_acl.system.launcher import launch

INTERRUPTED = 130  # 128 + SIGINT, the shell's habit

SavedModel = Annotated[
    str,
    typer.Argument(
        help="A .keras file, a run folder, a saved folder, a preset's name or hf://USER/REPO."
    ),
]
VideoFiles = Annotated[
    list[str],
    typer.Argument(
        help="Video files, folders of them, folders of numbered pictures, or http(s) URLs."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Files read at a time.", show_default="one per CPU core"),
]
Shard = Annotated[
    str | None,
    typer.Option(
        help="1/4: the first of four processes that share the work; auto: as the launcher "
        "(srun, mpirun, KERAS_DISTRIBUTION_…) says."
    ),
]
InferencePrecision = Annotated[
    Literal["float32", "bfloat16", "float16"] | None,
    typer.Option("--precision", help="What it computes in.", show_default="the model's"),
]
Engine = Annotated[
    Literal["auto", "keras", "openvino"],
    typer.Option(
        help="What computes; auto: OpenVINO on a CPU where it is installed.",
        envvar="KERAS_ACL_ENGINE",
    ),
]
Maps = Annotated[
    bool, typer.Option("--maps", help="Return both attention maps and the features, too.")
]
AllMaps = Annotated[
    bool, typer.Option("--all-maps", help="Of every class, so that explain can show any of them.")
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device", help="cpu, gpu, or gpu:1 for the second one.", show_default="gpu, if any"
    ),
]
TrainingPrecision = Annotated[
    Literal["float32", "mixed_bfloat16", "mixed_float16"] | None,
    typer.Option(
        "--precision",
        help="Keras' dtype policy.",
        show_default="mixed_bfloat16 on a GPU, else float32",
    ),
]

# Of many commands alike; `with_options` adds them and deals with them.
EVERYWHERE = "For every command"
VERBOSITY = {
    "verbose": Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", rich_help_panel=EVERYWHERE, help="Say more; show where errors arise."
        ),
    ],
    "quiet": Annotated[
        bool,
        typer.Option("--quiet", "-q", rich_help_panel=EVERYWHERE, help="Results and errors only."),
    ],
}
DEVICE = {"device": Device}


def with_options(command: Callable[..., None], computes: bool) -> Callable[..., None]:
    """A command with the options that many have, which take effect before it begins.

    Args:
        command: The command.
        computes: Whether it runs a network, so that a device may be chosen.
    """
    options: Mapping[str, Any] = {**(DEVICE if computes else {}), **VERBOSITY}

    @functools.wraps(command)
    def run(device: str | None = None, verbose: bool = False, quiet: bool = False, **own) -> None:
        set_verbosity(verbose, quiet)
        if device is not None:
            choose_device(device)  # before anything imports Keras
            if device != "cpu":
                with no_startup_noise():
                    from keras_acl.system.devices import check_gpu

                check_gpu()
        command(**own)

    signature = inspect.signature(command)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option)
        for (name, option), default in zip(
            options.items(), [None, False, False][-len(options) :], strict=True
        )
    ]
    # Typer reads the options out of the signature.
    run.__signature__ = signature.replace(  # pyright: ignore[reportAttributeAccessIssue]
        parameters=[*signature.parameters.values(), *added]
    )
    return run


@contextlib.contextmanager
def resumable(where: str) -> Iterator[None]:
    """Work that Ctrl-C ends in a line, which says where the same command goes on."""
    try:
        yield
    except KeyboardInterrupt:
        errors.print()
        errors.print(f"Interrupted. The same command goes on {where}.")
        raise typer.Exit(INTERRUPTED) from None


def load_for_inference(name: str, precision: str | None = None, engine: str = "auto"):
    """Load what `SavedModel` takes, optimised; by default in the precision that it computes in."""
    from keras_acl.inference.load import load_for_inference as load

    return load(name, precision, engine)


def load_to_evaluate(name: str, engine: str = "auto"):
    """Load what `SavedModel` takes, for an evaluation: another engine, but not another model."""
    from keras_acl.engines.inference_model import InferenceModel, is_exported

    if is_exported(name):
        return load_for_inference(name)
    with no_startup_noise():
        from keras_acl.inference.engine_choice import optimize
        from keras_acl.pretrained import load_any

    model = load_any(name)
    if engine == "keras":
        return model
    fast = optimize(model, precision=None, engine=engine)
    # `evaluate_views` folds a Keras model itself, and knows it again by its own weights.
    return fast if isinstance(fast, InferenceModel) else model


def read_shard(text: str | None) -> tuple[int, int]:
    """(index, count) of "1/4", or, of "auto", those that the launcher gave this process."""
    if text is None:
        return 0, 1
    if text == "auto":
        index, count, _ = launch()
        return index, count
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ValueError(
            f"--shard is a part and the number of parts, as in 1/4, or auto. Received: {text}"
        )
    return int(number) - 1, int(count)


def output_names(paths: Sequence[str | Path]) -> list[str]:
    """A name for each video's output: its stem, with as many folders as tell it from the others.

    Raises:
        ValueError: If a video is listed twice, or two differ in their ending alone.
    """
    # Without the root: a name that began with it would lead out of the output's folder.
    files = [Path(path).relative_to(Path(path).anchor) for path in paths]
    depth = 1
    while True:
        names = ["_".join([*file.parts[-depth:-1], file.stem]) for file in files]
        counts = collections.Counter(names)
        if max(counts.values()) == 1:
            return names
        if depth > max(len(file.parts) for file in files):
            twice = [str(path) for path, name in zip(paths, names, strict=True) if counts[name] > 1]
            raise ValueError(f"Their outputs would have one name: {', '.join(twice)}")
        depth += 1
