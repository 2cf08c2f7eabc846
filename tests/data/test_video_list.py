import collections
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_acl.data.video_list import (
    MissingVideosWarning,
    VideoList,
    only_present,
    split,
)
from keras_acl.video.video import Video


def make(*groups_of_classes: list[int]) -> VideoList:
    """One list for each class: how many videos each of its groups has."""
    videos = [
        Video(f"{label}/{group}/{number}.mp4", label, group=f"{label}/{group}")
        for label, groups in enumerate(groups_of_classes)
        for group, size in enumerate(groups)
        for number in range(size)
    ]
    return VideoList(videos, [f"class {label}" for label in range(len(groups_of_classes))])


classes = st.lists(st.lists(st.integers(1, 6), min_size=2, max_size=12), min_size=1, max_size=5)


@settings(deadline=None, max_examples=50)
@given(classes=classes, fraction=st.floats(0.05, 0.95), seed=st.integers(0, 1000))
def test_groups_stay_together_and_classes_are_on_both_sides(classes, fraction, seed):
    videos = make(*classes)
    train, validation = split(videos, fraction, seed)
    assert sorted(v.path for v in [*train, *validation]) == sorted(v.path for v in videos)
    assert {v.group for v in train}.isdisjoint({v.group for v in validation})
    for side in (train, validation):
        assert side.labels == videos.labels
        assert all(side.counts.values())


@settings(deadline=None, max_examples=30)
@given(classes=classes, fraction=st.floats(0.05, 0.95), seed=st.integers(0, 1000))
def test_every_class_gives_its_share_as_near_as_its_groups_allow(classes, fraction, seed):
    videos = make(*classes)
    validation = split(videos, fraction, seed)[1]
    for groups, name in zip(classes, videos.labels, strict=True):
        # Off by half the largest group, or by a whole one where a side would have been empty.
        assert abs(validation.counts[name] - fraction * sum(groups)) <= max(groups)


several = st.lists(
    st.sets(st.integers(0, 3)).map(lambda found: tuple(sorted(found))), min_size=20, max_size=60
)


@settings(deadline=None, max_examples=50)
@given(labels=several, seed=st.integers(0, 9))
def test_every_class_of_videos_with_several_is_on_both_sides(labels, seed):
    videos = VideoList([Video(f"{i}.mp4", label) for i, label in enumerate(labels)], "abcd")
    assert videos.multi_label
    train, validation = split(videos, 0.25, seed)
    assert sorted(v.path for v in [*train, *validation]) == sorted(v.path for v in videos)
    for name, count in videos.counts.items():
        if count > 8:
            assert 0 < validation.counts[name] < count


def test_shares_of_several_labels_are_near_the_fraction():
    rng = np.random.default_rng(0)
    drawn = rng.random((1000, 4)) < [0.5, 0.3, 0.1, 0.03]
    labels = [tuple(np.flatnonzero(row).tolist()) for row in drawn]
    videos = VideoList([Video(f"{i}.mp4", label) for i, label in enumerate(labels)], "abcd")
    _, validation = split(videos, 0.2, seed=1)
    assert len(validation) == pytest.approx(200, rel=0.1)
    for name, count in videos.counts.items():
        assert validation.counts[name] == pytest.approx(0.2 * count, rel=0.15)


def test_one_label_a_video_or_several_not_both():
    with pytest.raises(ValueError, match="Received: both"):
        VideoList([Video("a.mp4", 0), Video("b.mp4", (0, 1))], "ab")
    with pytest.raises(ValueError, match="only 2 classes"):
        VideoList([Video("b.mp4", (0, 2))], "ab")


def test_single_videos_are_split_to_the_video():
    videos = make([1] * 60, [1] * 40)
    train, validation = split(videos, 0.25)
    assert validation.counts == {"class 0": 15, "class 1": 10}
    assert train.counts == {"class 0": 45, "class 1": 30}


def test_both_sides_keep_the_order():
    videos = make([1] * 30, [2] * 10)
    order = {video: place for place, video in enumerate(videos)}
    for side in split(videos, 0.4, seed=3):
        places = [order[video] for video in side]
        assert places == sorted(places)


def test_the_seed_decides_and_nothing_else():
    videos = make([1] * 30, [2] * 10)
    reversed_videos = VideoList(videos[::-1], videos.labels)
    sides = [{v.path for v in split(videos, 0.3, seed)[1]} for seed in range(5)]
    assert len({frozenset(side) for side in sides}) == 5
    assert sides == [{v.path for v in split(reversed_videos, 0.3, s)[1]} for s in range(5)]


def test_without_groups_the_parts_of_a_file_stay_together():
    videos = VideoList(
        [Video(f"{file}.mp4", 0, start=part) for file in range(10) for part in range(5)], ["a"]
    )
    train, validation = split(videos, 0.2)
    assert len(validation) == 10
    assert {v.path for v in train}.isdisjoint({v.path for v in validation})


def test_groups_of_several_classes_stay_together():
    videos = VideoList(
        [Video(f"{g}_{n}.mp4", n % 2, group=str(g)) for g in range(10) for n in range(4)],
        ["a", "b"],
    )
    train, validation = split(videos, 0.3)
    assert validation.counts == {"a": 6, "b": 6}
    assert {v.group for v in train}.isdisjoint({v.group for v in validation})


def test_a_class_of_one_group_is_for_training():
    train, validation = split(make([4], [1] * 10), 0.3)
    assert train.counts == {"class 0": 4, "class 1": 7}
    assert validation.counts == {"class 0": 0, "class 1": 3}


def test_unlabelled_videos_can_be_split():
    videos = VideoList([Video(f"{number}.mp4") for number in range(10)])
    assert collections.Counter(map(len, split(videos, 0.2))) == {8: 1, 2: 1}


@pytest.mark.parametrize("fraction", [0, 1, -0.2, 20, float("nan")])
def test_senseless_fractions_are_refused(fraction):
    with pytest.raises(ValueError, match=f"between 0 and 1. Received: fraction={fraction}"):
        split(make([1, 1]), fraction)


@pytest.mark.parametrize("videos", [make([3]), make([3], [5]), VideoList([])])
def test_a_side_without_videos_is_refused(videos):
    with pytest.raises(
        ValueError,
        match=r"VideoList\(.*\) cannot be split: no class has two groups .* --validation FOLDER",
    ):
        split(videos)


def test_only_present_counts_the_holes(tmp_path):
    for name in "ac":
        (tmp_path / f"{name}.mp4").touch()
    listed = [Video(str(tmp_path / f"{name}.mp4"), 0) for name in "abcd"]
    with pytest.warns(MissingVideosWarning, match=r"2 of 4 videos that list\.csv .*b\.mp4"):
        videos = only_present(listed, ["run"], "list.csv")
    assert list(videos) == [listed[0], listed[2]]
    assert videos.missing == (listed[1].path, listed[3].path)


def test_only_present_refuses_when_nothing_is(tmp_path):
    listed = [Video(str(tmp_path / f"{name}.mp4"), 0) for name in "abcd"]
    with pytest.raises(
        FileNotFoundError,
        match=r"None of the 4 videos that list.csv lists is on disk. "
        r"Looked for .*a.mp4, .*b.mp4, .*c.mp4, \.\.\.$",
    ):
        only_present(listed, ["run"], "list.csv")


VIDEOS = VideoList(
    [Video("a.mp4", 0), Video("b.mp4", 2), Video("c.mp4", 2), Video("d.mp4")],
    ["run", "sit", "jump"],
    missing=["e.mp4"],
)


def test_a_video_list_is_a_sequence():
    assert len(VIDEOS) == 4
    assert VIDEOS[1] == Video("b.mp4", 2)
    assert VIDEOS[-1].path == "d.mp4"
    assert [video.label for video in VIDEOS] == [0, 2, 2, None]
    assert Video("c.mp4", 2) in VIDEOS
    assert VIDEOS.labels == ("run", "sit", "jump")
    assert VIDEOS.missing == ("e.mp4",)


def test_a_slice_keeps_the_class_names():
    part = VIDEOS[1:3]
    assert part == VideoList([Video("b.mp4", 2), Video("c.mp4", 2)], VIDEOS.labels)
    assert part.labels == VIDEOS.labels
    assert part.missing == ()


def test_counts_are_by_name_in_class_order():
    assert list(VIDEOS.counts.items()) == [("run", 1), ("sit", 0), ("jump", 2)]


def test_repr_tells_the_sizes():
    assert repr(VIDEOS) == "VideoList(4 videos, 3 classes, 1 missing)"
    assert repr(VIDEOS[:2]) == "VideoList(2 videos, 3 classes)"


def test_equality_sees_everything():
    same = VideoList(list(VIDEOS), list(VIDEOS.labels), ["e.mp4"])
    assert same == VIDEOS
    assert hash(VIDEOS) == hash(same)
    assert VideoList(VIDEOS, VIDEOS.labels) != VIDEOS
    assert VideoList(VIDEOS, ["a", "b", "c"], ["e.mp4"]) != VIDEOS
    assert list(VIDEOS) != VIDEOS


def test_it_travels_between_processes():
    assert pickle.loads(pickle.dumps(VIDEOS)) == VIDEOS


def test_duplicate_class_names_are_refused():
    with pytest.raises(ValueError, match=r"name of its own. Received twice: 'run', 'sit'"):
        VideoList([], ["run", "sit", "run", "sit", "jump"])


@pytest.mark.parametrize("name", ["a\x1b[31m", "two\nlines", "caf\udce9"])
def test_a_class_name_is_printable(name):
    with pytest.raises(ValueError, match="A class name is printable text") as caught:
        VideoList([], ["run", name])
    assert str(caught.value).isprintable()


def test_a_label_without_a_name_is_refused():
    with pytest.raises(ValueError, match=r"a.mp4 has label 2, but only 2 classes have names"):
        VideoList([Video("a.mp4", 2)], ["run", "sit"])
