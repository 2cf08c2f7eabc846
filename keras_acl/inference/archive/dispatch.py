"""Which process does what next, and what happens when one ends under its work."""

import collections
import dataclasses
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from keras_acl.inference.archive.manifest import Item, printable_name
from keras_acl.inference.archive.tables import Part
from keras_acl.inference.archive.worker import Row

logger = logging.getLogger("keras_acl")
TRIES = 2  # deaths that a piece of work may cause
KILLER = "the process that read it ended, twice: a crash of the decoder, or too little memory"


class WorkerDeathError(RuntimeError):
    """A process ended under its work: it crashed, was killed, or its machine is gone."""


class Pool(Protocol):
    """Processes that work, as `dispatch` sees them.

    Attributes:
        size: Number of processes.
    """

    size: int

    def start(self) -> Any:
        """Start a process, and return what stands for it."""
        ...

    def load(self, worker: Any) -> Any:
        """Have it load the model; returns a ticket, whose result is the digest of the model."""
        ...

    def classify(self, worker: Any, items: Sequence[Item]) -> Any:
        """Have it classify videos; returns a ticket, whose result is their rows."""
        ...

    def wait(self, tickets: Sequence[Any]) -> Any:
        """The first ticket whose result is there."""
        ...

    def result(self, ticket: Any) -> Any:
        """The result; raises what the work raised, or `WorkerDeathError`."""
        ...


@dataclasses.dataclass(eq=False)
class Piece:
    """Videos that are done in one go: a part or, after it ended a process twice, one of its videos.

    Args:
        part: The part that they are of.
        places: Their places in it.
        deaths: How many processes ended under them.
    """

    part: Part
    places: range
    deaths: int = 0

    @property
    def items(self) -> tuple[Item, ...]:
        """The videos."""
        return self.part.items[self.places.start : self.places.stop]


def finished(pool: Pool, parts: Iterable[Part], model: str) -> Iterator[tuple[Part, list[Row]]]:
    """Yield each part with its rows, in the order in which they become ready.

    A process that ends is replaced, and what it did is done again. Where a part ends two processes
    its videos are done one by one, and one that again ends two is a bad video.

    Args:
        pool: The processes.
        parts: What there is to do.
        model: Digest of the model, which each process must have.

    Raises:
        RuntimeError: If processes end again and again without finishing anything.
        ValueError: If a process has another model.
    """
    todo = collections.deque(Piece(part, range(len(part.items))) for part in parts)
    rows: dict[int, dict[int, Row]] = {piece.part.number: {} for piece in todo}
    running: dict[Any, tuple[Any, Piece | None]] = {}
    deaths = 0  # since something was finished

    def start() -> None:
        worker = pool.start()
        running[pool.load(worker)] = worker, None

    for _ in range(min(pool.size, len(todo))):
        start()
    while running:
        ticket = pool.wait(list(running))
        worker, piece = running.pop(ticket)
        try:
            result = pool.result(ticket)
        except WorkerDeathError as death:
            deaths += 1
            if deaths > 3 * (pool.size + 1):
                raise RuntimeError(
                    f"The last {deaths} processes ended before they had finished anything; too "
                    f"little memory would do that. Ray says: {death}"
                ) from None
            found = [] if piece is None else _after_death(piece, todo)
            start()
        else:
            found = [] if piece is None else _checked(piece, result)
            if piece is None and result != model:
                raise ValueError(f"A worker has another model: {result}, and here it is {model}.")
            deaths = 0 if piece is not None else deaths
            if todo:
                piece_next = todo.popleft()
                running[pool.classify(worker, piece_next.items)] = worker, piece_next
        if piece is not None:
            done = rows[piece.part.number]
            done |= found
            if len(done) == len(piece.part.items):
                yield piece.part, [done[place] for place in range(len(done))]
                del rows[piece.part.number]


def _checked(piece: Piece, result: Sequence[Row]) -> dict[int, Row]:
    """The rows by their places."""
    return dict(zip(piece.places, result, strict=True))


def _after_death(piece: Piece, todo: collections.deque[Piece]) -> dict[int, Row]:
    """Put what ended a process back to be done; the row of a video that did it twice."""
    piece.deaths += 1
    if piece.deaths < TRIES:
        todo.appendleft(piece)
        return {}
    logger.warning(
        "A process ended twice at the same work: %s",
        ", ".join(printable_name(item) for item in piece.items[:1])
        + (f" and {len(piece.items) - 1} more" if len(piece.items) > 1 else ""),
    )
    if len(piece.items) > 1:
        todo.extendleft(Piece(piece.part, piece.places[i : i + 1]) for i in range(len(piece.items)))
        return {}
    item = piece.part.items[piece.places.start]
    times = {"start": item.video.start, "end": item.video.end}
    return {piece.places.start: {"path": printable_name(item), **times, "problem": KILLER}}
