"""The hand-out of work, with processes that are played: who dies, and when, is in the test."""

import collections

import pytest

from keras_acl.inference.archive.dispatch import KILLER, WorkerDeathError, finished
from keras_acl.inference.archive.manifest import Item
from keras_acl.inference.archive.tables import parts_of
from keras_acl.video.video import Video


class Played:
    """A pool whose workers die at what they are told to; tickets end in the order of their start.

    Args:
        size: Number of workers.
        deaths: How often a video ends the process that reads it, by name.
        dies_loading: How many processes end before they are ready.
    """

    def __init__(self, size=2, deaths=(), dies_loading=0, model="m"):
        self.size, self.model, self.dies_loading = size, model, dies_loading
        self.deaths = collections.Counter(dict(deaths))
        self.started, self.most, self.tickets, self.asked = 0, 0, {}, []

    def start(self):
        self.started += 1
        return self.started

    def load(self, worker):
        if self.dies_loading:
            self.dies_loading -= 1
            return self._ticket(WorkerDeathError("out of memory"))
        return self._ticket(self.model)

    def classify(self, worker, items):
        self.asked.append([item.name for item in items])
        killer = next((item.name for item in items if self.deaths[item.name]), None)
        if killer is not None:
            self.deaths[killer] -= 1
            return self._ticket(WorkerDeathError("signal 9"))
        return self._ticket([{"path": item.name} for item in items])

    def wait(self, tickets):
        self.most = max(self.most, len(tickets))
        return min(tickets)

    def result(self, ticket):
        result = self.tickets[ticket]
        if isinstance(result, Exception):
            raise result
        return result

    def _ticket(self, result):
        self.tickets[len(self.tickets)] = result
        return len(self.tickets) - 1


def run(pool, videos=12, parts=4):
    items = [Item(f"{number}", Video(f"{number}.mp4")) for number in range(videos)]
    done = list(finished(pool, parts_of(items, parts), "m"))
    names = [row["path"] for _, rows in done for row in rows]
    assert sorted(names, key=int) == [item.name for item in items]  # exactly one row each
    for part, rows in done:
        assert [row["path"] for row in rows] == [item.name for item in part.items]
    return {row["path"]: row.get("problem") for _, rows in done for row in rows}


def test_every_worker_works():
    pool = Played(3)
    assert set(run(pool).values()) == {None}
    assert (pool.started, pool.most) == (3, 3)
    assert len(pool.asked) == 4


def test_no_more_workers_than_work():
    pool = Played(9)
    run(pool, parts=2)
    assert pool.started == 2


def test_what_a_dead_worker_did_is_done_again():
    pool = Played(2, {"4": 1})
    assert set(run(pool).values()) == {None}
    assert pool.started == 3
    assert pool.asked.count(["3", "4", "5"]) == 2


@pytest.mark.parametrize("times", [2, 3])
def test_a_part_that_kills_twice_is_done_one_by_one(times):
    pool = Played(2, {"4": times})
    assert set(run(pool).values()) == {None}
    assert ["4"] in pool.asked
    assert ["0"] not in pool.asked


def test_a_video_that_goes_on_killing_is_bad(caplog):
    found = run(Played(2, {"4": 99, "9": 99}))
    assert {name for name, problem in found.items() if problem == KILLER} == {"4", "9"}
    assert "ended twice at the same work: 3 and 2 more" in caplog.text


def test_a_single_bad_video_is_a_part_of_its_own():
    assert run(Played(1, {"0": 99}), videos=1, parts=1) == {"0": KILLER}


def test_workers_that_die_loading_are_replaced():
    pool = Played(2, dies_loading=5)
    assert set(run(pool).values()) == {None}
    assert pool.started == 7


@pytest.mark.parametrize("dies_loading", [99, 0])
def test_endless_death_ends_the_work(dies_loading):
    pool = Played(2, {str(number): 99 for number in range(12)}, dies_loading)
    with pytest.raises(RuntimeError, match=r"last 10 processes ended .* Ray says: "):
        run(pool)


def test_another_model_is_refused():
    with pytest.raises(ValueError, match="A worker has another model: n, and here it is m"):
        run(Played(model="n"))


def test_an_error_of_the_work_ends_it():
    pool = Played()
    pool.model = KeyError("no such engine")
    with pytest.raises(KeyError):
        run(pool)
