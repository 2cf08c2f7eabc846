"""What the faults share: rows of results, commands that are started, memory that is read."""

import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tiny_network import NETWORK

ROOT = Path(__file__).resolve().parents[2]
SMALL = {**NETWORK, "scales": (1.0,)}


@dataclasses.dataclass
class Row:
    """One fault, caused many times.

    Args:
        fault: What was done, in a few words.
        times: How often.
        survived: How often what was promised then held.
        lost: The others: what did not hold, one text for each.
        seconds: Time that it took.
        note: What was found on the way, with its bound.
    """

    fault: str
    times: int = 0
    survived: int = 0
    lost: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    note: str = ""

    def add(self, wrong: str | None) -> None:
        """Count one more; `wrong` says what did not hold, None that all did."""
        self.times += 1
        self.survived += wrong is None
        if wrong is not None:
            self.lost.append(wrong)


@contextlib.contextmanager
def timed(row: Row) -> Iterator[Row]:
    """Note how long a row took."""
    begin = time.monotonic()
    yield row
    row.seconds = round(row.seconds + time.monotonic() - begin, 1)


class Command:
    """`keras-acl` in a process of its own; a variable of the environment marks what it starts.

    Args:
        *arguments: Its arguments.
        environment: Variables that differ from those of this process.
        before: Python that is run first, for `train`.
    """

    def __init__(
        self, *arguments, environment: dict[str, str] | None = None, before: str = ""
    ) -> None:
        self.mark = f"KERAS_ACL_SOAK={uuid.uuid4().hex}"
        small = (
            f"{before}from keras_acl import cli; from keras_acl.training import runs; "
            f"runs.NETWORKS['small'] = {SMALL!r}; cli.main()"
        )
        plain = ["-m", "keras_acl"] if arguments[0] != "train" else ["-c", small]
        self.process = subprocess.Popen(
            [sys.executable, *plain, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "COLUMNS": "1000",
                **(environment or {}),
                **dict([self.mark.split("=")]),
            },
        )

    def end(self, seconds: float = 600) -> tuple[int, str]:
        """Exit code and all that it said."""
        try:
            said, _ = self.process.communicate(timeout=seconds)
        finally:
            self._kill_all()
        return self.process.returncode, said

    def kill(self, patience: float = 5.0) -> str | None:
        """Kill -9 the process alone; what it started and still runs so many seconds later."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if not _marked(self.mark):
                self.process.communicate()
                return None
            time.sleep(0.05)
        left = _marked(self.mark)
        self._kill_all()
        return f"orphans were left: {left}"

    def _kill_all(self) -> None:
        for process in _marked(self.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def _marked(mark: str) -> list[int]:
    """Processes that have a variable; those that only wait to be waited for have none."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def one_line(said: str) -> str | None:
    """Whether an error is one: it has no stack trace."""
    if "Traceback" in said:
        return f"a stack trace: {said[-600:]}"
    return None


def peak_memory(process: int | str = "self") -> float:
    """Most resident memory that a process had, in MB."""
    return _memory(process, "VmHWM")


def resident_memory(process: int | str = "self") -> float:
    """Resident memory of a process, in MB."""
    return _memory(process, "VmRSS")


def _memory(process: int | str, name: str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0
