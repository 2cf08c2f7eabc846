import pickle

import pytest

from keras_acl.data.video_list import VideoList
from keras_acl.video.video import Video

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


def test_a_label_without_a_name_is_refused():
    with pytest.raises(ValueError, match=r"a.mp4 has label 2, but only 2 classes have names"):
        VideoList([Video("a.mp4", 2)], ["run", "sit"])


def test_a_negative_label_is_refused():
    with pytest.raises(ValueError, match=r"0 or more. Received: label=-1"):
        Video("a.mp4", -1)


@pytest.mark.parametrize(
    ("start", "end"), [(-1.0, None), (2.0, 1.0), (2.0, 2.0), (None, 0.0), (float("nan"), None)]
)
def test_senseless_parts_are_refused(start, end):
    with pytest.raises(ValueError, match=f"Received: start={start}, end={end}"):
        Video("a.mp4", 0, start, end)
