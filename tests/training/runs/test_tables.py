import csv

import numpy as np
import pytest

from keras_acl.clip import ClipSpec
from keras_acl.data import Video, VideoDataset, VideoList, read_csv
from keras_acl.training.runs.tables import split_table, write_predictions, write_table

LABELS = ("left", "right")


def test_a_split_is_read_back_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    train = VideoList([Video("a.mp4", 1), Video("b.mp4", 0)], LABELS)
    file = tmp_path / "run" / "split.csv"
    sides = {"train": train, "validation": VideoList([Video("c.mp4", 1)], LABELS)}
    write_table(file, split_table(sides))
    monkeypatch.chdir("/")
    assert file.read_text().splitlines()[0] == "path,label,subset"
    found = read_csv(file, LABELS, subset="train")
    assert list(found) == [Video(str(tmp_path / "a.mp4"), 1), Video(str(tmp_path / "b.mp4"), 0)]
    assert list(read_csv(file, LABELS, subset="validation")) == [Video(str(tmp_path / "c.mp4"), 1)]
    with pytest.raises(ValueError, match=r"no subset 'test'. Received: train, validation"):
        read_csv(file, LABELS, subset="test")


def test_parts_groups_and_rates_are_in_the_split(tmp_path):
    (tmp_path / "a.mp4").touch()
    path = str(tmp_path / "a.mp4")
    sides = {
        "train": VideoList([Video(path, 0, 1.5, 4.0, "day", fps=10.0)], LABELS),
        "validation": VideoList([Video(path, 1, 5.0)], LABELS),
    }
    write_table(tmp_path / "split.csv", split_table(sides))
    for name, videos in sides.items():
        assert read_csv(tmp_path / "split.csv", LABELS, subset=name) == videos


def test_predictions_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").touch()
    videos = VideoList([Video("a.mp4", 1)], LABELS)
    test = VideoDataset(videos, ClipSpec(frames=8, span=16, size=32), training=False)
    accuracy = write_predictions(tmp_path / "predictions.csv", test, np.array([[0.25, 0.75]]))
    assert accuracy == 1
    write_predictions(tmp_path / "all.csv", test, np.array([[0.25, 0.75]]), all_scores=True)
    header, line = (tmp_path / "all.csv").read_text().splitlines()
    assert header == "path,label,predicted,score,score of left,score of right"
    assert line.endswith(",right,right,0.7500,0.2500,0.7500")
    with open("predictions.csv", newline="") as lines:
        [row] = csv.DictReader(lines)
    assert row == {
        "path": str(tmp_path / "a.mp4"),
        "label": "right",
        "predicted": "right",
        "score": "0.7500",
    }
