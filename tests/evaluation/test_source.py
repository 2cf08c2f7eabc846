import warnings
from pathlib import Path

import pytest

from keras_acl.evaluation.source import TrainedOnWarning, read_source

LABELS = ("left", "right")


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """A run on two videos of a folder, of which it held one out."""
    monkeypatch.chdir(tmp_path)
    for name in LABELS:
        (tmp_path / "videos" / name).mkdir(parents=True)
        (tmp_path / "videos" / name / "a.mp4").touch()
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    (folder / "model.keras").touch()
    (folder / "split.csv").write_text(
        "path,label,subset\n"
        f"{tmp_path}/videos/left/a.mp4,left,train\n{tmp_path}/videos/right/a.mp4,right,validation\n"
    )
    return folder


def test_a_run_alone_is_measured_on_what_it_held_out(run, tmp_path):
    source = read_source("runs/first", None, LABELS)
    assert [video.path for video in source.videos] == [str(tmp_path / "videos/right/a.mp4")]
    assert (source.name, source.folder) == ("first, validation", Path("runs/first"))


@pytest.mark.parametrize("videos", ["videos", "runs/first/split.csv"])
def test_videos_that_were_trained_on_are_counted(run, videos):
    with pytest.warns(TrainedOnWarning, match="1 of these 2 videos were trained on"):
        source = read_source("runs/first/model.keras", videos, LABELS)
    assert len(source.videos) == 2


def test_the_predictions_of_a_run_are_a_source_without_a_warning(run, tmp_path):
    table = run / "predictions.csv"
    table.write_text(f"path,label,predicted,score\n{tmp_path}/videos/right/a.mp4,right,left,0.6\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = read_source("runs/first", str(table), LABELS)
    assert source.folder == Path("runs/evaluate-first-predictions")
    assert [video.label for video in source.videos] == [1]


def test_a_folder_is_named_by_its_own_name(run, monkeypatch):
    monkeypatch.chdir("videos")
    source = read_source("demo", ".", LABELS)
    assert (source.name, source.folder) == ("videos", Path("runs/evaluate-demo-videos"))


def test_a_model_without_a_split_wants_videos(tmp_path):
    with pytest.raises(ValueError, match=r"demo has no split\.csv"):
        read_source("demo", None, LABELS)


def test_a_multi_label_model_is_measured_on_tables(run, tmp_path):
    (tmp_path / "some.csv").write_text("path,label\nvideos/left/a.mp4,left|right\n")
    source = read_source("model", "some.csv", LABELS, multi_label=True)
    assert [video.label for video in source.videos] == [(0, 1)]
    (run / "split.csv").write_text(
        f"path,label,subset\n{tmp_path}/videos/left/a.mp4,left|right,validation\n"
    )
    assert read_source("runs/first", None, LABELS, multi_label=True).videos[0].label == (0, 1)
    with pytest.raises(ValueError, match=r"^videos says one label of each video"):
        read_source("model", "videos", LABELS, multi_label=True)
