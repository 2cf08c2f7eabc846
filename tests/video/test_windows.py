import itertools
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_files import damage, gray_to_numbers, numbered_frames, write_sound, write_video

from keras_acl.clip import ClipSpec
from keras_acl.video import cutter
from keras_acl.video.clips import read_seen
from keras_acl.video.frame_table import probe
from keras_acl.video.sampling import frame_offsets, grid_length
from keras_acl.video.windows import grid_frames, read_windows, slide, stated_seconds, stride_frames

CLIP = ClipSpec(frames=4, span=8, size=16)


def read_all(path, clip=CLIP, stride=4):
    faults = []
    return list(read_windows(path, clip, stride, faults)), faults


# Index arithmetic


@given(count=st.integers(1, 200), span=st.integers(1, 40), data=st.data())
def test_every_item_is_in_a_window_and_windows_are_in_order(count, span, data):
    stride = data.draw(st.integers(1, span))
    found = list(slide(range(count), span, stride))
    starts = [start for start, _, _ in found]
    assert starts == sorted(set(starts))
    assert set(itertools.chain(*(items for _, _, items in found))) == set(range(count))
    assert all(later - start <= stride for start, later in itertools.pairwise(starts))
    assert all(start % stride == 0 for start in starts[:-1])
    assert starts[0] == 0
    assert found[-1][1] == count
    for start, stop, items in found:
        assert stop == min(start + span, count)
        assert items == [min(start + place, count - 1) for place in range(span)]


@given(span=st.integers(1, 20), data=st.data())
def test_no_more_than_a_span_of_items_is_held(span, data):
    stride = data.draw(st.integers(1, span))
    alive = set()

    class Item:
        def __init__(self):
            alive.add(id(self))

        def __del__(self):
            alive.discard(id(self))

    for _ in slide((Item() for _ in range(200)), span, stride):
        assert len(alive) <= span + 1  # the window's, and the last one's variable
        _ = None


def test_windows_by_hand():
    found = [(start, stop) for start, stop, _ in slide("abcdefghijk", 4, 3)]
    assert found == [(0, 4), (3, 7), (6, 10), (7, 11)]
    assert [start for start, _, _ in slide("abcdefghij", 4, 3)] == [0, 3, 6]  # ends with the last
    assert list(slide("ab", 4, 3)) == [(0, 2, ["a", "b", "b", "b"])]
    assert list(slide("", 4, 3)) == []


def test_strides_are_whole_frames_of_the_grid():
    assert stride_frames(CLIP, None) == 4
    assert stride_frames(ClipSpec(frames=1, span=1), None) == 1
    assert stride_frames(CLIP, 0.1) == 3
    assert stride_frames(CLIP, 1e-9) == 1
    assert stride_frames(CLIP, CLIP.seconds) == 8


@pytest.mark.parametrize("stride", [0, -1, 0.3, float("nan"), float("inf")])
def test_a_stride_that_leaves_moments_out_is_refused(stride):
    with pytest.raises(ValueError, match=r"above 0 and up to the clip's 0.27 s. Received: stride="):
        stride_frames(CLIP, stride)


# Frames


@pytest.mark.parametrize("fps", [7, 25, 30, Fraction(30000, 1001), 60])
@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_a_window_is_what_the_model_sees_at_its_times(tmp_path, name, fps):
    frames = np.random.default_rng(0).integers(0, 256, (70, 36, 64, 3), dtype=np.uint8)
    path = write_video(tmp_path / name, frames, fps)
    found, faults = read_all(path, stride=3)
    assert faults == []
    total = grid_length(probe(path).seconds, CLIP)
    assert [round(window.start * 30) for window in found][:3] == [0, 3, 6]
    assert found[-1].end == total / 30
    for window in found[::7] + found[-2:]:
        times = window.start + frame_offsets(CLIP) / CLIP.fps
        np.testing.assert_array_equal(window.clip, read_seen(path, times, CLIP))


def test_numbers_and_times_by_hand(numbered_video):
    found, _ = read_all(numbered_video)
    # 81 frames: windows of 8 at 0, 4, ..., 72, and the last at 73; offsets 0, 2, 4, 7
    assert len(found) == 20
    assert gray_to_numbers(found[1].clip) == [4, 6, 8, 11]
    assert gray_to_numbers(found[-1].clip) == [73, 75, 77, 80]
    assert (found[1].start, found[1].end) == (4 / 30, 12 / 30)
    assert (found[-1].start, found[-1].end) == (73 / 30, 81 / 30)


def test_a_recording_shorter_than_a_window_is_one(tmp_path):
    [window], faults = read_all(write_video(tmp_path / "v.mp4", numbered_frames(5)))
    assert gray_to_numbers(window.clip) == [0, 2, 4, 4]
    assert (window.start, window.end, faults) == (0, 5 / 30, [])


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_one_frame_is_one_window(tmp_path, name):
    [window], faults = read_all(write_video(tmp_path / name, numbered_frames(1) + 60))
    assert window.clip.shape == (4, 16, 16, 3)
    assert gray_to_numbers(window.clip) == [20] * 4
    assert faults == []


def test_a_variable_rate_follows_the_timestamps(tmp_path):
    path = write_video(tmp_path / "v.mkv", numbered_frames(5), 10, pts=[0, 1, 2, 10, 11])
    numbers = gray_to_numbers(np.stack(list(grid_frames(path, CLIP, []))))
    assert numbers[:36] == [0] * 3 + [1] * 3 + [2] * 24 + [3] * 3 + [4] * 3


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_honoured(tmp_path, rotation):
    frames = np.random.default_rng(0).integers(0, 256, (12, 32, 64, 3), dtype=np.uint8)
    path = write_video(tmp_path / "v.mp4", frames, rotation=rotation)
    found, _ = read_all(path)
    expected = read_seen(path, frame_offsets(CLIP) / 30, CLIP)
    np.testing.assert_array_equal(found[0].clip, expected)


def test_a_frame_is_converted_once(tmp_path, monkeypatch):
    converted = []
    convert = cutter.to_rgb

    def counted(*args):
        converted.append(args)
        return convert(*args)

    monkeypatch.setattr(cutter, "to_rgb", counted)
    for name, fps, conversions in [("slow.mp4", 10, 20), ("fast.mp4", 60, 10)]:
        path = write_video(tmp_path / name, numbered_frames(20), fps)
        converted.clear()
        assert len(list(grid_frames(path, CLIP, []))) == 20 * 30 // fps
        assert len(converted) == conversions


# Files that are not as they should be


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda path: None, "No such file"),
        (Path.touch, "Invalid data"),
        (lambda path: path.write_text("not a video"), "Invalid data"),
        (write_sound, "it holds no video stream"),
    ],
)
def test_a_file_without_a_frame_gives_no_window_but_a_reason(tmp_path, write, reason):
    write(tmp_path / "v.mp4")
    found, faults = read_all(tmp_path / "v.mp4")
    assert found == []
    assert len(faults) == 1
    assert reason in faults[0]


def test_behind_a_damaged_spot_the_walk_goes_on(tmp_path):
    options = {"preset": "ultrafast", "qp": "4", "g": "10"}
    path = write_video(tmp_path / "v.mp4", numbered_frames(80, 64, 64), options=options)
    whole, _ = read_all(path)
    damage(path, path.stat().st_size // 2, 150)
    found, [fault] = read_all(path)
    assert "the first at 1." in fault
    assert [window.start for window in found] == [window.start for window in whole]
    for place in (0, 1, 2, -3, -2, -1):
        assert gray_to_numbers(found[place].clip) == gray_to_numbers(whole[place].clip)


@pytest.mark.parametrize(("name", "codec"), [("v.mkv", "libx264"), ("v.avi", "mpeg4")])
def test_a_file_cut_short_is_read_up_to_there(tmp_path, name, codec):
    path = write_video(tmp_path / name, numbered_frames(81), codec=codec)
    whole, _ = read_all(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found, faults = read_all(path)
    assert any("far from its stated end" in fault for fault in faults)
    assert 3 < len(found) < len(whole)
    for cut, before in zip(found[:-3], whole, strict=False):
        np.testing.assert_array_equal(cut.clip, before.clip)


def test_a_timestamp_that_is_nonsense_does_not_freeze_the_picture_for_weeks(tmp_path):
    path = write_video(tmp_path / "v.mkv", numbered_frames(20), pts=[*range(19), 10**8])
    found, [fault] = read_all(path)
    assert fault == f"its timestamps jump from 0.60 s to {10**8 / 30:.2f} s"
    assert found[-1].end == pytest.approx(19 / 30)


@pytest.mark.parametrize("frames", [100, 40])
def test_a_matroska_file_that_starts_late_is_whole(tmp_path, frames):
    # Its stated duration counts from 0, not from the first frame.
    late = range(600, 600 + frames)
    path = write_video(tmp_path / "v.mkv", numbered_frames(frames), 10, pts=list(late))
    with av.open(str(path)) as container:
        assert container.duration / av.time_base == pytest.approx(60 + frames / 10, abs=0.2)
    windows, faults = read_all(path, ClipSpec(frames=4, span=8, fps=10, size=16))
    assert not faults
    assert windows[-1].end == pytest.approx(frames / 10)


def test_what_an_edit_list_cuts_away_is_not_missing(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(60), 10, pts=list(range(-50, 10)))
    found, faults = read_all(path)
    assert faults == []
    assert gray_to_numbers(found[0].clip)[0] == 50


def test_stated_seconds_are_those_of_the_header(numbered_video):
    assert stated_seconds(numbered_video) == pytest.approx(2.7)


def test_a_size_that_changes_on_the_way_does_no_harm(tmp_path):
    path = tmp_path / "v.ts"
    parts = []
    for number, sides in enumerate([(32, 48), (64, 40)]):
        part = write_video(tmp_path / f"{number}.ts", numbered_frames(20, *sides))
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    found, _ = read_all(path)
    assert all(window.clip.shape == (4, 16, 16, 3) for window in found)


@settings(max_examples=10, deadline=None)
@given(stride=st.integers(1, 8))
def test_any_stride_gives_the_frames_of_its_times(numbered_video, stride):
    found, _ = read_all(numbered_video, stride=stride)
    for window in found:
        first = round(window.start * 30)
        assert gray_to_numbers(window.clip) == [first + offset for offset in (0, 2, 4, 7)]


def test_frames_in_memory_do_not_grow_with_the_recording(tmp_path):
    def peak(count):
        path = write_video(tmp_path / f"{count}.mp4", numbered_frames(count, 16, 16))
        tracemalloc.start()
        for _ in read_windows(path, CLIP, 4, []):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(1600) < 1.5 * peak(100)


def test_the_file_is_closed_when_nobody_reads_on(numbered_video, all_closed):
    reading = read_windows(numbered_video, CLIP, 4, [])
    next(reading)
    reading.close()
    assert all_closed()
