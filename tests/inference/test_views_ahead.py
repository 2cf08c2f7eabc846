import collections
import contextlib
import threading
import time

import numpy as np
import pytest
from evaluation.plain import plain_views, write_pictures

from keras_acl.clip import ClipSpec
from keras_acl.data import Video
from keras_acl.evaluation.views import ViewGrid
from keras_acl.inference import views_ahead as decoding_ahead
from keras_acl.inference.views_ahead import AHEAD, views_ahead
from keras_acl.video.video import DecodingError

CLIP = ClipSpec(frames=4, span=8, size=28)
GRID = ViewGrid(3, 2)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("videos"), (6, 20, 9, 31))


@pytest.fixture(autouse=True)
def no_thread_stays():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("threads", [1, 2, 9])
def test_every_view_of_a_video_comes_in_order(videos, threads):
    found = list(views_ahead(videos, CLIP, GRID, threads))
    assert len(found) == 4 * 6
    for place, video in enumerate(videos):
        views = [view for owner, view in found if owner == place]
        np.testing.assert_array_equal(views, list(plain_views(video, CLIP, GRID)))


def test_all_threads_feed_a_consumer_that_is_faster(monkeypatch):
    """The second video does not wait for the end of the first one."""
    both = threading.Barrier(2, timeout=10)

    def together(video, clip, grid):
        for number in range(len(grid)):
            both.wait()  # goes on when both threads are at the same view
            yield number

    monkeypatch.setattr(decoding_ahead, "iterate_views", together)
    videos = [Video("a.mp4"), Video("b.mp4")]
    found = list(views_ahead(videos, CLIP, ViewGrid(10 * AHEAD, 1), threads=2))
    assert len(found) == 2 * 10 * AHEAD


def test_no_videos_have_no_views():
    assert list(views_ahead([], CLIP, GRID)) == []


def test_a_broken_video_ends_with_its_error(videos, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "empty.mp4").touch()
    bad = [Video(str(tmp_path / name)) for name in ("broken.mp4", "empty.mp4", "missing.mp4")]
    found = list(views_ahead([bad[0], videos[0], *bad[1:], videos[1]], CLIP, GRID))
    errors = {place: item for place, item in found if isinstance(item, DecodingError)}
    assert sorted(errors) == [0, 2, 3]
    assert [errors[place].path for place in sorted(errors)] == [video.path for video in bad]
    assert len(found) == 3 + 2 * 6


def test_a_video_that_breaks_in_the_middle(videos, monkeypatch):
    views = decoding_ahead.iterate_views

    def breaking(video, *arguments):
        for number, view in enumerate(views(video, *arguments)):
            if video is videos[1] and number == 4:
                raise DecodingError(video.path, "it breaks off")
            yield view

    monkeypatch.setattr(decoding_ahead, "iterate_views", breaking)
    found = list(views_ahead(videos, CLIP, GRID))
    counts = collections.Counter(place for place, _ in found)
    assert counts == {0: 6, 1: 5, 2: 6, 3: 6}
    assert isinstance([item for place, item in found if place == 1][-1], DecodingError)


def test_other_errors_are_raised_here(videos, monkeypatch):
    def failing(video, *arguments):
        if video is videos[2]:
            raise MemoryError("no memory")
        yield from ()

    monkeypatch.setattr(decoding_ahead, "iterate_views", failing)
    with pytest.raises(MemoryError, match="no memory"):
        list(views_ahead(videos, CLIP, GRID))


def test_stopping_early_ends_all_threads(videos):
    with contextlib.closing(views_ahead(videos * 5, CLIP, ViewGrid(10, 3), threads=3)) as views:
        next(views)
        assert threading.active_count() > 1
    # `no_thread_stays` looks now.


def test_few_views_are_ready_however_many_there_are(monkeypatch):
    made = []

    def endless(video, clip, grid):
        for number in range(len(grid)):
            made.append(video)
            yield number

    monkeypatch.setattr(decoding_ahead, "iterate_views", endless)
    videos = [Video(f"{number}.mp4") for number in range(10)]
    with contextlib.closing(views_ahead(videos, CLIP, ViewGrid(100, 3), threads=2)) as views:
        for taken in range(1, 6):
            next(views)
            time.sleep(0.02)
            assert len(made) <= taken + 2 * (AHEAD + 1)
    assert set(made) <= set(videos[:2])
