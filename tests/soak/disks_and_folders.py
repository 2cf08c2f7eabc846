"""Disks that are full or read-only, folders that go, clocks set back, two runs in one folder.

A full disk is a tmpfs of a few MB, and a read-only one a tmpfs that is mounted so, as permissions
do not bind root; both need the right to mount. Without it these rows are left out, and say so.
"""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from faults import Command, Row, one_line, timed
from killed_commands import TRAIN, compare
from saved import CARD, make_two_stream
from tiny_network import write_figures

from keras_acl.pretrained.save import save_pretrained
from keras_acl.training.checkpoint import latest_state

KERAS = {"KERAS_ACL_ENGINE": "keras"}
# What is before the command: a clock that is a day slow, also for the ages of files.
SLOW_CLOCK = "import time; now = time.time; time.time = lambda: now() - 86400; "


def run(times: int, folder: Path) -> list[Row]:
    """Cause each `times` times; those that train once."""
    videos = write_figures(folder / "videos", 4)
    model = save_pretrained(make_two_stream(scales=(1.0,)), folder / "model", CARD)
    rows = [
        *two_runs_and_clock(folder, videos),
        deleted_videos(folder, videos),
    ]
    if not may_mount(folder):
        note = "not performed: it needs the right to mount"
        return [*rows, Row("a disk is full, or read-only", note=note)]
    return [
        *rows,
        full_in_training(folder, videos),
        refused("a disk is full", times, folder, videos, model, full, "No space left|no room"),
        refused("a disk is read-only", times, folder, videos, model, read_only, "Read-only"),
        no_cache(times, folder, videos, model),
    ]


def wait_for_state(command: Command, out: Path, epoch: int = 1) -> None:
    """Wait until an epoch is finished."""
    while (state := latest_state(out / "checkpoint")) is None or state[0] < epoch:
        if command.process.poll() is not None:
            raise RuntimeError(f"It ended before: {command.end()[1]}")
        time.sleep(0.05)


def train(videos: Path, out: Path, before: str = "") -> Command:
    """The command that trains into a folder."""
    return Command("train", videos, "--output", out, *TRAIN, before=before)


def two_runs_and_clock(folder: Path, videos: Path) -> list[Row]:
    """A second run in a folder; then, killed, the first goes on under a clock that was set back."""
    two, clock = Row("two runs are in one folder"), Row("the clock is set back by a day")
    whole, out = folder / "whole", folder / "two"
    with timed(two):
        code, said = train(videos, whole).end()
        if code:
            raise RuntimeError(f"It does not even train undisturbed: {said}")
        first = train(videos, out)
        wait_for_state(first, out)
        code, said = train(videos, out).end()
        refused = code == 1 and "Another process is training into" in said
        two.add(one_line(said) or (None if refused else f"exit code {code}: {said[-300:]}"))
        two.note = "the second is refused in one line, the first goes on"
    with timed(clock):
        first.kill()
        code, said = train(videos, out, before=SLOW_CLOCK).end()
        clock.add(f"exit code {code}: {said[-500:]}" if code else compare("train", whole, out))
        clock.note = "a killed run goes on to the same files"
    return [two, clock]


def deleted_videos(folder: Path, videos: Path) -> Row:
    """The folder of videos is deleted under way."""
    row, out = Row("the videos are deleted under way"), folder / "deleted"
    copy = shutil.copytree(videos, folder / "copy")
    with timed(row):
        command = train(copy, out)
        wait_for_state(command, out)
        shutil.rmtree(copy)
        code, said = command.end()
        state = latest_state(out / "checkpoint")
        wrong = one_line(said)
        if code != 1 or "cannot be read" not in said or state is None:
            wrong = wrong or f"exit code {code}, state {state}: {said[-500:]}"
        row.add(wrong)
        shutil.copytree(videos, copy)
        code, said = train(copy, out).end()
        row.add(f"exit code {code}: {said[-500:]}" if code else None)
        row.note = "one line; the last state stays, and the run goes on when they are back"
    return row


def full_in_training(folder: Path, videos: Path) -> Row:
    """The disk becomes full while a network trains; there is room again, and it goes on."""
    row = Row("the disk becomes full in training")
    with timed(row), mounted(folder / "small", "size=16m") as disk:
        out = disk / "run"
        command = train(videos, out)
        wait_for_state(command, out)
        fill(disk)
        code, said = command.end()
        state = latest_state(out / "checkpoint")
        wrong = one_line(said)
        if code != 1 or state is None or not ("no room" in said or "No space" in said):
            wrong = wrong or f"exit code {code}, state {state}: {said[-500:]}"
        row.add(wrong)
        (disk / "ballast").unlink()
        code, said = train(videos, out).end()
        row.add(f"exit code {code}: {said[-500:]}" if code else None)
        row.note = "one line; the last state is whole, and with room the run goes on from it"
    return row


def refused(
    fault: str,
    times: int,
    folder: Path,
    videos: Path,
    model: Path,
    disk: Callable[[Path], contextlib.AbstractContextManager[Path]],
    expected: str,
) -> Row:
    """Commands write to a disk that takes nothing."""
    row = Row(fault)
    with timed(row), disk(folder / "disk") as out:
        commands = [
            ["shrink", videos, out / "shrunk"],
            ["features", model, videos, "--output", out / "features.npz"],
            ["evaluate", model, videos, "--output", out / "evaluation", "--clips", 1],
            ["predict", model, videos, "--csv", out / "predicted.csv"],
            ["export", model, out / "model.onnx"],
            ["download", model, "--to", out / "copy"],
            ["synthesize", out / "figures", "--count", 1],
            ["train", videos, "--output", out / "run", *TRAIN],
        ][: max(1, 8 * times // 3)]
        for arguments in commands:
            code, said = Command(*arguments, environment=KERAS).end()
            lines = [line for line in said.splitlines() if "Error: " in line]
            wrong = one_line(said)
            well = code == 1 and lines and any(text in said for text in expected.split("|"))
            row.add(wrong or (None if well else f"{arguments[0]}, exit code {code}: {said[-300:]}"))
        left = [path.name for path in out.rglob("*") if path.is_file() and path.name != "ballast"]
        row.lost += [f"half a file: {name}" for name in left if name != ".lock"]
    row.note = f"one line each, no half file: {', '.join(str(each[0]) for each in commands)}"
    return row


def no_cache(times: int, folder: Path, videos: Path, model: Path) -> Row:
    """The cache folder cannot be written."""
    row = Row("the cache is read-only or full")
    with timed(row):
        for disk in (read_only, full)[:times]:
            with disk(folder / "cache") as cache:
                environment = {"KERAS_HOME": str(cache / "home"), "KERAS_ACL_ENGINE": "auto"}
                code, said = Command("predict", model, videos, environment=environment).end()
                row.add(f"exit code {code}: {said[-500:]}" if code else one_line(said))
    row.note = "Keras computes, and a line says why"
    return row


def may_mount(folder: Path) -> bool:
    """Whether this process may mount a tmpfs."""
    with contextlib.suppress(OSError, RuntimeError), mounted(folder / "try", "size=1m"):
        return True
    return False


@contextlib.contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A tmpfs at a place."""
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def full(place: Path) -> Iterator[Path]:
    """A disk without any room."""
    with mounted(place, "size=64k") as disk:
        fill(disk)
        yield disk


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[Path]:
    """A disk that may only be read."""
    with mounted(place, "size=1m,ro") as disk:
        yield disk


def fill(disk: Path) -> None:
    """Fill a disk with a file, to the last byte."""
    with open(disk / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(4096))
