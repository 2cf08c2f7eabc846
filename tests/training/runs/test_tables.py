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


def test_several_labels_are_in_one_cell(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    sides = {
        "train": VideoList([Video(str(tmp_path / "a.mp4"), (0, 1))], LABELS),
        "validation": VideoList([Video(str(tmp_path / "b.mp4"), ())], LABELS),
    }
    file = tmp_path / "split.csv"
    write_table(file, split_table(sides))
    for name, videos in sides.items():
        assert read_csv(file, LABELS, subset=name, multi_label=True) == videos


def test_of_several_labels_all_that_are_likely_are_predicted(tmp_path):
    videos = VideoList([Video("a.mp4", (0, 1)), Video("b.mp4", ()), Video("c.mp4", (1,))], LABELS)
    test = VideoDataset(videos, ClipSpec(frames=8, span=16, size=32), training=False)
    scores = np.array([[0.5, 0.75], [0.6, 0.1], [0.2, 0.3]])
    found = write_predictions(tmp_path / "predictions.csv", test, scores)
    assert found == pytest.approx((1 / 2 + 1) / 2)  # left is second, right first and second
    with open(tmp_path / "predictions.csv", newline="") as lines:
        rows = [(row["label"], row["predicted"], row["score"]) for row in csv.DictReader(lines)]
    assert rows == [
        ("left|right", "left|right", "0.5000|0.7500"),
        ("", "left", "0.6000"),
        ("right", "", ""),
    ]
