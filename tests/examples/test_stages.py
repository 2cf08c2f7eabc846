import json

import numpy as np
import pytest
import stages

from keras_acl.clip import ClipSpec
from keras_acl.data import Video, VideoList
from keras_acl.inference import Prediction


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


def write_scores(file, scores, label, problem) -> None:
    path = [f"/videos/{number}.mp4" for number in range(len(label))]
    np.savez_compressed(file, path=path, scores=scores, label=label, problem=problem)


def test_accuracy_leaves_out_what_could_not_be_read(tmp_path):
    scores = np.zeros((4, 6), "float32")
    scores[0, 2] = 1  # right
    scores[1] = [6, 5, 4, 3, 2, 1]  # its class comes fifth
    scores[2] = [6, 5, 4, 3, 2, 1]  # last
    scores[3] = np.nan
    write_scores(tmp_path / "scores.npz", scores, [2, 4, 5, 0], ["", "", "", "no frames"])
    result = stages.accuracy(tmp_path / "scores.npz")
    assert result == stages.Accuracy(pytest.approx(100 / 3), pytest.approx(200 / 3), 3, ("3.mp4",))
    metric = stages.metric(result, "K400", ClipSpec(), "python me.py")
    assert (metric.top1, metric.top5, metric.videos) == (33.33, 66.67, 3)
    assert metric.protocol == stages.protocol(ClipSpec())
    assert (
        "10 clips spread over the video x 1 centre crop of 224 (short side 256)" in metric.protocol
    )
    assert stages.left_out([result, result], missing=4) == (
        "Not in the mean: 2 test videos could not be read: 3.mp4, 3.mp4; 4 were not on disk."
    )


def test_accuracy_of_few_classes_has_no_top5(tmp_path):
    write_scores(tmp_path / "scores.npz", np.eye(2, dtype="float32"), [0, 0], ["", ""])
    assert stages.accuracy(tmp_path / "scores.npz") == stages.Accuracy(50.0, None, 2, ())


def test_accuracy_of_nothing_is_an_error(tmp_path):
    write_scores(tmp_path / "scores.npz", np.full((1, 2), np.nan), [0], ["broken"])
    with pytest.raises(ValueError, match="None of the 1 test videos"):
        stages.accuracy(tmp_path / "scores.npz")


def test_testing_goes_on_after_the_last_chunk(tmp_path, monkeypatch, capsys):
    (tmp_path / "precise.keras").write_bytes(b"a model")
    videos = VideoList([Video(f"{number}.avi", number % 2) for number in range(5)], ("a", "b"))
    asked = []

    class Model:
        num_classes = 2

    def predict(model, paths, clips, progress):
        if len(asked) == 1:
            asked.append("interrupt")
            raise KeyboardInterrupt
        asked.append((paths, clips))
        for done in range(len(paths)):
            progress(done + 1, len(paths))
        return [
            Prediction(path, problem="broken")
            if path == "3.avi"
            else Prediction(path, np.array([0.9, 0.1], "float32"))
            for path in paths
        ]

    monkeypatch.setattr(stages, "CHUNK", 2)
    monkeypatch.setattr(stages, "load_model", lambda file: Model())
    monkeypatch.setattr(stages, "predict_videos", predict)
    with pytest.raises(KeyboardInterrupt):
        stages.test(tmp_path, videos, ClipSpec())
    stages.test(tmp_path, videos, ClipSpec())
    chunks = [(["0.avi", "1.avi"], 10), (["2.avi", "3.avi"], 10), (["4.avi"], 10)]
    assert asked == [chunks[0], "interrupt", *chunks[1:]]
    assert stages.accuracy(tmp_path / "scores.npz") == stages.Accuracy(75.0, None, 4, ("3.avi",))
    assert "30 views is not in keras_acl yet" in capsys.readouterr().out
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "precise.keras",
        "scores.npz",
        "test.json",
    ]


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
