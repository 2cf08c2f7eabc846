import collections
import contextlib
import threading
import time

import pytest

from keras_acl.video.read_ahead import AHEAD, read_ahead
from keras_acl.video.video import DecodingError


@pytest.fixture(autouse=True)
def no_thread_stays():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def count_to(number):
    """Reads a source that is a number: so many values."""
    yield from range(number)


@pytest.mark.parametrize("workers", [1, 2, 9, None])
@pytest.mark.parametrize("ahead", [1, 3])
def test_every_value_of_a_source_comes_in_order(workers, ahead):
    lengths = [6, 0, 20, 1, 3, 31]
    found = list(read_ahead(iter(lengths), count_to, workers, ahead))
    for place, length in enumerate(lengths):
        assert [value for owner, value in found if owner == place] == list(range(length))


def test_a_single_worker_reads_source_after_source():
    assert list(read_ahead([2, 3], count_to, 1)) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]


def test_no_sources_have_no_values():
    assert list(read_ahead([], count_to)) == []


@pytest.mark.parametrize("workers", [2, 3])
def test_sources_are_read_at_the_same_time(workers):
    together = threading.Barrier(workers, timeout=10)

    def in_step(source):
        for number in range(10 * AHEAD):
            together.wait()  # goes on when all threads are here
            yield number

    found = list(read_ahead(range(workers), in_step, workers))
    assert len(found) == workers * 10 * AHEAD


@pytest.mark.parametrize(("cores", "workers"), [(3, 3), (100, 16), (None, 1)])
def test_as_many_workers_as_cores_but_sixteen_at_most(cores, workers, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    together, threads = threading.Barrier(workers, timeout=10), set()

    def in_step(source):
        together.wait()
        threads.add(threading.get_ident())
        yield source

    assert len(list(read_ahead(range(2 * workers), in_step))) == 2 * workers
    assert len(threads) == workers


def test_no_worker_is_refused():
    with pytest.raises(ValueError, match="workers=0"):
        next(read_ahead([1], count_to, 0))


def test_a_source_that_breaks_ends_with_its_error():
    def breaking(source):
        for number in range(6):
            if (source, number) == (1, 4):
                raise DecodingError("b.mp4", "it breaks off")
            yield number

    found = list(read_ahead(range(4), breaking, 2))
    assert collections.Counter(place for place, _ in found) == {0: 6, 1: 5, 2: 6, 3: 6}
    *before, error = [item for place, item in found if place == 1]
    assert before == [0, 1, 2, 3]
    assert isinstance(error, DecodingError)
    assert error.path == "b.mp4"


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_other_errors_are_raised_here(error):
    def failing(source):
        if source == 2:
            raise error("2")
        yield source

    with pytest.raises(error):
        list(read_ahead(range(5), failing, 2))


def test_stopping_early_ends_all_threads_and_closes_what_they_read():
    opened, closed = [], []

    def watched(source):
        opened.append(source)
        try:
            yield from range(1000)
        finally:
            closed.append(source)

    with contextlib.closing(read_ahead(range(15), watched, 3)) as values:
        next(values)
        assert threading.active_count() > 1
    assert sorted(closed) == sorted(opened)
    assert len(opened) <= 3
    # `no_thread_stays` looks now.


def test_few_values_are_ready_however_many_there_are():
    made = []

    def endless(source):
        for number in range(300):
            made.append(source)
            yield number

    with contextlib.closing(read_ahead(range(10), endless, 2)) as values:
        for taken in range(1, 6):
            next(values)
            time.sleep(0.02)
            assert len(made) <= taken + 3 * AHEAD  # two sources' next ones, and those handed over
    assert set(made) <= {0, 1}
