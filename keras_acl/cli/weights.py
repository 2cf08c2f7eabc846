"""Commands about pre-trained weights: presets, download, import, publish."""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

from keras_acl.cli.options import AsJson
from keras_acl.cli.terminal import no_startup_noise, screen


def import_(
    file: Annotated[
        Path, typer.Argument(help="A .pyth, .pth, .pkl or model.ckpt file of another project.")
    ],
    to: Annotated[Path, typer.Option(help="Folder for the model.")],
    two_stream: Annotated[
        bool, typer.Option(help="Make the two-stream network of a SlowFast file: a warm start.")
    ] = False,
    slow: Annotated[
        Path | None, typer.Option(help="With --two-stream: a Slow file for the spatial stream.")
    ] = None,
    speed_ratio: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="α: 8 for 4x16, 4 for 8x8.",
            show_default="what the file or 4x16, 8x8 in its name says",
        ),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="A text file with one class per line, or kinetics400.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write what went where, tensor by tensor, as JSON.")
    ] = None,
) -> None:
    """Make a model of another project's public checkpoint.

    Formats: PyTorchVideo, PySlowFast (also caffe2), MMAction and MMAction2, torchvision, ig65m,
    VMZ (also caffe2), 3D-ResNets-PyTorch, tsn-pytorch, ECO-pytorch; kinetics-i3d's I3D
    (TensorFlow), kylemin's S3D and DavideA's C3D.

    Example: keras-acl import SLOWFAST_8x8_R50.pyth --to weights/slowfast --speed-ratio 4
    """
    if slow is not None and not two_stream:
        raise ValueError("--slow is the spatial stream of a two-stream network: add --two-stream")
    with no_startup_noise():
        from keras_acl.pretrained import Card, import_checkpoint, save_pretrained, warm_start
        from keras_acl.system.atomic_write import written_whole

    names = None if labels is None else _read_names(labels)
    if two_stream:
        model, done = warm_start(file, slow, labels=names, speed_ratio=speed_ratio)
    else:
        model, done = import_checkpoint(file, labels=names, speed_ratio=speed_ratio)
    files = " and ".join(Path(source.path).name for source in done.sources)
    card = Card(
        name=to.resolve().name,
        description=f"Imported from {files}. {' '.join(done.notes)}".strip(),
        licence="unknown",
        source=files,
    )
    save_pretrained(model, to, card)
    if report is not None:
        with written_whole(report) as beside:
            beside.write_text(json.dumps(done.to_dict(), indent=2), encoding="utf-8")
    screen.print(*str(done).splitlines(), sep="\n")
    screen.print(f'Saved: {to}. In Python: keras_acl.load_pretrained("{to}")')


def download(
    name: Annotated[str, typer.Argument(help="A preset, or hf://USER/REPO.")],
    to: Annotated[Path, typer.Option(help="Folder for the model.")],
) -> None:
    """Put pre-trained weights into a folder, for a machine without a network.

    There, the folder is a model like any other: for every command, and for load_pretrained.

    Example: keras-acl download k400 --to k400
    """
    from keras_acl.pretrained import download_pretrained

    folder = download_pretrained(name, to)
    screen.print(f'Saved: {folder}. In Python: keras_acl.load_pretrained("{to}")')


def publish(
    folder: Annotated[Path, typer.Argument(help="A run, or a folder that save_pretrained wrote.")],
    repository: Annotated[str, typer.Argument(help="USER/REPO on the Hugging Face Hub.")],
    private: Annotated[bool, typer.Option(help="Only you can see it.")] = False,
    tag: Annotated[str | None, typer.Option(help="Name this version, e.g. v1.")] = None,
) -> None:
    """Upload a saved model with its card to the Hugging Face Hub.

    The card of a run says what keras-acl evaluate RUN measured.

    You need a token that may write: hf auth login, or the variable HF_TOKEN.

    Example: keras-acl publish runs/videos user/mine --tag v1
    """
    from keras_acl.pretrained import publish as upload

    with tempfile.TemporaryDirectory() as beside:
        if (folder / "model.keras").is_file():
            with no_startup_noise():
                from keras_acl.training.runs.save_run import save_run

            folder = save_run(folder, Path(beside) / "model")
        where = upload(folder, repository, private=private, tag=tag)
    screen.print(f"Published: {where}")


def presets(
    task: Annotated[
        str | None, typer.Option(help="Data set whose classes they know.", show_default="any")
    ] = None,
    min_top1: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Least top-1 in %.", show_default="any"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the weights that load_pretrained knows by name.

    Example: keras-acl presets --task kinetics400 --min-top1 75
    """
    from keras_acl.pretrained import list_presets

    rows = list_presets(task, min_top1)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
        return
    if not rows:
        raise ValueError(f"No preset has a measured top-1 of {min_top1:g} % or more.")
    table = Table("name", "top-1 / top-5 in %", "GMACs", "params", "licence")
    for column in table.columns[2:4]:
        column.justify = "right"
    protocols: list[str] = []
    for row in rows:
        accuracy = "not measured"
        if row.top1 is not None:
            how = f"{row.protocol}; measured by {row.measured_by}"
            if how not in protocols:
                protocols.append(how)
            top5 = "" if row.top5 is None else f" / {row.top5:.2f}"
            accuracy = f"{row.top1:.2f}{top5} [{protocols.index(how) + 1}]"
        table.add_row(
            Group(row.alias, f"= {row.name}") if row.alias else row.name,
            accuracy,
            f"{row.multiply_adds / 1e9:.2f}",
            f"{row.parameters / 1e6:.2f} M",
            row.licence,
        )
    screen.print(table)
    for number, how in enumerate(protocols, 1):
        screen.print(f"[{number}] {how}", soft_wrap=False)
    screen.print("", "Where they come from:", sep="\n")
    for row in rows:
        # An address has a line of its own, so that a narrow terminal leaves it whole.
        sources = row.source.split(" and ")
        screen.print(row.alias or row.name, *sources, sep="\n  ")


def _read_names(labels: str) -> tuple[str, ...]:
    from keras_acl.pretrained.labels import read_labels

    if not Path(labels).is_file():
        try:
            return read_labels(labels)
        except ValueError as error:
            raise FileNotFoundError(f"There is no file {labels}. {error}") from error
    lines = Path(labels).read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip())
