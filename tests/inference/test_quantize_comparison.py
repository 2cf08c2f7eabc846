import json
from pathlib import Path

import numpy as np
import pytest

from keras_acl.inference.quantize_comparison import Answers, FileFigures, Quantized


def quantized(**changes) -> Quantized:
    values = {
        "path": Path("/somewhere/model.xml"),
        "format": "OpenVINO IR",
        "calibration_clips": 300,
        "compared_clips": 8,
        "held_out": True,
        "agreement": 0.995,
        "worst_logit": 0.25,
        "largest_logit": 12.0,
        "float32": FileFigures(1.0, 70.0, 110.0, 0.975),
        "int8": FileFigures(0.5, 35.0, 112.0, 0.97),
        **changes,
    }
    return Quantized(**values)


def test_one_class_a_clip():
    plain = np.array([[3.0, 1.0], [0.0, 2.0], [1.0, 0.9], [0.0, 1.0]])
    rough = np.array([[2.5, 1.0], [0.0, 2.0], [0.8, 0.9], [0.0, 1.0]])
    found = Answers(plain, rough, multi_label=False)
    assert found.agreement() == 0.75
    assert found.worst_logit() == 0.5
    assert found.accuracies([(0,), (1,), (0,), (0,)]) == (0.75, 0.5)


def test_several_labels_a_clip():
    plain = np.array([[3.0, 1.0], [-1.0, -2.0], [1.0, -0.9], [0.5, 1.0]])
    rough = np.array([[0.1, 1.0], [-1.0, -2.0], [1.0, 0.9], [1.0, 0.5]])
    found = Answers(plain, rough, multi_label=True)
    assert found.agreement() == 0.75  # the best class differs in one, the labels in another
    assert found.accuracies([(0, 1), (), (0,), (0,)]) == (0.75, 0.5)


@pytest.mark.parametrize("multi_label", [False, True])
def test_what_is_no_number_agrees_with_nothing(multi_label):
    plain = np.array([[1.0, 0.0], [1.0, -1.0]])
    rough = np.array([[np.nan, -1.0], [1.0, -1.0]])
    found = Answers(plain, rough, multi_label)
    assert found.agreement() == 0.5
    assert np.isnan(found.worst_logit())


def test_the_table():
    lines = str(quantized()).splitlines()
    assert lines[0].split() == ["float32", "int8"]
    assert len({len(line) for line in lines}) == 1
    rows = {row[0]: row[1:] for row in quantized().rows()}
    assert rows["size, MB"] == ("1", "0.5")
    assert rows["agreement with float32"] == ("", "99.50%")
    assert rows["accuracy"] == ("97.50%", "97.00%")
    without = quantized(float32=FileFigures(1, 1, 1), int8=FileFigures(1, 1, 1))
    assert "accuracy" not in str(without)
    assert "<td style='text-align:left'>99.50%</td>" in quantized()._repr_html_()


def test_json_does_not_say_where_it_is():
    told = json.loads(quantized(skipped=(("a.mp4", "it is empty"),)).to_json())
    assert told["path"] == "model.xml"
    assert told["int8"]["accuracy"] == 0.97
    assert told["skipped"] == [["a.mp4", "it is empty"]]
