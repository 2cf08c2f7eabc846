"""Commands that are killed with kill -9 at random moments, and given again.

Several kills in a row meet the same folder, each at a moment drawn from the time that the command
takes undisturbed; then it runs to its end. What it leaves equals what it writes undisturbed.
"""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from faults import Command, Row, timed
from hub_server import hub_server
from pyarrow import parquet
from saved import CARD, make_two_stream
from tiny_network import write_figures

from keras_acl import load_model
from keras_acl.pretrained.save import save_pretrained

IN_A_ROW = 5
TRAIN = [
    *("--network", "small", "--frames", 8, "--span", 16, "--size", 32, "--batch-size", 4),
    *("--epochs", 6, "--validation-split", 0.4, "--no-flip"),
]
TIMED = ("model.quantization.json",)  # it holds times
# Shares of the kills, as training is what is killed most.
SHARES = {
    "train": 1.0,
    "evaluate": 0.5,
    "features": 0.5,
    "shrink": 0.5,
    "export": 0.25,
    "quantize": 0.15,
    "download": 0.5,
    "classify": 0.25,
}
# Ray's processes see only after a while that the one which started them is gone.
PATIENCE = {"classify": 90.0}


def run(times: int, folder: Path, only: str = "") -> list[Row]:
    """Kill every command, or only one; training `times` times."""
    with made(folder) as commands:
        return [
            killed(name, max(1, round(share * times)), *commands[name], folder / name)
            for name, share in SHARES.items()
            if only in ("", name)
        ]


@contextmanager
def made(folder: Path) -> Iterator[dict[str, tuple[Callable[[Path], list], dict[str, str]]]]:
    """The commands as functions of where they write, with variables of the environment."""
    videos = write_figures(folder / "videos", 4)
    model = save_pretrained(make_two_stream(scales=(1.0,)), folder / "model", CARD)
    with hub_server() as server:
        server.add("someone/tiny", model)
        hub = {
            "HF_ENDPOINT": server.url,
            "HF_HOME": str(folder / "hub"),
            "HF_HUB_DISABLE_XET": "1",
            "KERAS_HOME": str(folder / "keras"),
        }
        keras_engine = {"KERAS_ACL_ENGINE": "keras"}
        yield {
            "train": (lambda out: ["train", videos, "--output", out, *TRAIN], {}),
            "evaluate": (
                lambda out: ["evaluate", model, videos, "--output", out, "--clips", 4],
                keras_engine,
            ),
            "features": (
                lambda out: ["features", model, videos, "--output", out / "features.npz"],
                keras_engine,
            ),
            "shrink": (lambda out: ["shrink", videos, out, "--short-side", 32], {}),
            "export": (lambda out: ["export", model, out / "model.onnx"], {}),
            "quantize": (
                lambda out: ["quantize", model, videos, out / "model.xml", "--accept"],
                {},
            ),
            "classify": (
                lambda out: ["classify", model, videos, out, "--workers", 1, "--shards", 4],
                keras_engine,
            ),
            "download": (lambda out: ["download", "hf://someone/tiny", "--to", out], hub),
        }


def killed(
    name: str,
    times: int,
    command: Callable[[Path], list],
    environment: dict[str, str],
    folder: Path,
) -> Row:
    """Kill a command `times` times and compare what the last one leaves with an undisturbed one."""
    row = Row(f"`{name}` is killed with kill -9")
    folder.mkdir()
    whole = folder / "whole"
    with timed(row):
        begin = time.monotonic()
        code, said = Command(*command(whole), environment=environment).end()
        seconds = time.monotonic() - begin
        if code:
            raise RuntimeError(f"{name} does not even run undisturbed: {said}")
        for series, first in enumerate(range(0, times, IN_A_ROW)):
            out = folder / f"killed-{series}"
            count = min(IN_A_ROW, times - first)
            wrong = [
                _kill(name, first + number, command(out), environment, seconds, out)
                for number in range(count)
            ]
            _age(out)
            code, said = Command(*command(out), environment=environment).end()
            difference = f"exit code {code}: {said[-500:]}" if code else compare(name, whole, out)
            wrong[-1] = wrong[-1] or difference
            for what in wrong:
                row.add(what)
            shutil.rmtree(out, ignore_errors=True)
    row.note = f"the same files as undisturbed ({seconds:.0f} s), {IN_A_ROW} kills in a row"
    return row


def _kill(
    name: str, number: int, arguments: list, environment: dict[str, str], seconds: float, out: Path
) -> str | None:
    """Kill a command at a moment that its name and the number tell; what is wrong then."""
    moment = random.Random(f"{name} {number}").uniform(0.0, seconds)
    while True:
        command = Command(*arguments, environment=environment)
        try:
            command.process.wait(moment)
        except subprocess.TimeoutExpired:
            return command.kill(PATIENCE.get(name, 5.0))
        command.end()  # it was faster than the undisturbed one: begin anew, and kill it earlier
        shutil.rmtree(out, ignore_errors=True)
        moment *= 0.7


def _age(folder: Path) -> None:
    """Make what the killed left an hour old: only then the next command takes it for abandoned."""
    for path in [folder, *folder.rglob("*"), *folder.parent.iterdir()]:
        if "saving-" in path.name:
            os.utime(path, (time.time() - 3600,) * 2)


def compare(name: str, whole: Path, other: Path) -> str | None:
    """What two folders differ in; None if in nothing."""
    ours, theirs = _files(whole), _files(other)
    if ours != theirs:
        return f"other files: {sorted(ours ^ theirs)}"
    for file in sorted(ours):
        if not _equal(name, whole / file, other / file):
            return f"{file} differs"
    return None


def _files(folder: Path) -> set[str]:
    """All files but the logs, whose names hold the time and the process."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if path.parts[0] not in ("tensorboard", ".lock")}


def _equal(name: str, one: Path, other: Path) -> bool:
    if one.read_bytes() == other.read_bytes():
        return True
    if one.suffix == ".npz":
        with np.load(one) as a, np.load(other) as b:
            return all(np.array_equal(a[key], b[key]) for key in set(a) | set(b))
    if one.suffix == ".parquet":
        return _same_rows(*(parquet.read_table(file).to_pylist() for file in (one, other)))
    if one.suffix in (".keras", ".h5"):  # they hold the time
        return _same_weights(one, other)
    if one.suffix in (".onnx", ".xml"):  # names inside are new each time
        clips = np.random.default_rng(0).integers(0, 256, (2, 8, 32, 32, 3), np.uint8)
        return bool(np.allclose(*(load_model(file).predict(clips) for file in (one, other))))
    return one.name in TIMED and one.stat().st_size > 0


def _same_rows(one: list[dict], other: list[dict]) -> bool:
    """The same rows in the same order; scores may differ by rounding, as threads share a sum."""

    def rounded(value):
        if isinstance(value, list):
            return [rounded(each) for each in value]
        return round(value, 4) if isinstance(value, float) else value

    return [{key: rounded(row[key]) for key in row} for row in one] == [
        {key: rounded(row[key]) for key in row} for row in other
    ]


def _same_weights(one: Path, other: Path) -> bool:
    if one.suffix == ".h5":
        import h5py

        found: list[dict[str, np.ndarray]] = []
        for file in (one, other):
            with h5py.File(file) as content:
                arrays: dict[str, np.ndarray] = {}
                content.visititems(
                    lambda key, item, arrays=arrays: (
                        arrays.update({key: item[()]}) if isinstance(item, h5py.Dataset) else None
                    )
                )
                found.append(arrays)
        a, b = found
        return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)
    weights = (load_model(file).get_weights() for file in (one, other))
    return all(np.array_equal(*pair) for pair in zip(*weights, strict=True))
