import av
import numpy as np
import pytest
from video_files import damage, numbered_frames, write_video

from keras_acl.data.video_list import VideoList
from keras_acl.video import check
from keras_acl.video.check import VideoProblem, check_videos
from keras_acl.video.video import Video


@pytest.fixture
def folder(tmp_path):
    """Five files: the second, third and fifth are bad."""
    write_video(tmp_path / "0.mp4", numbered_frames(5))
    (tmp_path / "1.mp4").touch()
    broken = write_video(tmp_path / "2.mp4", numbered_frames(60))
    damage(broken)  # far behind the first frames: only decoding finds it
    write_video(tmp_path / "3.mkv", numbered_frames(5))
    (tmp_path / "4.mp4").write_text("no video")
    return tmp_path


@pytest.mark.parametrize("workers", [1, 4, None])
def test_bad_files_are_named_in_order(folder, workers, capfd):
    paths = sorted(folder.iterdir())
    problems = check_videos(paths, workers)
    invalid = "Invalid data found when processing input"
    assert problems == [VideoProblem(str(paths[bad]), invalid) for bad in (1, 2, 4)]
    assert capfd.readouterr() == ("", "")


def test_records_are_checked_with_their_parts(folder):
    path = str(folder / "0.mp4")
    videos = VideoList(
        [Video(path, 0, end=0.1), Video(path, 0, start=0.1), Video(path, 0, start=0.5)], ["a"]
    )
    (problem,) = check_videos(videos)
    assert problem.path == path
    assert problem.reason == "it ends after 0.17 s, but the part that counts begins at 0.50 s"


def test_missing_files_are_problems_too(tmp_path):
    (problem,) = check_videos([tmp_path / "gone.mp4"])
    assert problem == (str(tmp_path / "gone.mp4"), "No such file or directory")


def test_frames_that_ffmpeg_had_to_patch_are_counted(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 32, 48, 3), dtype=np.uint8)
    path = write_video(tmp_path / "v.avi", noise, codec="mpeg4")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    (problem,) = check_videos([path])
    assert problem.reason == "1 of its 20 frames are damaged"


def test_progress_counts_files(folder):
    calls = []
    check_videos(folder.iterdir(), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 5) for done in range(1, 6)]


def test_an_interrupt_ends_the_check_early(folder, monkeypatch):
    started = []
    honest = check.probe
    monkeypatch.setattr(check, "probe", lambda path: started.append(path) or honest(path))

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_videos([folder / "0.mp4"] * 500, workers=1, progress=interrupt)
    assert len(started) < 400


def test_no_files_no_problems():
    assert check_videos([]) == []


def test_the_outermost_crops_are_drawn(tmp_path, monkeypatch):
    paths = [
        write_video(tmp_path / f"{height}x{width}.mp4", numbered_frames(3, height, width))
        for height, width in ((2, 2), (2, 320), (320, 2), (64, 96))
    ]
    assert check_videos(paths) == []
    honest = check.Cutter.__call__

    def fails_far_out(cutter, frame, out):
        if cutter.crop.top == 0 and cutter.crop.left == 480 - 224:
            raise av.error.ArgumentError(22, "Invalid argument")
        honest(cutter, frame, out)

    monkeypatch.setattr(check.Cutter, "__call__", fails_far_out)
    assert check_videos(paths) == [VideoProblem(str(paths[3]), "Invalid argument")]
