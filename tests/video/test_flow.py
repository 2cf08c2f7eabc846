import importlib
import os
import shutil
import subprocess
import sys

import av
import numpy as np
import pytest
from PIL import Image
from video_files import damage, numbered_frames, write_video

from keras_acl.data import compute_flow, probe, read_frames
from keras_acl.video import encode
from keras_acl.video import flow as module
from keras_acl.video.files import find_videos
from keras_acl.video.flow import SHORT_SIDE, as_picture, flow_file, flow_of, write_flow
from keras_acl.video.video import DecodingError, Video


def moving_texture(count: int, right: int, down: int, height: int = 96, width: int = 128):
    """Frames of smooth noise that moves by whole pixels, uint8 (count, height, width, 3)."""
    cv2 = importlib.import_module("cv2")
    noise = np.random.default_rng(0).integers(0, 256, (2 * height, 2 * width), np.uint8)
    smooth = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    frames = [
        np.roll(smooth, (down * number, right * number), (0, 1))[:height, :width]
        for number in range(count)
    ]
    return np.repeat(np.stack(frames)[..., None], 3, axis=-1)


@pytest.fixture
def moving(tmp_path):
    return write_video(tmp_path / "moving.mp4", moving_texture(6, 3, -2))


def pixels(path) -> np.ndarray:
    """The flow in a file in pixels, (T, H, W, 2)."""
    info = probe(path)
    frames = read_frames(path, (np.arange(info.frames) + 0.5) / info.fps)
    return frames[..., :2] / 255 * 40 - 20


def test_pixels_are_pictures_as_in_the_literature():
    flow = np.array([[[-20, 20], [0, 0], [-99, 99], [10, -10], [0.2, -0.2]]], float)
    assert as_picture(flow).tolist() == [
        [[0, 255, 128], [128, 128, 128], [0, 255, 128], [191, 64, 128], [129, 126, 128]]
    ]


@pytest.mark.parametrize("method", ["dis", "tvl1"])
def test_flow_is_what_moves(moving, method):
    assert compute_flow([moving], method).written == 1
    found = pixels(flow_of(moving).path)
    assert found.shape == (6, 96, 128, 2)
    inside = found[:-1, 10:-10, 10:-10]
    np.testing.assert_allclose(inside.mean(axis=(0, 1, 2)), (3, -2), atol=0.1)
    assert np.abs(inside - (3, -2)).mean() < 0.2
    # What the last one does nobody knows: that of the one before, encoded again.
    np.testing.assert_allclose(found[-1], found[-2], atol=0.2)
    assert probe(flow_of(moving)).seconds == pytest.approx(probe(moving).seconds, abs=2e-3)


def test_frames_of_flow_are_shown_when_those_of_the_video_are(tmp_path):
    times = [0, 1, 5, 6, 20, 21]
    path = write_video(tmp_path / "uneven.mp4", moving_texture(6, 4, 0), pts=times)
    flow = flow_of(path)
    assert (probe(flow).frames, probe(path).frames) == (6, 6)
    with av.open(flow.path) as container:
        shown = [float(frame.time) * 30 for frame in container.decode(video=0)]
    np.testing.assert_allclose(shown, times, atol=0.02)


def test_a_video_of_one_frame_has_no_flow(tmp_path):
    path = write_video(tmp_path / "still.mp4", numbered_frames(1))
    assert read_frames(flow_of(path), [0.0]).tolist() == np.full((1, 32, 48, 3), 128).tolist()


@pytest.mark.parametrize("method", ["dis", "tvl1"])
def test_flow_of_a_few_pixels(tmp_path, method):
    path = write_video(tmp_path / "small.mp4", moving_texture(3, 1, 0, 12, 12))
    assert compute_flow([path], method).problems == ()
    assert probe(flow_of(path)).frames == 3
    path = write_video(tmp_path / "smaller.mp4", moving_texture(3, 1, 0, 10, 10))
    with pytest.raises(DecodingError, match="of 10 x 10 pixels there is no optical flow"):
        flow_of(path)


def test_large_videos_are_shrunk_as_in_the_literature(tmp_path):
    path = write_video(tmp_path / "large.mp4", moving_texture(3, 6, 0, 512, 640))
    found = pixels(flow_of(path).path)
    assert found.shape[1:3] == (SHORT_SIDE, 320)
    assert np.median(found[0, 20:-20, 20:-20, 0]) == pytest.approx(3, abs=0.2)  # of 6


def test_what_the_file_loses_is_a_hundredth_of_a_pixel(moving):
    exact = []
    for picture in module._pictures(
        (frame for frame, _ in encode.upright_frames(moving, SHORT_SIDE)),
        module.flow_between("dis"),
    ):
        exact.append(picture.to_ndarray()[..., :2])
    lost = np.abs(pixels(flow_of(moving).path) - (np.stack(exact) / 255 * 40 - 20))
    assert lost.mean() < 0.05
    assert lost.max() < 1.0


def test_flow_is_hidden_beside_the_video_and_kept(moving, monkeypatch):
    calls = []
    report = compute_flow([moving], progress=lambda *at: calls.append(at))
    assert (report.written, report.finished, report.problems) == (1, 0, ())
    assert calls == [(1, 1)]
    assert flow_file(Video(str(moving))) == moving.parent / ".flow" / "moving.mp4.mp4"
    assert find_videos(moving.parent) == [str(moving)]
    assert compute_flow([moving, moving]).finished == 1
    video = Video(str(moving), 3, 0.0, 0.1, "group")
    assert flow_of(video) == Video(flow_of(moving).path, 3, 0.0, 0.1, "group")
    monkeypatch.setattr(module, "flow_between", None)  # what is there needs no OpenCV
    flow_of(moving)


def test_flow_of_a_video_that_changed_is_computed_again(moving):
    before = pixels(flow_of(moving).path)
    write_video(moving, moving_texture(6, -3, 0))
    os.utime(moving, ns=(2**62, 2**62))
    assert before[..., 0].mean() > 0 > pixels(flow_of(moving).path)[..., 0].mean()


def test_methods_do_not_mix(moving, tmp_path):
    compute_flow([moving], "tvl1")
    other = shutil.copy(moving, tmp_path / "other.mp4")
    assert compute_flow([other]).written == 1  # by tvl1, too
    with pytest.raises(ValueError, match=r"computed by tvl1. Received: method='dis'"):
        compute_flow([other], "dis")
    with pytest.raises(ValueError, match="Expected a method of dis, tvl1"):
        compute_flow([other], "farneback")
    with pytest.raises(ValueError, match="There is no video"):
        compute_flow([])


def test_bad_videos_are_named_and_leave_nothing(moving, tmp_path):
    cut = tmp_path / "cut.mp4"
    shutil.copy(moving, cut)
    damage(cut, offset=60, length=20000)
    (tmp_path / "empty.mp4").touch()
    names = ("cut.mp4", "empty.mp4", "missing.mp4")
    report = compute_flow([moving, *(tmp_path / name for name in names)])
    assert (report.written, report.finished) == (1, 0)
    assert [os.path.basename(problem.path) for problem in report.problems] == list(names)
    assert sorted(os.listdir(tmp_path / ".flow")) == ["moving.mp4.mp4", "settings.json"]


def test_what_is_no_file_has_no_place_for_flow(moving):
    with pytest.raises(DecodingError, match="copy the video into a folder first"):
        flow_of("https://example.com/video.mp4")
    with pytest.raises(DecodingError, match="copy the video into a folder first"):
        flow_of(Video("part", content=moving.read_bytes))


def test_pictures_have_flow_at_each_of_their_rates(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, frame in enumerate(moving_texture(4, 2, 0), 1):
        Image.fromarray(frame).save(folder / f"img_{number:05d}.png")
    slow = Video(str(folder), fps=10.0)
    assert flow_file(slow).name == "pictures@10.mp4"
    assert probe(flow_of(slow)).seconds == pytest.approx(0.4)
    assert probe(flow_of(folder)).seconds == pytest.approx(0.16)


def test_an_interruption_leaves_nothing_half_written(moving, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "as_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_flow(Video(str(moving)))
    assert os.listdir(moving.parent / ".flow") == ["settings.json"]


def test_flow_that_cannot_be_written_is_said(moving):
    (moving.parent / ".flow").touch()
    with pytest.raises(OSError, match=r"kept beside the videos, copy them elsewhere: .*\.flow"):
        flow_of(moving)


def test_open_cv_is_asked_for(moving, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(module.importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r'pip install "keras-acl\[flow\]"'):
        compute_flow([moving])
    monkeypatch.setattr(module.importlib, "import_module", lambda name: object())
    with pytest.raises(ImportError, match="opencv-contrib-python-headless"):
        write_flow(Video(str(moving)), "tvl1")


def test_a_typo_makes_no_folder(tmp_path):
    video = tmp_path / "vidoes" / "a.mp4"
    with pytest.raises(DecodingError):
        flow_of(video)
    report = compute_flow([video])
    assert [problem.path for problem in report.problems] == [str(video)]
    assert os.listdir(tmp_path) == []


def test_broken_settings_are_named(moving):
    flow_of(moving)
    (moving.parent / ".flow" / "settings.json").write_text("[")
    with pytest.raises(ValueError, match=r"settings\.json is broken\. Delete .*\.flow"):
        compute_flow([moving])


def test_a_full_disk_leaves_no_flow(moving):
    code = (
        "import resource, signal\n"
        "from keras_acl.video.flow import flow_of\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"  # writing fails instead
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        f"flow_of({str(moving)!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "OSError" in done.stderr.splitlines()[-1]
    assert os.listdir(moving.parent / ".flow") == ["settings.json"]
