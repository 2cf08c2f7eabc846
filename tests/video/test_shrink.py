import json
import os
import resource
import threading

import av
import numpy as np
import pytest
from PIL import Image
from video_files import damage, gray_to_numbers, numbered_frames, write_video

from keras_acl.data import probe, read_csv, read_directory, read_frames
from keras_acl.video import encode
from keras_acl.video.files import find_videos
from keras_acl.video.shrink import shrink_videos


@pytest.fixture
def folder(tmp_path):
    """Two classes, three videos."""
    for name, count in (("jump/a.mp4", 20), ("jump/deep/b.avi", 10), ("run/c.mkv", 12)):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        codec = "mpeg4" if name.endswith("avi") else "libx264"
        write_video(path, numbered_frames(count, 64, 96), codec=codec)
    return tmp_path / "videos"


def test_copies_show_the_same_at_the_same_times_and_keep_their_places(folder, tmp_path):
    output, calls = tmp_path / "small", []
    report = shrink_videos(folder, output, short_side=32, progress=lambda *at: calls.append(at))
    assert (report.written, report.finished, report.problems) == (3, 0, ())
    assert calls == [(1, 3), (2, 3), (3, 3)]
    before, after = find_videos(folder), find_videos(output)
    assert [os.path.relpath(path, output) for path in after] == [
        os.path.relpath(path, folder) for path in before
    ]
    assert report.bytes_before == sum(os.stat(path).st_size for path in before)
    assert report.bytes_after == sum(os.stat(path).st_size for path in after)
    assert [video.label for video in read_directory(output)] == [0, 0, 1]
    for old, new in zip(before, after, strict=True):
        info = probe(new)
        assert (info.height, info.width, info.frames) == (32, 48, probe(old).frames)
        assert info.seconds == pytest.approx(probe(old).seconds, abs=2e-3)
        times = np.arange(0, info.seconds, 1 / 30)
        numbers = gray_to_numbers(read_frames(old, times))
        assert gray_to_numbers(read_frames(new, times)) == numbers
        with av.open(new) as container:
            assert container.format.name.startswith("mov,mp4")
            assert [stream.type for stream in container.streams] == ["video"]


def test_pictures_beside_a_video_of_their_name_are_refused(folder, tmp_path):
    pictures = folder / "jump" / "a"
    pictures.mkdir()
    for number in (1, 2):
        Image.new("RGB", (32, 32)).save(pictures / f"{number}.png")
    with pytest.raises(ValueError, match=r"the copy of another video would be .*a\.mp4"):
        shrink_videos(folder, tmp_path / "small")
    assert not list((tmp_path / "small").rglob("*.mp4"))


def test_the_same_call_goes_on(folder, tmp_path):
    output = tmp_path / "small"
    shrink_videos(folder, output)
    made = {path: os.stat(path).st_mtime_ns for path in find_videos(output)}
    os.unlink(output / "run" / "c.mkv")
    os.utime(folder / "jump" / "a.mp4")  # the original is another one since
    report = shrink_videos(folder, output)
    assert (report.written, report.finished) == (2, 1)
    assert os.stat(output / "jump/deep/b.avi").st_mtime_ns == made[str(output / "jump/deep/b.avi")]
    assert os.stat(output / "jump/a.mp4").st_mtime_ns > made[str(output / "jump/a.mp4")]
    report = shrink_videos(folder, output)
    assert (report.written, report.finished) == (0, 3)
    with pytest.raises(ValueError, match=r"made with other settings: .*320.*Received: .*64"):
        shrink_videos(folder, output, short_side=64)


def test_bad_files_are_named_and_the_others_copied(folder, tmp_path):
    (folder / "run" / "empty.mp4").touch()
    (folder / "run" / "text.mp4").write_text("no video")
    whole = (folder / "jump" / "a.mp4").read_bytes()
    (folder / "run" / "cut.mp4").write_bytes(whole[:-700])
    (folder / "run" / "broken.mp4").write_bytes(whole)
    damage(folder / "run" / "broken.mp4", 1200, 300)
    report = shrink_videos(folder, tmp_path / "small")
    assert [os.path.basename(problem.path) for problem in report.problems] == [
        *("broken.mp4", "cut.mp4", "empty.mp4", "text.mp4")
    ]
    reasons = ("Invalid data", "it holds no video stream", "Invalid data", "Invalid data")
    for problem, reason in zip(report.problems, reasons, strict=True):
        assert problem.reason.startswith(reason)
    assert report.written == 3
    assert len(find_videos(tmp_path / "small")) == 3
    assert not list((tmp_path / "small").rglob("*saving-*"))


def test_lists_come_along(folder, tmp_path):
    (folder / "train.csv").write_text("path,label\njump/a.mp4,jump\nrun/c.mkv,run\n")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.csv").write_text("")
    shrink_videos(folder, tmp_path / "small")
    videos = read_csv(tmp_path / "small" / "train.csv")
    assert [video.path for video in videos] == [
        str(tmp_path / "small" / "jump" / "a.mp4"),
        str(tmp_path / "small" / "run" / "c.mkv"),
    ]
    assert not (tmp_path / "small" / ".hidden").exists()


@pytest.mark.parametrize("place", [".", "copies", "..", "../videos"])
def test_originals_and_copies_do_not_mix(folder, place):
    with pytest.raises(ValueError, match="Originals and copies must not mix"):
        shrink_videos(folder, folder / place)


def test_mistakes(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        shrink_videos(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="There is no video file"):
        shrink_videos(tmp_path / "empty", tmp_path / "out")
    for values in ({"short_side": 8}, {"quality": 32}, {"quality": 0}):
        with pytest.raises(ValueError, match=r"16 pixels and, with mpeg4, a quality from 1 .* 31"):
            shrink_videos(folder, tmp_path / "out", **values)
    for quality in (-1, 52):
        with pytest.raises(ValueError, match="with h264, a quality from 0"):
            shrink_videos(folder, tmp_path / "out", codec="h264", quality=quality)
    with pytest.raises(ValueError, match="Expected a codec of mpeg4, h264"):
        shrink_videos(folder, tmp_path / "out", codec="av1")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_one_error_and_leaves_nothing(folder, tmp_path):
    rng = np.random.default_rng(0)
    write_video(folder / "run" / "d.mp4", rng.integers(0, 256, (30, 64, 96, 3), np.uint8))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"d\.mp4 (cannot be written|was not written)"):
            shrink_videos(folder, tmp_path / "small", quality=1, workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "small").rglob("*saving-*"))
    assert not (tmp_path / "small" / "run" / "d.mp4").exists()
    assert shrink_videos(folder, tmp_path / "small", quality=1).written == 1


def test_an_interruption_leaves_whole_files_only(folder, tmp_path, monkeypatch):
    started, honest = threading.Event(), encode._stamped

    def endless(source):
        stamped = honest(source)
        frame, stamp, unit, rate = next(stamped)
        stamped.close()
        for number in range(10**9):
            started.set()
            yield frame, stamp + number, unit, rate

    def stop(done, total):
        started.wait()
        raise KeyboardInterrupt

    def some(source):
        return honest(source) if source.name == "a.mp4" else endless(source)

    monkeypatch.setattr(encode, "_stamped", some)
    with pytest.raises(KeyboardInterrupt):
        shrink_videos(folder, tmp_path / "small", workers=2, progress=stop)
    assert find_videos(tmp_path / "small") == [str(tmp_path / "small" / "jump" / "a.mp4")]
    assert not list((tmp_path / "small").rglob("*saving-*"))
    monkeypatch.undo()
    assert shrink_videos(folder, tmp_path / "small").finished == 1


def test_what_a_killed_process_left_is_removed(folder, tmp_path):
    output = tmp_path / "small" / "run"
    output.mkdir(parents=True)
    old, fresh, other = (
        output / name
        for name in (
            *("saving-9999999-0123abcd-c.mkv", ".saving-9999998-0123abcd-c.mkv"),
            "saving-life.mp4",
        )
    )
    for path in (old, fresh, other):
        path.write_text("half")
    for path in (old, other):
        os.utime(path, (0, 0))
    shrink_videos(folder, tmp_path / "small")
    assert [path.exists() for path in (old, fresh, other)] == [False, True, True]


def test_settings_are_remembered_as_json(folder, tmp_path):
    shrink_videos(folder, tmp_path / "small", short_side=48, codec="h264", quality=30)
    file = tmp_path / "small" / ".shrink.json"
    assert json.loads(file.read_text()) == {"codec": "h264", "short_side": 48, "quality": 30}
    assert shrink_videos(folder, tmp_path / "small", short_side=48).finished == 3
    with pytest.raises(ValueError, match=r"made with other settings: .*h264.*Received: .*mpeg4"):
        shrink_videos(folder, tmp_path / "small", short_side=48, codec="mpeg4")


def test_copies_without_a_codec_in_their_settings_are_h264(folder, tmp_path):
    file = tmp_path / "small" / ".shrink.json"
    file.parent.mkdir()
    file.write_text('{"short_side": 320, "quality": 24}')
    assert shrink_videos(folder, tmp_path / "small").written == 3
    with av.open(tmp_path / "small" / "run" / "c.mkv") as container:
        assert container.streams.video[0].codec_context.name == "h264"


def test_a_strip_that_the_codec_cannot_store_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    strip = np.zeros((2, 16, 8320, 3), np.uint8)
    write_video(tmp_path / "in" / "v.mp4", strip, options={"preset": "ultrafast"})
    (problem,) = shrink_videos(tmp_path / "in", tmp_path / "out").problems
    assert problem.reason == "its copy would be 8320 x 16 pixels, and mpeg4 stores 8190 at most"
    assert shrink_videos(tmp_path / "in", tmp_path / "h264", codec="h264").written == 1


def test_folders_of_pictures_become_files_and_long_names_are_copied(tmp_path):
    folder = tmp_path / "videos" / "jump" / "v 1.2"
    folder.mkdir(parents=True)
    for number, image in enumerate(numbered_frames(10, 64, 96), 1):
        Image.fromarray(image).save(folder / f"img_{number:05d}.png")
    long = folder.with_name("x" * 247 + ".mp4")
    write_video(long, numbered_frames(5, 64, 96))
    report = shrink_videos(tmp_path / "videos", tmp_path / "small", short_side=32)
    assert (report.written, report.problems) == (2, ())
    assert report.bytes_before == sum(path.stat().st_size for path in (*folder.iterdir(), long))
    copies = [tmp_path / "small" / "jump" / name for name in ("v 1.2.mp4", long.name)]
    assert find_videos(tmp_path / "small") == list(map(str, copies))
    assert gray_to_numbers(read_frames(copies[0], np.arange(10) / 25)) == list(range(10))
    assert shrink_videos(tmp_path / "videos", tmp_path / "small", short_side=32).finished == 2
