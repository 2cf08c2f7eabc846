import sys
from typing import NamedTuple

import pytest
from faulty_decoders import what_a_process_knows

from keras_acl.clip import ClipSpec
from keras_acl.data.records import Passes, RecordReader
from keras_acl.data.stream import LoadingOptions, RecordStream
from keras_acl.video.sampling import record_rng
from keras_acl.video.video import Video


class Place(NamedTuple):
    epoch: int
    index: int
    modules: frozenset[str]


class PlaceReader:
    """Stands in for RecordReader: says which record was asked for, and what is imported there."""

    def __init__(self):
        self.calls = []

    def __call__(self, place):
        self.calls.append(place)
        return Place(*place, frozenset(sys.modules))


IN_ORDER = Passes(5, 5, seed=None)


def stream(passes=IN_ORDER, ahead=4, **options):
    reader = PlaceReader()
    return RecordStream(passes, reader, LoadingOptions(**options), ahead), reader


def indices(records):
    return [record.index for record in records]


def test_it_goes_on_over_the_ends_of_passes():
    records, _ = stream()
    assert indices(records.take(0, 3)) == [0, 1, 2]
    assert indices(records.take(3, 4)) == [3, 4, 0, 1]
    assert indices(records.take(7, 1)) == [2]
    records.close()


def test_it_can_be_taken_up_anywhere_again():
    passes = Passes(5, 5, seed=3)
    records, _ = stream(passes)
    reference = [passes.locate(position) for position in range(40)]
    for first in (0, 2, 31, 7, 7, 8):
        taken = records.take(first, 2)
        assert [(r.epoch, r.index) for r in taken] == reference[first : first + 2]
    records.close()


def test_it_reads_no_further_ahead_than_told_and_nothing_twice():
    records, reader = stream(ahead=4, threads=2)
    for position in range(6):
        records.take(position, 1)
    records.close()
    assert len(reader.calls) <= 6 + 4
    assert sorted(reader.calls[:5]) == [(0, index) for index in range(5)]


def test_picking_leaves_the_stream_alone():
    records, reader = stream(ahead=2, threads=2)
    records.take(0, 2)
    assert indices(records.pick(3, 2)) == [3, 4]
    assert indices(records.take(2, 1)) == [2]
    records.close()
    assert len(reader.calls) <= 2 + 2 + 2 + 1  # a second start would have read (0, 0) again
    assert reader.calls.count((0, 0)) == 1


def test_after_closing_it_starts_again():
    records, _ = stream()
    records.take(0, 2)
    records.close()
    records.close()
    assert indices(records.take(2, 2)) == [2, 3]
    records.close()


def test_after_an_error_it_goes_on_at_the_right_place():
    records, reader = stream(threads=1)
    broken = reader.__call__

    def fails_once(place):
        if place == (0, 3) and place not in reader.calls:
            reader.calls.append(place)
            raise OSError("the disk is gone")
        return broken(place)

    records._reader = fails_once
    assert indices(records.take(0, 2)) == [0, 1]
    with pytest.raises(OSError, match="the disk is gone"):
        records.take(2, 3)
    assert indices(records.take(2, 3)) == [2, 3, 4]
    records.close()


def test_worker_processes_read_the_same_without_keras():
    import keras  # noqa: F401 - here, and therefore not to be found there

    passes = Passes(5, 5, seed=1)
    videos = [Video(f"{number}.mp4") for number in range(5)]
    reader = RecordReader(videos, ClipSpec(), None, 0, 1, decode=what_a_process_knows)
    records = RecordStream(passes, reader, LoadingOptions(processes=2), 4)
    taken = records.take(3, 6)
    picked = records.pick(4, 1)
    records.close()
    for record, position in zip([*taken, *picked], [*range(3, 9), 4], strict=True):
        epoch, index = passes.locate(position)
        path, drawn, modules = record.clip
        assert path == f"{index}.mp4"
        assert drawn == record_rng(0, epoch, index).random()
        assert "keras_acl.data.records" in modules
        assert not {"keras", "tensorflow", "torch"} & modules


@pytest.mark.parametrize("options", [{"threads": 0}, {"processes": -1}])
def test_numbers_of_workers_are_checked(options):
    with pytest.raises(ValueError, match=r"Expected threads >= 1 and processes >= 0\. Received: "):
        LoadingOptions(**options)


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
def test_the_time_for_a_file_is_checked(timeout):
    with pytest.raises(ValueError, match=r"Expected seconds > 0\. Received: timeout="):
        LoadingOptions(timeout=timeout)


@pytest.mark.parametrize("shard", [(2, 2), (-1, 2), (0, 0)])
def test_shards_are_checked(shard):
    with pytest.raises(ValueError, match=r"with 0 <= index < count\. Received: "):
        LoadingOptions(shard=shard)
