import base64
import math
from pathlib import Path

from keras_acl.training.runs import RunReport


def report(folder: Path, **changes) -> RunReport:
    values = {
        "folder": folder,
        "classes": 3,
        "videos": (40, 10),
        "epochs": 7,
        "accuracy": 0.625,
        "chance": 0.4,
        "bad_files": 2,
        "seconds": 61.4,
    }
    return RunReport(**values | changes)


def test_a_notebook_shows_a_run_and_its_pictures(tmp_path):
    (tmp_path / "<run>").mkdir()
    (tmp_path / "<run>" / "curves.png").write_bytes(b"curves")
    shown = report(tmp_path / "<run>")._repr_html_()
    assert ">62.5% of 10 videos<" in shown
    assert f"data:image/png;base64,{base64.b64encode(b'curves').decode()}" in shown
    assert shown.count("<img") == 1  # there is no other picture
    assert "<run>" not in shown
    assert "&lt;run&gt;" in shown
    assert "test accuracy" not in shown


def test_a_notebook_shows_the_test_accuracy_of_a_run_that_has_one(tmp_path):
    shown = report(tmp_path, test_videos=8, test_accuracy=0.75, accuracy=math.nan)._repr_html_()
    assert ">75.0% of 8 videos<" in shown
    assert ">nan% of 10 videos<" in shown


def test_of_several_labels_a_notebook_shows_mean_average_precision(tmp_path):
    shown = report(tmp_path, multi_label=True, test_videos=8, test_accuracy=0.75)._repr_html_()
    for text in ("validation mean average precision", "test mean average precision", "at random"):
        assert text in shown
    assert "accuracy" not in shown
