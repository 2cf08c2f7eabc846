import pytest
from tiny_network import random_clips, two_stream

from keras_acl import load_model
from keras_acl.engines import read_metadata
from keras_acl.inference.parity import run_exported


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    file = tmp_path_factory.mktemp("saved") / "model.keras"
    two_stream().save(file)
    return file


def test_export(call, saved, tmp_path):
    code, out, _ = call("export", saved, tmp_path / "exported", "--all-maps", "--batch", 2)
    assert code == 0
    assert f"Written: {tmp_path / 'exported'} (A TensorFlow SavedModel)" in out
    told = read_metadata(tmp_path / "exported")
    assert told["labels"] == list(load_model(saved).labels)
    assert {"spatial_map", "temporal_maps"} <= set(told["outputs"])
    assert set(run_exported(tmp_path / "exported", random_clips(2))) == set(told["outputs"])


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("model.h5", (), "is named .xml (OpenVINO), .onnx, .tflite"),
        ("model.pt2", (), "KERAS_BACKEND=torch"),
        ("file/model", (), "file is a file"),
        ("/proc/model", (), "/proc/model: cannot be written"),
        ("model", ("--video", "nothing.mp4"), "nothing.mp4"),
    ],
)
def test_mistakes_are_one_line(out, options, message, call, saved, tmp_path):
    (tmp_path / "file").touch()
    code, _, err = call("export", saved, tmp_path / out, *options)
    assert code == 1
    (line,) = err.strip().splitlines()
    assert message in line
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
