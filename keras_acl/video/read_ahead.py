"""Many files read at a time by threads, ahead of their use."""

import itertools
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from keras_acl.video.video import DecodingError

AHEAD = 4  # values read from each file before they are handed over
MOST_WORKERS = 16
Source = TypeVar("Source")
Value = TypeVar("Value")


def read_ahead(
    sources: Iterable[Source],
    read: Callable[[Source], Iterable[Value]],
    workers: int | None = None,
    ahead: int = AHEAD,
    stop: threading.Event | None = None,
) -> Generator[tuple[int, Value | DecodingError], None, None]:
    """Yield the values of every source as they are read; a damaged source ends with its error.

    Each thread reads one source at a time (FFmpeg releases the interpreter's lock), and waits when
    `ahead` values are ready, so memory depends on neither the number of sources nor their length.
    The values of a source come in order, with values of others between them. Close the generator
    (`contextlib.closing`) where reading may stop early: that ends the threads and closes what they
    read.

    Args:
        sources: Videos, paths, or whatever `read` takes.
        read: Function that returns the values of a source, for instance a generator of them.
        workers: Sources read at a time. None: as many as CPU cores, 16 at most.
        ahead: Values read from a source before they are handed over.
        stop: Event that is set at the end, before the threads are waited for, so that `read` can
            end early.

    Yields:
        Index of the source in `sources`, with a value or a `DecodingError`.

    Raises:
        ValueError: If `workers` is not positive.
    """
    if workers is None:
        workers = min(os.cpu_count() or 1, MOST_WORKERS)
    if workers < 1:
        raise ValueError(f"Files are read by at least one thread. Received: workers={workers}")
    waiting = ((place, _values(read, source)) for place, source in enumerate(sources))
    running: dict[Future, tuple[int, Generator[Value, None, None]]] = {}
    pool = ThreadPoolExecutor(workers)

    def go_on(walks: Iterable[tuple[int, Generator[Value, None, None]]]) -> None:
        for place, values in walks:
            running[pool.submit(_next_values, values, ahead)] = place, values

    try:
        go_on(itertools.islice(waiting, workers))
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                place, values = running.pop(future)
                read_now, ended = future.result()
                # Give the thread new work first, as the caller may compute for long.
                go_on(itertools.islice(waiting, 1) if ended else [(place, values)])
                yield from ((place, value) for value in read_now)
    finally:
        if stop is not None:
            stop.set()
        pool.shutdown()
        for _, values in running.values():
            values.close()


def _values(
    read: Callable[[Source], Iterable[Value]], source: Source
) -> Generator[Value, None, None]:
    yield from read(source)  # in the thread that asks for the first value


def _next_values(values: Iterator[Value], count: int) -> tuple[list[Value | DecodingError], bool]:
    """Up to `count` values, the last may be a `DecodingError`; and whether the source has ended."""
    found: list[Value | DecodingError] = []
    try:
        for value in itertools.islice(values, count):
            found.append(value)
    except DecodingError as error:
        return [*found, error], True
    return found, len(found) < count
