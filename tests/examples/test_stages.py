import json

import numpy as np
import pytest
import rehearsal
import stages

from keras_acl.clip import ClipSpec
from keras_acl.data import Video, VideoList
from keras_acl.evaluation import NOT_FOUND, Protocol, Scores, ViewGrid
from keras_acl.evaluation import multi_view as evaluating
from keras_acl.models import SlowClassifier
from keras_acl.video import read_ahead
from keras_acl.video.views import iterate_views

CLIP = ClipSpec(frames=4, span=8, size=32)


def test_stage_is_done_once(tmp_path, capsys):
    record = tmp_path / "count.json"
    assert stages.stage(record, {"a": (1, 2)}, lambda: {"value": 3}) == {"value": 3}
    assert stages.stage(record, {"a": (1, 2)}, pytest.fail) == {"value": 3}
    assert f"count: done before, see {record}" in capsys.readouterr().out
    assert json.loads(record.read_text())["settings"] == {"a": [1, 2]}


def test_stage_is_done_again_with_other_settings(tmp_path):
    record = tmp_path / "count.json"
    stages.stage(record, {"a": 1}, lambda: {"value": 3})
    assert stages.stage(record, {"a": 2}, lambda: {"value": 4}) == {"value": 4}


def test_stage_that_failed_is_done_again(tmp_path, capsys):
    record = tmp_path / "count.json"

    def fail():
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        stages.stage(record, {"a": 1}, fail)
    assert stages.stage(record, {"a": 1}, lambda: {"value": 3}) == {"value": 3}
    assert "count: goes on" in capsys.readouterr().out


def test_stage_keeps_work_done_with_other_settings(tmp_path):
    record = tmp_path / "train.json"
    stages.stage(record, {"epochs": 196, "seed": 0}, lambda: {})
    with pytest.raises(ValueError, match=r"other settings: epochs was 196. Repeat them .*--output"):
        stages.stage(record, {"epochs": 20, "seed": 0}, pytest.fail, keep=True)


def test_what_could_not_be_read_is_named():
    scores = Scores(
        paths=("/videos/0.mp4", "/videos/1.mp4", "/videos/2.mp4"),
        truth=np.array([0, 1, -1], np.int32),
        probabilities=np.array([[0.6, 0.4], [np.nan] * 2, [np.nan] * 2], np.float32),
        problems=(None, "no frames", NOT_FOUND),
        labels=("a", "b"),
        protocol=Protocol(10, 3, 256),
    )
    assert stages.left_out([scores, scores]) == (
        "Not in the mean: 2 test videos could not be read: 1.mp4, 1.mp4; 2 were not on disk."
    )


def test_testing_goes_on_after_an_interruption(tmp_path, monkeypatch, capsys):
    (tmp_path / "precise.keras").write_bytes(b"a model")
    model = SlowClassifier(2, clip=CLIP, labels=("a", "b"), depth=11, width=8, speed_ratio=4)
    monkeypatch.setattr(stages, "load_model", lambda file: model)
    monkeypatch.setattr(stages, "GRID", ViewGrid(3, 2))
    for number in range(2):
        rehearsal.write_figure(tmp_path / f"{number}.mp4", number, seed=number)
    (tmp_path / "2.mp4").write_bytes(b"no video")
    videos = [Video(str(tmp_path / f"{number}.mp4"), number % 2) for number in range(3)]
    read = []

    def iterate(video, clip, grid):
        if len(read) == 1:
            read.append("interrupt")
            raise KeyboardInterrupt
        read.append(video.path)
        return iterate_views(video, clip, grid)

    monkeypatch.setattr(evaluating, "iterate_views", iterate)
    monkeypatch.setattr(read_ahead, "MOST_WORKERS", 1)
    arguments = (tmp_path, VideoList(videos, ("a", "b")), "two figures")
    with pytest.raises(KeyboardInterrupt):
        stages.test(*arguments)
    stages.test(*arguments)
    assert read == [videos[0].path, "interrupt", videos[1].path, videos[2].path]
    scores = Scores.load(tmp_path)
    assert scores.done.tolist() == [True, True, False]
    assert scores.dataset == "two figures"
    assert "3 clips x 2 crops of 37" in capsys.readouterr().out
    stages.test(*arguments)
    assert "done before" in capsys.readouterr().out
    assert not list(tmp_path.glob("scores-*"))


def test_publishing_is_for_those_who_ask(tmp_path, monkeypatch, capsys):
    (tmp_path / "pretrained").mkdir()
    (tmp_path / "pretrained" / "metadata.json").write_text("{}")
    published = []

    def publish(folder, repository):
        published.append((folder, repository))
        return f"https://hub/{repository}"

    monkeypatch.setattr(stages, "publish", publish)
    stages.upload(tmp_path, None, rehearsal=False)
    stages.upload(tmp_path, "me/net", rehearsal=True)
    assert published == []
    printed = capsys.readouterr().out
    assert "with --publish USER/REPO uploads" in printed
    assert "a rehearsal uploads nothing" in printed
    assert "would go to me/net" in printed
    for _ in range(2):
        stages.upload(tmp_path, "me/net", rehearsal=False)
    assert published == [(str(tmp_path / "pretrained"), "me/net")]
    assert capsys.readouterr().out.count("https://hub/me/net") == 2


def test_mistakes_are_one_line():
    with pytest.raises(SystemExit, match=r"^Error: no such preset$"), stages.plain_messages():
        raise ValueError("no such preset")


def test_ctrl_c_says_how_to_go_on(capsys):
    with pytest.raises(SystemExit, match="130"), stages.plain_messages():
        raise KeyboardInterrupt
    assert "The same command goes on after the last finished part" in capsys.readouterr().err
