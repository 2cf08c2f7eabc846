import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from keras_acl.evaluation.calibration import CalibrationBin
from keras_acl.evaluation.comparison import Difference
from keras_acl.report import charts

HISTORY = {"epoch": [0.0, 1.0], "loss": [2.0, 1.0], "val_loss": [2.5, 1.5], "accuracy": [0.1, 0.6]}
NASTY = ("<script>alert(1)</script>", "a & b --> c", '"$x^2$" id="a" #010203', "跑步", "")


def difference(name: str, change: float, adjusted: float = 1.0) -> Difference:
    return Difference(name, 10, 0.5, 0.5 + change, 3, 1, adjusted, adjusted)


def tree(svg: str) -> ElementTree.Element:
    """The parsed picture; without names of other files, there is no namespace to declare."""
    return ElementTree.fromstring(svg.replace("xlink:", ""))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in tree(svg).iter("text")]


def all_charts() -> list[str]:
    bins = [CalibrationBin(0, 0.5, 4, 0.3, 0.5), CalibrationBin(0.5, 1, 0, np.nan, np.nan)]
    rows = [difference("a", 0.2, 0.01), difference("b", -0.1)]
    return [
        *charts.curve_charts(HISTORY, "x"),
        charts.matrix_chart(np.array([[3, 1], [0, 2]]), ("a", "b"), "x"),
        charts.matrix_chart(np.eye(40, dtype=int), [f"class {i}" for i in range(40)], "y"),
        charts.calibration_chart(bins, 0.2, "x"),
        charts.change_chart(rows, "x"),
        charts.profile_chart(rows, "x"),
    ]


def test_charts_take_their_colours_from_the_page_and_nothing_from_elsewhere():
    ids: list[str] = []
    for svg in all_charts():
        root = tree(svg)
        assert root.find("title") is not None
        assert root.get("aria-labelledby") == root.find("title").get("id")
        assert "http" not in svg
        assert "<style" not in svg
        colours = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", svg)) - {"none"}
        assert colours
        assert all(colour.startswith("var(--") for colour in colours), colours
        own = [element.get("id") for element in root.iter() if element.get("id")]
        referred = re.findall(r'(?:href="#|url\(#)([^")]+)', svg)
        assert set(referred) <= set(own)
        ids += own
    assert len(ids) == len(set(ids))


def test_charts_are_the_same_each_time():
    assert all_charts() == all_charts()


def test_curves_say_where_they_end():
    loss, accuracy = charts.curve_charts(HISTORY, "x")
    assert "loss over 2 epochs; at the end loss 1.000, val_loss 1.500" in loss
    assert "validation" in texts(loss)
    assert "validation" not in texts(accuracy)
    assert charts.curve_charts({"epoch": [0.0], "lr": [1.0]}, "x") == []


def test_curves_with_a_gap():
    [loss] = charts.curve_charts({"epoch": [0.0, 1.0], "loss": [np.nan, 1.0]}, "x")
    assert "loss 1.000" in loss


def test_matrix_has_names_and_numbers():
    svg = charts.matrix_chart(np.array([[3, 1], [0, 12]]), ("run", "walk"), "x")
    assert sorted(texts(svg)) == sorted(["run", "walk"] * 2 + ["predicted", "true", "3", "1", "12"])
    assert "15 of 16 videos on the diagonal" in svg


def test_matrix_of_many_classes_is_a_picture():
    svg = charts.matrix_chart(np.eye(400, dtype=int), [f"class {i}" for i in range(400)], "x")
    assert len(tree(svg).findall(".//image")) == 1
    assert not [text for text in texts(svg) if text.startswith("class ")]
    assert len(svg) < 100_000


def test_matrix_picture_tells_right_from_wrong():
    picture = charts._matrix_picture(np.array([[0.75, 0.25], [0.0, 0.0]]))
    assert picture[0, 0, 3] > picture[0, 1, 3] > 0.25
    assert picture[1].max(axis=0)[3] == 0
    assert tuple(picture[0, 0, :3]) == charts.ACCENT_RGB
    assert tuple(picture[0, 1, :3]) == charts.OTHER_RGB


@pytest.mark.parametrize("draw", ["matrix", "change"])
def test_nasty_names_stay_text(draw):
    if draw == "matrix":
        svg = charts.matrix_chart(np.eye(len(NASTY), dtype=int), NASTY, "x")
    else:
        svg = charts.change_chart([difference(name, 0.1) for name in NASTY], "x")
    assert "<script" not in svg
    assert {*NASTY[1:4], NASTY[0]} <= set(texts(svg))


def test_long_names_are_cut():
    svg = charts.change_chart([difference("x" * 80, 0.1)], "x")
    assert f"{'x' * 25}…" in texts(svg)


def test_change_marks_what_is_significant():
    rows = [difference("a", 0.2, 0.01), difference("b", 0.0), difference("c", -0.1, 0.05)]
    svg = charts.change_chart(rows, "x")
    assert {"+20.0 *", "0.0", "−10.0"} <= set(texts(svg))
    assert "1 of 3 classes better, 1 worse, 1 significantly" in svg
    assert svg.count("opacity: 0.45") == 2


def test_calibration_with_one_video():
    svg = charts.calibration_chart([CalibrationBin(0, 1, 1, 0.7, 1.0)], 0.3, "x")
    assert "expected calibration error 30.0%" in svg
