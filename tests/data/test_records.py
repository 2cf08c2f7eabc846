import itertools
import subprocess
import sys

import numpy as np
import pytest
from gray_videos import CLIP, numbers_of, spoil, write_gray_videos
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_acl.data.augmentation import Augmentation
from keras_acl.data.records import Passes, RecordReader, pass_size, shared_batch_size
from keras_acl.data.video_list import VideoList
from keras_acl.video.video import Video


@pytest.fixture
def videos(tmp_path) -> VideoList:
    """Videos 0 to 2 are calm, 3 to 5 wild."""
    return write_gray_videos(tmp_path / "videos", each=3)


DEFAULT = Augmentation()


def reader(videos, augmentation=DEFAULT, attempts=10):
    return RecordReader(videos, CLIP, augmentation, seed=7, attempts=attempts)


def number(record) -> int:
    return numbers_of(record.clip[None])[0]


def one_pass(passes: Passes, epoch: int) -> list[tuple[int, int]]:
    return [passes.locate(epoch * passes.size + place) for place in range(passes.size)]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(0, 2**31), st.integers(0, 300))
def test_a_pass_is_every_video_once(count, seed, epoch):
    places = one_pass(Passes(count, count, seed), epoch)
    assert {place[0] for place in places} == {epoch}
    assert sorted(place[1] for place in places) == list(range(count))


def test_every_pass_has_its_own_order():
    passes = Passes(30, 30, seed=0)
    orders = [tuple(index for _, index in one_pass(passes, epoch)) for epoch in range(10)]
    assert len(set(orders)) == 10
    assert orders[0] != tuple(index for _, index in one_pass(Passes(30, 30, seed=1), 0))
    # Each video comes first sometimes: the mean place of each is near the middle.
    assert np.std(np.mean(np.argsort(orders, axis=1), axis=0)) < 5


def test_without_a_seed_every_pass_is_the_first_in_the_given_order():
    passes = Passes(5, 5, seed=None)
    assert one_pass(passes, 0) == one_pass(passes, 3) == [(0, index) for index in range(5)]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 5), st.sampled_from([None, 0, 9]), st.integers(0, 5))
def test_shards_are_disjoint_and_equally_long(count, hosts, seed, epoch):
    size = count // hosts
    shards = [one_pass(Passes(count, size, seed, (host, hosts)), epoch) for host in range(hosts)]
    read = [index for _, index in itertools.chain(*shards)]
    assert {len(shard) for shard in shards} == {size}
    assert len(set(read)) == len(read) == hosts * size


def test_a_record_depends_on_epoch_and_index_alone(videos):
    read = reader(videos)
    first = read((2, 4))
    read((0, 0))
    np.testing.assert_array_equal(read((2, 4)).clip, first.clip)
    assert first.label == 1
    assert first.failures == ()
    assert number(first) == 4


def test_a_bad_file_is_replaced_by_its_class_and_the_file_is_named(videos):
    (path,) = spoil(videos, 1)
    read = reader(videos)
    records = [read((epoch, 1)) for epoch in range(20)]
    assert {record.label for record in records} == {0}
    assert {number(record) for record in records} == {0, 2}
    assert {failed for record in records for failed, _ in record.failures} == {path}
    assert [number(read((epoch, 1))) for epoch in range(20)] == [number(r) for r in records]


def test_the_replacement_is_looked_for_until_one_can_be_read(videos):
    paths = spoil(videos, 3, 5)
    record = reader(videos, augmentation=None)((0, 3))
    assert number(record) == 4
    assert {path for path, _ in record.failures} <= set(paths)


def test_a_class_without_a_readable_video_has_no_clip(videos):
    paths = spoil(videos, 3, 4, 5)
    record = reader(videos)((0, 4))
    assert record.clip is None
    assert record.label == 1
    assert sorted(path for path, _ in record.failures) == sorted(paths)


def test_of_several_labels_the_replacement_brings_its_own(videos):
    spoil(videos, 1)
    labels = [(0,), (0, 1), (1,), (), (0,), (1,)]
    several = [Video(video.path, label) for video, label in zip(videos, labels, strict=True)]
    records = [reader(several)((epoch, 1)) for epoch in range(30)]
    assert {(number(r), r.label) for r in records} == {
        (place, label) for place, label in enumerate(labels) if place != 1
    }


def test_no_more_files_are_tried_than_allowed(videos):
    spoil(videos, 0, 1, 2)
    assert len(reader(videos, attempts=2)((0, 0)).failures) == 2


def test_without_a_label_a_bad_file_gives_a_black_clip(videos):
    spoil(videos, 1)
    unlabelled = [Video(video.path) for video in videos]
    record = reader(unlabelled, augmentation=None)((0, 1))
    np.testing.assert_array_equal(record.clip, np.zeros((2, 16, 16, 3), np.uint8))
    assert record.label is None
    assert len(record.failures) == 1


def test_what_workers_import_is_free_of_keras():
    code = (
        "import sys, keras_acl.data.records, keras_acl.data as data; data.check_videos; "
        "print(*{'keras', 'tensorflow', 'jax', 'torch', 'grain'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 40), st.booleans())
def test_the_parts_of_a_batch_are_the_batch_of_one_host(hosts, part, more, drop_remainder):
    count = hosts * part + more
    size = pass_size(count, part, (0, hosts), drop_remainder)
    one = one_pass(Passes(count, size * hosts, seed=3), epoch=2)
    parts = [
        one_pass(Passes(count, size, 3, (host, hosts), part), epoch=2) for host in range(hosts)
    ]
    for first in range(0, size, part):
        together = [place for each in parts for place in each[first : first + part]]
        assert together == one[first * hosts : first * hosts + len(together)]


@pytest.mark.parametrize(
    ("count", "batch_size", "size"),
    # Nothing is left out of 20 by 4, and by 8 are 4; of 19 the fewest by 6.
    [(32, 8, 8), (20, 8, 4), (19, 8, 6), (6, 8, 6), (3, 8, 2), (100, 16, 10)],
)
def test_outside_of_training_few_videos_are_left_out(count, batch_size, size):
    assert shared_batch_size(count, batch_size, 2, training=False) == size
    assert shared_batch_size(count, batch_size, 2, training=True) == batch_size


@pytest.mark.parametrize(("count", "batch_size"), [(20, 9), (1, 8)])
def test_devices_share_a_batch_evenly_or_not_at_all(count, batch_size):
    with pytest.raises(ValueError, match=f"batch_size={batch_size}, {count} videos"):
        shared_batch_size(count, batch_size, 2, training=False)
