"""The first import of Keras, without the log lines that TensorFlow writes meanwhile."""

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# Information and warnings of TensorFlow's C++ log, what goes on in a second line, and its heading.
NOISE = re.compile(
    r"[IW]\d{4} \d\d:\d\d"
    r"|To enable the following instructions"
    r"|WARNING: All log messages before absl::InitializeLog"
)
_held = threading.Lock()


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Hide what TensorFlow logs below an error, the first time that Keras is imported inside.

    TensorFlow writes its first lines before it looks at `TF_CPP_MIN_LOG_LEVEL`, so standard error
    is held back meanwhile; errors, and whatever is no line of that log, come out afterwards. Later
    lines are hidden by that variable, which is set to 2 (errors only) if you have not set it. To
    see everything set it to 0.
    """
    shown = "keras" in sys.modules or os.environ.setdefault(LEVEL, "2") == "0"
    if shown or not _held.acquire(blocking=False):  # another thread holds the stream: leave it
        yield
        return
    try:
        with _hold_back():
            yield
    finally:
        _held.release()


@contextlib.contextmanager
def _hold_back() -> Iterator[None]:
    """Keep standard error in a file meanwhile; what is worth showing comes out afterwards."""
    try:
        sys.stderr.flush()
        terminal = os.dup(2)
    except (AttributeError, OSError):  # a program without a terminal (pythonw) has no such stream
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
            if "tensorflow" in sys.modules and not has_nvidia():
                # TensorFlow looks for CUDA when it is first asked, and calls it an error: now.
                sys.modules["tensorflow"].config.list_physical_devices()
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            rest = worth_showing(held.read().decode(errors="replace"), has_nvidia())
            os.write(2, rest.encode())


def worth_showing(text: str, nvidia: bool) -> str:
    """What is left of standard error without TensorFlow's information and warnings.

    Args:
        text: All that was written.
        nvidia: Whether there is a GPU of NVIDIA, without which "failed call to cuInit" is no error.
    """
    return "".join(
        line
        for line in text.splitlines(keepends=True)
        if not NOISE.match(line) and (nvidia or "failed call to cuInit" not in line)
    )


def has_nvidia() -> bool:
    """Whether there is a driver of NVIDIA; asked without one."""
    places = ("/dev/nvidiactl", "/dev/dxg")  # Linux, and Linux on Windows
    return sys.platform == "win32" or any(Path(place).exists() for place in places)
