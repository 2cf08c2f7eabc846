import weakref

import numpy as np
import pytest
from evaluation.plain import plain_views
from video_files import write_video

from keras_acl.clip import ClipSpec
from keras_acl.data import MovingFigures
from keras_acl.video import frame_table, modality
from keras_acl.video.files import find_videos
from keras_acl.video.video import DecodingError, Video
from keras_acl.video.views import ViewGrid, crop_corners, iterate_views

CLIP = ClipSpec(frames=4, span=8, size=28)  # tested at 32


@pytest.mark.parametrize(
    ("height", "width", "size", "corners"),
    [
        (256, 340, 256, [(0, 0), (0, 42), (0, 84)]),  # landscape, even spare
        (256, 341, 256, [(0, 0), (0, 43), (0, 85)]),  # odd: the centre is rounded up
        (340, 256, 256, [(0, 0), (42, 0), (84, 0)]),  # portrait
        (341, 256, 256, [(0, 0), (43, 0), (85, 0)]),
        (256, 256, 256, [(0, 0), (0, 0), (0, 0)]),
        (101, 120, 80, [(11, 0), (11, 20), (11, 40)]),  # spare on both sides
        (120, 101, 80, [(0, 11), (20, 11), (40, 11)]),
        (100, 100, 80, [(10, 0), (10, 10), (10, 20)]),  # a square counts as landscape
    ],
)
def test_three_crops_are_those_of_pyslowfast(height, width, size, corners):
    assert crop_corners(height, width, size, 3) == corners
    assert crop_corners(height, width, size, 1) == corners[1:2]


def test_crops_are_spread_with_both_ends():
    assert crop_corners(20, 30, 20, 2) == [(0, 0), (0, 10)]
    assert crop_corners(20, 30, 20, 5) == [(0, 0), (0, 3), (0, 5), (0, 8), (0, 10)]


def test_a_crop_larger_than_the_frame_is_refused():
    with pytest.raises(ValueError, match=r"crop of 33 does not fit into frames of 32x48\. Resize"):
        crop_corners(32, 48, 33, 3)


def test_grid_counts_crops_first():
    grid = ViewGrid(clips=2, crops=3)
    assert len(grid) == 6
    places = [grid.place(view) for view in range(6)]
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert len(ViewGrid()) == 30


def test_the_ten_crops_are_corners_and_centre_and_mirrored():
    grid = ViewGrid(2, "ten")
    assert len(grid) == 20
    assert grid.place(13) == (1, 3)
    assert grid.size(CLIP) == 28
    assert grid.corners(32, 43, 28) == [(0, 0), (0, 15), (4, 0), (4, 15), (2, 8)]


@pytest.mark.parametrize("wrong", [{"clips": 0}, {"crops": 0}, {"clips": -1}, {"crops": "five"}])
def test_a_grid_without_views_is_refused(wrong):
    with pytest.raises(
        ValueError, match=r'one clip and one crop, or crops="ten"\. Received: clips='
    ):
        ViewGrid(**wrong)


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """100 frames of noise (3.3 s), key frames every 12, 40 x 58: an odd spare at 32."""
    frames = np.random.default_rng(0).integers(0, 256, (100, 40, 58, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("views") / "noise.mp4"
    return str(write_video(path, frames, options={"preset": "ultrafast", "g": "12"}))


@pytest.mark.parametrize("crops", [1, 3])
@pytest.mark.parametrize("clips", [1, 2, 3, 10, 40])  # far apart to overlapping
def test_views_are_those_of_a_plain_loop(noise, clips, crops):
    grid = ViewGrid(clips, crops)
    found = list(iterate_views(Video(noise), CLIP, grid))
    np.testing.assert_array_equal(found, plain_views(Video(noise), CLIP, grid))
    assert np.shape(found) == (clips * crops, 4, 32, 32, 3)
    assert found[0].dtype == np.uint8


@pytest.mark.parametrize(
    "clip",
    [
        ClipSpec(frames=8, span=8, size=28),  # every frame
        ClipSpec(frames=5, span=64, size=28),  # offsets that are no integers
        ClipSpec(frames=4, span=8, fps=12.5, size=28),
        ClipSpec(frames=8, span=16, fps=60, size=28),  # frames are shown twice
        ClipSpec(frames=8, span=300, size=28),  # longer than the video: the last frame stands still
        ClipSpec(frames=7, span=8, size=28, segments=True),
        ClipSpec(frames=140, span=140, size=28, segments=True),  # more segments than frames
    ],
)
@pytest.mark.parametrize("crops", [2, "ten"])
def test_views_of_other_clips(noise, clip, crops):
    grid = ViewGrid(3, crops)
    np.testing.assert_array_equal(
        list(iterate_views(Video(noise), clip, grid)), plain_views(Video(noise), clip, grid)
    )


@pytest.mark.parametrize(
    ("start", "end"), [(None, 0.1), (0.5, 1.5), (2.6, None), (2.7, 3.0), (3.2, 9.0), (0.0, 0.01)]
)
def test_views_of_a_part(noise, start, end):
    video, grid = Video(noise, start=start, end=end), ViewGrid(3, 3)
    np.testing.assert_array_equal(
        list(iterate_views(video, CLIP, grid)), plain_views(video, CLIP, grid)
    )


def test_views_of_videos_shorter_than_a_clip(tmp_path):
    MovingFigures(distractors=0, frames=8, size=48).write(tmp_path, 1)
    clip = ClipSpec(frames=4, span=12, size=28)
    frame = np.full((1, 48, 32, 3), 90, np.uint8)
    paths = [*find_videos(tmp_path)[:2], str(write_video(tmp_path / "one.mp4", frame))]
    for path in paths:
        found = list(iterate_views(Video(path), clip, ViewGrid(4, 3)))
        np.testing.assert_array_equal(found, plain_views(Video(path), clip, ViewGrid(4, 3)))
        np.testing.assert_array_equal(found[0], found[9])  # all clips start at the first frame
    assert np.ptp(found) == 0


def test_no_more_frames_are_held_than_a_clip_spans(noise, monkeypatch):
    handed_over, most = [], 0
    stream = modality.stream_squares

    def watched(*arguments):
        nonlocal most
        for squares in stream(*arguments):
            own = [square.copy() for square in squares]
            handed_over.append(weakref.ref(own[0]))
            del squares
            yield own
            del own
            most = max(most, sum(alive() is not None for alive in handed_over))

    monkeypatch.setattr(modality, "stream_squares", watched)
    clip = ClipSpec(frames=8, span=8, size=28)
    assert sum(1 for _ in iterate_views(Video(noise), clip, ViewGrid(60, 3))) == 180
    assert len(handed_over) > 90  # nearly every frame is in a clip
    assert most <= clip.span


def test_a_video_is_opened_twice_however_many_views_there_are(noise, monkeypatch, opened):
    monkeypatch.setattr(frame_table, "_memory", frame_table._Memory(10**6))
    assert sum(1 for _ in iterate_views(Video(noise), CLIP, ViewGrid(10, 3))) == 30
    assert len(opened) == 2  # to measure, to read
    assert sum(1 for _ in iterate_views(Video(noise), CLIP, ViewGrid(10, 3))) == 30
    assert len(opened) == 3  # what was measured is remembered


def test_a_walk_that_stops_early_closes_the_file(noise, all_closed):
    walk = iterate_views(Video(noise), CLIP, ViewGrid())
    next(walk)
    walk.close()
    assert all_closed()


def test_a_part_beyond_the_end_and_a_broken_file_are_decoding_errors(noise, tmp_path):
    with pytest.raises(DecodingError, match=r"but the part that counts begins at 5\.00 s"):
        next(iterate_views(Video(noise, start=5.0), CLIP, ViewGrid()))
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(DecodingError, match="Invalid data"):
        next(iterate_views(Video(str(tmp_path / "broken.mp4")), CLIP, ViewGrid()))
