"""Records read ahead by Grain, with threads or processes."""

import dataclasses
import os
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grain

from keras_acl.data.decoding_processes import DecodingProcesses
from keras_acl.data.records import ClipReader, Passes, Record, RecordReader


@dataclasses.dataclass(frozen=True)
class LoadingOptions:
    """How files are read. The defaults suit one computer.

    Args:
        threads: Threads that decode. None: as many as CPU cores, 16 at most.
        processes: Worker processes that decode, instead of threads. They take seconds to start, and
            a script that asks for them needs the `if __name__ == "__main__":` line. A decoder that
            crashes or hangs then costs its file, as a bad one, and not the run.
        timeout: Seconds that a worker process may take for one file.
        shard: (index, count): which of several hosts this one is; its batches are the index-th
            parts of larger ones. Shards of a pass have no video in common and the same length; up
            to count - 1 videos of a pass are left out. None: within `keras_acl.distribute` as its
            devices and processes need it, and all videos elsewhere.
        drop_remainder: Whether to leave out the last batch of a pass if it is smaller than the
            others. A single shape spares XLA a second compilation.
        bad_files: Text file that lists the files that could not be read, one line
            `path<TAB>reason` for each. None: no such file is written.
        max_bad_fraction: Largest share of bad videos before the run stops. One bad video is always
            allowed.

    Raises:
        ValueError: If a value is out of its range.
    """

    threads: int | None = None
    processes: int = 0
    timeout: float = 120.0
    shard: tuple[int, int] | None = None
    drop_remainder: bool = False
    bad_files: str | Path | None = None
    max_bad_fraction: float = 0.05

    def __post_init__(self) -> None:
        if (self.threads is not None and self.threads < 1) or self.processes < 0:
            raise ValueError(
                "Expected threads >= 1 and processes >= 0. "
                f"Received: threads={self.threads}, processes={self.processes}"
            )
        if not self.timeout > 0:
            raise ValueError(f"Expected seconds > 0. Received: timeout={self.timeout}")
        index, count = self.shard or (0, 1)
        if not 0 <= index < count:
            raise ValueError(
                f"Expected shard=(index, count) with 0 <= index < count. Received: {self.shard}"
            )


class RecordStream:
    """The endless list of records, read in order and ahead of time.

    Args:
        passes: The endless list.
        reader: Reads one record.
        options: How files are read.
        ahead: Number of records to keep ready.
    """

    def __init__(
        self, passes: Passes, reader: RecordReader, options: LoadingOptions, ahead: int
    ) -> None:
        self._passes = passes
        self._threads = options.processes or options.threads or min(16, os.cpu_count() or 1)
        self._ahead = max(self._threads, ahead)
        self._next = 0
        self._running: list[grain.DatasetIterator] = []  # one, or none
        self._processes: DecodingProcesses | None = None
        if options.processes:
            decode = reader.decode or ClipReader(reader.clip, reader.augmentation)
            self._processes = DecodingProcesses(decode, options.processes, options.timeout)
            reader = dataclasses.replace(reader, decode=self._processes)
        self._reader = reader
        # Also when this stream is forgotten or Python ends: nothing keeps running.
        weakref.finalize(self, _stop, self._running, self._processes)

    def take(self, first: int, count: int) -> list[Record]:
        """Read `count` records from place `first` on.

        It costs nothing to go on where the last call ended; anywhere else, reading ahead starts
        anew.
        """
        if not self._running or self._next != first:
            self.close()
            self._allow()
            self._running.append(iter(self._open(first)))
        self._next = -1  # nowhere, should reading be interrupted
        records = [next(self._running[0]) for _ in range(count)]
        self._next = first + count
        return records

    def pick(self, first: int, count: int) -> list[Record]:
        """Read `count` records from place `first` on, and leave the stream where it is."""
        self._allow()
        with ThreadPoolExecutor(self._threads) as pool:
            places = map(self._passes.locate, range(first, first + count))
            return list(pool.map(self._reader, places))

    def close(self) -> None:
        """Stop threads and processes. The next `take` starts them again."""
        _stop(self._running, self._processes)

    def _allow(self) -> None:
        if self._processes is not None:
            self._processes.open()

    def _open(self, first: int) -> grain.IterDataset:
        records = grain.MapDataset.range(first, sys.maxsize)
        records = records.map(self._passes.locate).map(self._reader)
        return records.to_iter_dataset(grain.ReadOptions(self._threads, self._ahead))


def _stop(running: list[grain.DatasetIterator], processes: DecodingProcesses | None) -> None:
    if processes is not None:
        processes.close()  # first: the threads wait for them
    while running:
        running.pop().close()
