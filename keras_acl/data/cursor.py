"""Cursor: what Keras asks of a dataset -> which batch of which pass it gets."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

# Before a pass begins in earnest, Keras looks at one or two batches to learn their shapes.
GLANCE = 2

Batch = TypeVar("Batch")


class Cursor(Generic[Batch]):
    """Hands out the batches of one pass after the other in order, whatever Keras asks for.

    `fit` shuffles the indices that it asks for by a chance of its own, and glances at the first
    batches: by index before a pass on TensorFlow; on JAX and torch it begins a pass, takes a batch
    and ends the pass. Therefore batches are counted while a pass is running. A pass that ends after
    a glance is begun again, and the batches of a glance are kept, so that none is read twice.

    (On JAX and torch, where a pass has only one or two batches, a glance may be a whole pass. It
    counts as one.)

    Args:
        length: Batches per pass.

    Attributes:
        epoch: Number of the pass that is running or comes next.
    """

    def __init__(self, length: int) -> None:
        self.epoch = 0
        self._length = length
        self._running = False
        self._taken = 0  # batches of the running pass
        self._kept: list[Batch] = []  # the first batches of this pass, GLANCE at most
        # Keras asks from its own threads, and begins and ends passes from the main one.
        self._lock = threading.RLock()

    def begin(self) -> None:
        """Begin a pass."""
        with self._lock:
            self._running = True
            self._taken = 0

    def end(self) -> None:
        """End the pass. The next one follows, or the same one again after a glance."""
        with self._lock:
            finished = self._taken > GLANCE or self._taken == self._length
            self.move(self.epoch + finished)

    def move(self, epoch: int) -> None:
        """Make the pass of `epoch` the next one."""
        with self._lock:
            if epoch != self.epoch:
                self._kept.clear()
            self.epoch = epoch
            self._running = False
            self._taken = 0

    def batch(self, index: int, read: Callable[[int, int, bool], Batch]) -> Batch:
        """Hand out the next batch of the running pass or, between passes, batch `index`.

        Args:
            index: Batch that Keras asks for, below `length`.
            read: Called as `read(epoch, index, in_order)`. Calls with `in_order` ask for one batch
                after the other; the others ask for any batch.
        """
        with self._lock:
            if self._running and self._taken < self._length:
                self._taken += 1
                return self._next(self._taken - 1, read)
            if not self._running and index < GLANCE and index <= len(self._kept):
                return self._next(index, read)  # the coming pass begins with it
            return read(self.epoch, index, False)

    def _next(self, index: int, read: Callable[[int, int, bool], Batch]) -> Batch:
        if index < len(self._kept):
            return self._kept[index]
        batch = read(self.epoch, index, True)
        if index < GLANCE:
            self._kept.append(batch)
        else:
            self._kept.clear()
        return batch
