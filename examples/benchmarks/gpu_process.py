"""Contenders of `gpu.py` as child processes that take turns: both ends of the pipe.

A child prints one line of JSON when it is ready, then one for every line it reads, a number of
steps. It times them itself, the device's queue empty before and after, so the pipe costs nothing.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from gpu_cases import OUT_OF_MEMORY, Contender

FOLDER = Path(__file__).parent
NO_ANSWER = "no answer"
MEMORY_WORDS = ("RESOURCE_EXHAUSTED", "ResourceExhausted", "out of memory", "OutOfMemory")
# What a child calls: takes a number of steps, returns when the device has done them.
Steps = Callable[[int], object]


class ChildError(RuntimeError):
    """A child that ended, or did not answer; the message is for the table."""


def serve(prepare: Callable[[Contender], tuple[dict, Steps, Callable[[], dict]]]) -> None:
    """Be a child: prepare the contender named on the command line, then time what is asked for.

    Args:
        prepare: Returns facts for the table, what runs steps, and what gives facts after them.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print is no answer
    facts, steps, after = prepare(Contender(**json.loads(sys.argv[1])))
    answers.write(json.dumps(facts) + "\n")
    for line in sys.stdin:
        steps(1)  # clocks go up, memory given back comes again
        started = time.perf_counter()
        steps(int(line))
        seconds = time.perf_counter() - started
        answers.write(json.dumps({"seconds": seconds, **after()}) + "\n")


class Child:
    """A contender in a process of its own.

    Args:
        contender: What it is to do.
        command: What to run, the contender's JSON being added as last argument.
        environment: Its whole environment.
    """

    patience = 5.0  # seconds, for a process that is to end

    def __init__(self, contender: Contender, command: list[str], environment: Mapping[str, str]):
        self.contender = contender
        self._errors = tempfile.TemporaryFile(mode="w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [*command, json.dumps(vars(contender))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=dict(environment),
        )
        assert self._process.stdin is not None  # both are pipes
        assert self._process.stdout is not None
        self._questions, self._answers = self._process.stdin, self._process.stdout
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._answers:
            self._lines.put(line)
        self._lines.put(None)

    def answer(self, seconds: float) -> dict:
        """Next line of the child.

        Raises:
            ChildError: If it ends or does not answer within the seconds.
        """
        try:
            line = self._lines.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            raise ChildError(f"{NO_ANSWER} within {max(seconds, 0):.0f} s") from None
        if line is None:
            self._lines.put(None)  # for whoever asks again
            raise ChildError(self._reason())
        return json.loads(line)

    def run(self, steps: int, seconds: float) -> dict:
        """Let it run steps; returns its answer, see `answer`."""
        with contextlib.suppress(BrokenPipeError):  # then `answer` says why
            self._questions.write(f"{steps}\n")
            self._questions.flush()
        return self.answer(seconds)

    def _reason(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        text = self._errors.read()
        if any(word in text for word in MEMORY_WORDS):
            return OUT_OF_MEMORY
        lines = [line for line in text.splitlines() if line.strip()]
        return f"exit status {code}: {lines[-1].strip()[:300] if lines else 'nothing printed'}"

    @property
    def ended(self) -> bool:
        """Whether the process is no more."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End the process, whatever it does."""
        with contextlib.suppress(BrokenPipeError):
            self._questions.close()
        try:
            self._process.wait(timeout=self.patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._errors.close()


@contextlib.contextmanager
def started(contender: Contender) -> Iterator[Child]:
    """A child that is ended at the end."""
    script = "gpu_torch.py" if contender.framework == "torch" else "gpu_keras.py"
    child = Child(contender, [sys.executable, str(FOLDER / script)], environment(contender))
    try:
        yield child
    finally:
        child.close()


def environment(contender: Contender) -> dict[str, str]:
    """Of a child: backend, memory and precision, which some libraries read at import."""
    variables = {
        "KERAS_BACKEND": contender.framework,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_MEM_FRACTION": f"{contender.share:.2f}",
    }
    if contender.precision == "fp32":
        variables["NVIDIA_TF32_OVERRIDE"] = "0"  # for every library of NVIDIA's
    if contender.cpu:
        variables |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    return {**os.environ, **variables}
