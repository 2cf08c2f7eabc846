import numpy as np
import pytest
from tiny_network import write_figures
from video_files import numbered_frames, write_video

from keras_acl.video import encode as reencoding


@pytest.fixture
def folder(tmp_path):
    for name in ("jump/a.mp4", "run/b.mp4"):
        (tmp_path / "videos" / name).parent.mkdir(parents=True)
        write_video(tmp_path / "videos" / name, numbered_frames(12, 64, 96))
    return tmp_path / "videos"


def test_shrink_copies_and_tells_the_sizes(call, folder, tmp_path):
    code, out, err = call("shrink", folder, tmp_path / "small", "--short-side", 32)
    assert (code, err) == (0, "")
    assert "small: 2 videos. 0.0 MB became 0.0 MB (" in out
    code, out, _ = call("shrink", folder, tmp_path / "small", "--short-side", 32)
    assert code == 0
    assert "2 videos, 2 of them from before." in out


def test_shrink_says_when_copies_are_larger(call, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, 64, 96, 3), dtype=np.uint8)
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "noise.mp4", noise, options={"crf": "30"})
    _, out, _ = call("shrink", tmp_path / "videos", tmp_path / "larger", "--quality", 1)
    assert "--codec h264 makes the smallest" in out
    _, out, _ = call("shrink", tmp_path / "videos", tmp_path / "smaller", "--quality", 31)
    assert "--codec h264" not in out


def test_shrink_names_bad_files(call, folder, tmp_path):
    (folder / "run" / "bad.mp4").write_text("no video")
    code, out, err = call("shrink", folder, tmp_path / "small")
    assert code == 1
    assert f"{folder / 'run' / 'bad.mp4'}\tInvalid data found" in out
    assert "small: 2 videos." in out
    assert "Videos that cannot be read and have no copy: 1." in err


def test_shrink_with_nothing_but_bad_files(call, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "bad.mp4").touch()
    code, out, _ = call("shrink", tmp_path / "videos", tmp_path / "small")
    assert code == 1
    assert "small: 0 videos. 0.0 MB became 0.0 MB." in out


def test_shrink_mistakes_are_one_line(call, folder, tmp_path):
    code, _, err = call("shrink", folder, folder / "small")
    assert code == 1
    assert "Error: Originals and copies must not mix" in err
    code, _, err = call("shrink", tmp_path / "nowhere", tmp_path / "small")
    assert code == 2
    assert "does not exist" in " ".join(err.replace("│", " ").split())
    assert call("shrink", folder, tmp_path / "small", "--quality", 52)[0] == 2


def test_shrink_interrupted(call, folder, tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(reencoding, "_stamped", interrupted)
    code, _, err = call("shrink", folder, tmp_path / "small")
    assert code == 130
    assert "Interrupted. The same command goes on with the videos that are left." in err


def test_check_videos_names_the_broken_ones(call, tmp_path):
    folder = write_figures(tmp_path / "videos", 2)
    code, out, err = call("check-videos", folder)
    assert (code, out) == (0, "")
    assert "6 of 6 videos can be decoded." in err
    (folder / "left" / "0001.mp4").write_bytes(b"")
    (folder / "up" / "0000.mp4").write_text("text")
    code, out, err = call("check-videos", folder, "--workers", 2)
    assert code == 1
    assert [line.split("\t")[0] for line in out.splitlines()] == [
        str(folder / "left" / "0001.mp4"),
        str(folder / "up" / "0000.mp4"),
    ]
    assert "4 of 6 videos can be decoded." in err


def test_check_videos_of_an_empty_folder_is_an_error(call, tmp_path):
    code, _, err = call("check-videos", tmp_path)
    assert code == 1
    assert "There is no video file" in err


def test_synthesize_writes_and_completes_a_set(call, tmp_path):
    options = ["--count", 1, "--frames", 8, "--size", 32]
    code, out, _ = call("synthesize", tmp_path / "figures", *options)
    assert code == 0
    assert f"8 videos of 8 classes: {tmp_path / 'figures'}\n" in out
    assert len(list((tmp_path / "figures").rglob("*.mp4"))) == 8
    assert call("synthesize", tmp_path / "figures", *options)[0] == 0
    code, _, err = call("synthesize", tmp_path / "figures", *options, "--seed", 1)
    assert code == 1
    assert "holds moving figures drawn with" in err
    code, _, err = call("synthesize", tmp_path / "other", "--task", "cooking")
    assert code == 1
    assert "task must be one of" in err


def test_flow_is_computed_once(call, folder):
    code, out, err = call("flow", folder)
    assert (code, err) == (0, "")
    assert "the flow of 2 videos." in out
    assert (folder / "jump" / ".flow" / "a.mp4.mp4").is_file()
    (folder / "run" / "bad.mp4").write_text("no video")
    code, out, err = call("flow", folder)
    assert code == 1
    assert f"{folder / 'run' / 'bad.mp4'}\tInvalid data found" in out
    assert "the flow of 2 videos, 2 of them from before." in out
    assert "Videos that cannot be read and have no flow: 1." in err


def test_flow_mistakes_are_one_line(call, folder, tmp_path):
    assert call("flow", folder, "--method", "tvl1")[0] == 0
    code, _, err = call("flow", folder, "--method", "dis")
    assert code == 1
    assert "was computed by tvl1. Received: method='dis'" in " ".join(err.split())
    (tmp_path / "nothing").mkdir()
    code, _, err = call("flow", tmp_path / "nothing")
    assert code == 1
    assert "There is no video file in" in err
