import os

import pytest

from keras_acl.data import Video
from keras_acl.evaluation.held_out import count_trained_on, held_out_videos, run_folder


@pytest.fixture
def run(tmp_path):
    """A run that trained on a part of long.mp4 and on short.mp4."""
    for name in ("long.mp4", "short.mp4", "other.mp4"):
        (tmp_path / name).touch()
    rows = ["long.mp4,left,train,10,20", "short.mp4,left,train,,", "other.mp4,right,validation,,"]
    folder = tmp_path / "run"
    folder.mkdir()
    lines = ["path,label,subset,start,end", *(f"{tmp_path}/{row}" for row in rows)]
    (folder / "split.csv").write_text("\n".join(lines))
    (folder / "model.keras").touch()
    return folder


def test_a_run_is_named_by_its_folder_or_by_a_model_in_it(run, tmp_path):
    assert run_folder(str(run)) == run
    assert run_folder(str(run / "model.keras")) == run
    assert run_folder(str(tmp_path)) is None
    assert run_folder("k400") is None


def test_the_test_side_comes_before_the_validation_side(run, tmp_path):
    videos, side = held_out_videos(run, ("left", "right"))
    assert (list(videos), side) == ([Video(str(tmp_path / "other.mp4"), 1)], "validation")
    with open(run / "split.csv", "a") as lines:
        lines.write(f"\n{tmp_path}/short.mp4,right,test,,")
    videos, side = held_out_videos(run, ("left", "right"))
    assert (list(videos), side) == ([Video(str(tmp_path / "short.mp4"), 1)], "test")


def test_a_video_that_was_trained_on_is_known_by_any_path(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.symlink("short.mp4", "link.mp4")
    assert count_trained_on(run, map(Video, ("short.mp4", "link.mp4", "other.mp4"))) == 2


@pytest.mark.parametrize(
    ("start", "end", "count"), [(None, None, 1), (0.0, 10.0, 0), (19.0, None, 1), (20.0, 30.0, 0)]
)
def test_other_parts_of_a_file_were_not_trained_on(run, tmp_path, start, end, count):
    assert count_trained_on(run, [Video(str(tmp_path / "long.mp4"), 0, start, end)]) == count
