"""The benchmark of int8 runs on a tiny network and says what it measured."""

import json

import pytest
import quantization
from tiny_network import LABELS, randomize, two_stream, write_figures

from keras_acl.data import read_directory
from keras_acl.system.devices import tensorflow

pytestmark = [
    pytest.mark.skipif(tensorflow() is None, reason="TensorFlow has the exporters"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def test_quantization(run_example, tmp_path):
    pytest.importorskip("ai_edge_quantizer")
    videos = write_figures(tmp_path / "videos", count=1)
    randomize(two_stream()).save(tmp_path / "model.keras")
    run_example(
        *("quantization", "--model", tmp_path / "model.keras", "--videos", videos),
        *("--test", videos, "--clips", "3", "--formats", ".tflite", "--name", "tiny"),
        *("--output", tmp_path),
    )
    told = json.loads((tmp_path / "quantization_tiny.json").read_text())
    assert "--model MODEL --videos FOLDER --test TEST --clips 3" in told["command"]
    assert str(tmp_path) not in json.dumps(told)
    plain, rough = told["rows"]
    assert (plain["precision"], rough["precision"]) == ("float32", "int8")
    assert (plain["agreement"], plain["times float32"]) == (1, 1)
    assert rough["MB"] < plain["MB"]
    assert (told["calibration clips"], told["test clips"]) == (3, 3)


def test_bfloat16_is_a_row_of_its_own(tmp_path):
    """A processor without it computes in float32 then."""
    pytest.importorskip("openvino")
    videos = read_directory(write_figures(tmp_path / "videos", count=1), LABELS)
    row = quantization.bfloat16(randomize(two_stream()), videos, tmp_path)
    assert row["worst logit"] < 0.1 * row["largest logit"]
    assert row["agreement"] > 0.5
    assert 0 <= row["accuracy"] <= 1


def test_edge(run_example, tmp_path):
    """Networks by formats and precisions; what no training gave has no agreement."""
    pytest.importorskip("ai_edge_quantizer")
    run_example("edge", "--small", "--formats", ".tflite", "--output", tmp_path)
    plain, rough = json.loads((tmp_path / "edge.json").read_text())["rows"]
    assert (plain["network"], plain["precision"], rough["precision"]) == ("tiny", "float32", "int8")
    assert plain["10⁹ multiply-adds"] > 0
    assert rough["MB"] < plain["MB"]
    assert "agreement" not in rough
