import os
import threading
from fractions import Fraction

import numpy as np
import pytest
from video_files import gray_to_numbers, numbered_frames, write_video

from keras_acl.video import frame_table
from keras_acl.video.frame_table import VideoInfo, probe, remembered
from keras_acl.video.read import read_frames
from keras_acl.video.video import DecodingError

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize("fps", [10, 25, 30, NTSC])
@pytest.mark.parametrize(
    ("name", "codec"), [("v.mp4", "libx264"), ("v.mkv", "libx264"), ("v.avi", "mpeg4")]
)
def test_probe_measures(tmp_path, name, codec, fps):
    info = probe(write_video(tmp_path / name, numbered_frames(20), fps, codec=codec))
    assert info.seconds == pytest.approx(20 / fps, abs=1e-3)
    assert info.fps == pytest.approx(float(fps), rel=2e-3)
    assert (info.frames, info.height, info.width) == (20, 32, 48)


@pytest.mark.parametrize("rotation", [90, 270])
def test_probe_gives_the_upright_size(tmp_path, rotation):
    info = probe(write_video(tmp_path / "v.mp4", numbered_frames(3), rotation=rotation))
    assert info == VideoInfo(seconds=0.1, frames=3, fps=30.0, width=32, height=48)


def test_probe_leaves_out_what_an_edit_list_cuts_away(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(40), 10, pts=list(range(-30, 10)))
    info = probe(path)
    assert (info.frames, info.seconds) == (10, 1.0)
    assert gray_to_numbers(read_frames(path, [0, 0.95])) == [30, 39]


def test_probe_needs_no_timestamps(tmp_path):
    info = probe(write_video(tmp_path / "v.h264", numbered_frames(20), 25))
    assert (info.frames, info.seconds, info.fps) == (20, 0.8, 25.0)


def test_probe_counts_the_last_frame_of_a_variable_rate(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(3), 10, pts=[0, 1, 20])
    assert probe(path).frames == 3
    assert 2.0 < probe(path).seconds < 4.0


@pytest.mark.parametrize(
    ("name", "codec"), [("v.mkv", "libx264"), ("v.webm", "libvpx-vp9"), ("v.avi", "mpeg4")]
)
def test_a_file_cut_short_is_known_by_its_header(tmp_path, name, codec):
    path = write_video(tmp_path / name, numbered_frames(81), codec=codec)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(DecodingError, match=r"breaks off after [0-9.]+ s, far from its stated end"):
        probe(path)


@pytest.fixture
def demuxed(monkeypatch):
    """Paths of the files that are read through, as they are."""
    paths, honest = [], frame_table._read_table
    monkeypatch.setattr(
        frame_table, "_read_table", lambda video: paths.append(video.path) or honest(video)
    )
    return paths


def test_a_file_is_read_through_once(numbered_video, tmp_path, demuxed):
    path = tmp_path / "v.mp4"
    path.write_bytes(numbered_video.read_bytes())
    assert remembered(path) is None
    first = probe(path)
    assert probe(str(path)) is first
    assert demuxed == [str(path)]
    assert remembered(path).info is first


def test_a_file_that_changes_is_read_again(tmp_path, demuxed):
    path = write_video(tmp_path / "v.mp4", numbered_frames(3))
    assert probe(path).frames == 3
    write_video(path, numbered_frames(5))
    assert probe(path).frames == 5
    status = os.stat(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert remembered(path) is None
    assert probe(path).frames == 5
    assert len(demuxed) == 3
    path.unlink()
    assert remembered(path) is None
    with pytest.raises(DecodingError, match="No such file"):
        probe(path)


def test_memory_forgets_what_was_used_longest_ago(numbered_video, monkeypatch, tmp_path):
    room = 3 * (64 + 81 + 2 * 10)  # three files; 10 key frames are more than there are
    monkeypatch.setattr(frame_table, "_memory", frame_table._Memory(room))
    paths = [tmp_path / f"{name}.mp4" for name in "abcd"]
    for path in paths:
        path.write_bytes(numbered_video.read_bytes())
    for path in paths[:3]:
        probe(path)
    probe(paths[0])
    probe(paths[3])
    assert [remembered(path) is not None for path in paths] == [True, False, True, True]


def test_a_file_larger_than_memory_is_measured_all_the_same(numbered_video, monkeypatch):
    monkeypatch.setattr(frame_table, "_memory", frame_table._Memory(10))
    assert probe(numbered_video).frames == 81
    assert remembered(numbered_video) is None


def test_threads_share_what_is_remembered(numbered_video, tmp_path, monkeypatch):
    monkeypatch.setattr(frame_table, "_memory", frame_table._Memory(5 * 165))
    paths = [tmp_path / f"{number}.mp4" for number in range(12)]
    for path in paths:
        path.write_bytes(numbered_video.read_bytes())
    wrong = []

    def work(seed: int) -> None:
        for place in np.random.default_rng(seed).integers(0, 12, 40):
            if probe(paths[place]).frames != 81:
                wrong.append(place)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    memory = frame_table._memory
    assert (
        0
        <= memory._free
        == 5 * 165 - sum(frame_table._weight(table) for _, table in memory._tables.values())
    )


def test_times_of_frames_are_those_of_the_walk(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(5), NTSC, pts=[0, 1, 2, 10, 11])
    probe(path)
    table = remembered(path)
    assert table.seconds().tolist() == [
        float(Fraction(number * 1001, 30000)) for number in (0, 1, 2, 10, 11)
    ]
    assert table.keys[0, 0] == table.stamps[0]


def test_files_without_timestamps_have_no_table(tmp_path):
    path = write_video(tmp_path / "v.h264", numbered_frames(20), 25)
    probe(path)
    assert not remembered(path).stamps.size
