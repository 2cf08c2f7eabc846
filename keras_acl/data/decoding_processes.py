"""Clips decoded in processes of their own: a decoder that crashes or hangs costs one file."""

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait

import numpy as np

from keras_acl.video.video import DecodingError, Video

Decode = Callable[[Video, np.random.Generator], np.ndarray]


class DecodingProcesses:
    """A function that decodes, called in worker processes, one file at a time in each.

    A process that dies or takes too long is replaced, and its file is a bad one from then on.
    (Grain ends the whole pass with one of its processes, and `concurrent.futures` its whole pool;
    neither knows which file it was, or waits for a time only.)

    Args:
        decode: What the processes call; it travels to them once.
        count: Number of processes. They start when they are needed.
        timeout: Seconds that one file may take.
    """

    def __init__(self, decode: Decode, count: int, timeout: float) -> None:
        self._decode = decode
        self._timeout = timeout
        self._closed = False
        self._lost: dict[str, str] = {}  # path to reason
        self._running: list[_Worker] = []
        self._slots: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        for _ in range(count):
            self._slots.put(None)

    def __call__(self, video: Video, rng: np.random.Generator) -> np.ndarray:
        """Decode in a process that is free, or wait for one. Any thread may call it.

        Raises:
            DecodingError: If `decode` does, or its process dies or takes too long.
            RuntimeError: If processes cannot start, or are closed meanwhile.
        """
        if video.path in self._lost:
            raise DecodingError(video.path, self._lost[video.path])
        worker = self._slots.get()
        try:
            if worker is None or not worker.process.is_alive():
                worker = None
                worker = self._start()
            result = worker.call(video, rng, self._timeout)
        except DecodingError as error:
            if not self._closed:
                self._lost[video.path] = error.reason
            raise
        finally:
            self._slots.put(worker)
        if isinstance(result, Exception):
            raise result
        return result

    def open(self) -> None:
        """Allow calls again."""
        self._closed = False

    def close(self) -> None:
        """End the processes, and refuse calls; those that are under way fail."""
        self._closed = True
        while self._running:
            self._running.pop().end()

    def _start(self) -> "_Worker":
        if self._closed:
            raise RuntimeError("Reading was closed meanwhile.")
        self._running[:] = [worker for worker in self._running if worker.process.is_alive()]
        worker = _Worker(self._decode)
        self._running.append(worker)
        if self._closed:
            worker.end()
        return worker


class _Worker:
    """A process, and the line to it."""

    def __init__(self, decode: Decode) -> None:
        # Not forked: the threads of a backend do not survive that.
        context = multiprocessing.get_context("spawn")
        self.line, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, decode), daemon=True)
        self.process.start()
        theirs.close()
        try:
            self.line.recv()
        except (EOFError, OSError) as error:
            raise RuntimeError(
                "A worker process ended while it started; what it says is above. A script that "
                'asks for processes needs the line `if __name__ == "__main__":`.'
            ) from error

    def call(
        self, video: Video, rng: np.random.Generator, timeout: float
    ) -> np.ndarray | Exception:
        """What `decode` returns or raises."""
        try:
            self.line.send((video, rng))
            if self.line.poll(timeout):
                return self.line.recv()
        except (EOFError, OSError) as error:
            self.process.join()
            raise DecodingError(video.path, f"its decoder {_ending(self.process)}") from error
        self.end()
        raise DecodingError(video.path, f"its decoder did not end within {timeout:g} s")

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()


def _ending(process) -> str:
    code = process.exitcode
    if code is None or code >= 0:
        return f"ended its process with code {code}"
    return f"crashed its process ({signal.Signals(-code).name})"


def _work(line: Connection, decode: Decode) -> None:
    """What a process does until the main one is gone."""
    # Ctrl-C reaches all processes: leave it to the main one, which ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        line.send(None)  # it has started
        while True:
            try:
                result = decode(*line.recv())
            except Exception as error:  # the main process raises it
                result = error
            line.send(result)


def _end_with_parent() -> None:
    """A decoder that hangs would outlive a main process that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
