import os
import subprocess
import sys
import time

import pytest

from keras_acl.system.atomic_write import folder_beside, written_whole
from keras_acl.system.unfinished import ABANDONED, UNFINISHED, tidy
from keras_acl.video.files import find_videos


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("name", ["a.mp4", "x" * 251 + ".mp4", "é" * 125 + ".mp4", "y" * 255])
def test_a_file_of_any_name_appears_whole(tmp_path, name):
    with written_whole(tmp_path / name) as beside:
        beside.write_text("whole")
        assert os.listdir(tmp_path) == [beside.name]
        assert find_videos(tmp_path) == []
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "whole"


@pytest.mark.parametrize("name", ["model.keras", "x" * 200 + ".weights.h5"])
def test_the_ending_stays(tmp_path, name):
    with written_whole(tmp_path / name) as beside:
        beside.touch()
        assert beside.name.endswith(name[-10:])


def test_an_error_leaves_what_was_there(tmp_path):
    (tmp_path / "a.txt").write_text("before")

    def interrupted():
        with written_whole(tmp_path / "a.txt") as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert os.listdir(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


def test_what_killed_processes_left_is_removed_by_the_next_write(tmp_path):
    dead, age = dead_process(), time.time() - ABANDONED - 1
    names = {
        "old": (f".saving-{dead}-0123abcd-model.keras", age),
        "visible": (f"saving-{dead}-0123abcd-a.mp4", age),
        "fresh": (f".saving-{dead}-0123abcd-b.mp4", time.time()),
        "running": (f".saving-{os.getpid()}-0123abcd-c.mp4", age),
        "another": ("saving-life.mp4", age),
    }
    for name, changed in names.values():
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (changed, changed))
    with written_whole(tmp_path / "new.txt") as beside:
        beside.touch()
    left = {names[key][0] for key in ("fresh", "running", "another")}
    assert set(os.listdir(tmp_path)) == {"new.txt", *left}
    tidy(tmp_path / "nowhere")


def test_a_folder_that_a_killed_process_left_is_removed_with_what_is_in_it(tmp_path):
    left = tmp_path / f".saving-{dead_process()}-0123abcd-model.onnx"
    left.mkdir()
    (left / "model.onnx").write_text("half")
    age = time.time() - ABANDONED - 1
    os.utime(left, (age, age))
    with folder_beside(tmp_path / "model.onnx") as beside:
        assert os.listdir(tmp_path) == [beside.name]
        assert UNFINISHED.fullmatch(beside.name)  # the next write knows it, should this one die
        (beside / "model.onnx").write_text("half")
    assert os.listdir(tmp_path) == []
