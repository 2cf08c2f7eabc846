"""The files for TensorRT are what it takes, and compute what the model computes."""

import numpy as np
import pytest
import tensorrt_files
from tiny_network import LABELS, randomize, two_stream, write_figures

from keras_acl.engines.metadata import read_metadata
from keras_acl.system.devices import tensorflow

pytestmark = [
    pytest.mark.skipif(tensorflow() is None, reason="TensorFlow has the exporters"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def test_files(run_example, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    videos = write_figures(tmp_path / "videos", count=2)
    (videos / LABELS[0] / "broken.mp4").write_bytes(b"no video")
    randomize(two_stream()).save(tmp_path / "model.keras")
    told = run_example(
        *("tensorrt_files", tmp_path / "model.keras", tmp_path / "new/files"),
        *("--videos", videos, "--clips", 4, "--maps"),
    )
    assert "broken.mp4" in told
    rows = {line.split()[0]: line.split() for line in told.splitlines() if ".onnx " in line}
    assert list(rows) == ["float32.onnx", "float16.onnx", "int8.onnx"]
    assert float(rows["float32.onnx"][3]) == 0
    assert 0 < float(rows["float16.onnx"][3]) < 0.1
    assert 0 < float(rows["int8.onnx"][3]) < 1
    assert {file.name for file in (tmp_path / "new/files").iterdir()} == set(rows)

    models = {name: onnx.load(tmp_path / "new/files" / name) for name in rows}
    for name, model in models.items():
        assert read_metadata(tmp_path / "new/files" / name)["labels"] == list(LABELS)
        outputs = {each.name for each in model.graph.output}
        assert {"logits", "spatial_map", "temporal_map"} <= outputs
    tensors = {
        name: {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
        for name, model in models.items()
    }
    assert {
        kernel.dtype for kernel in kernels(models["float16.onnx"], tensors["float16.onnx"])
    } == {np.dtype("float16")}
    nodes = models["int8.onnx"].graph.node
    made = {output: node for node in nodes for output in node.output}
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    assert len(convolutions) == len(kernels(models["float32.onnx"], tensors["float32.onnx"]))
    for node in convolutions:
        assert [made[given].op_type for given in node.input[:2]] == ["DequantizeLinear"] * 2
        assert all(tensors["int8.onnx"][bias].dtype == np.float32 for bias in node.input[2:])
    for node in nodes:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            zero = tensors["int8.onnx"][node.input[2]]
            assert zero.dtype == np.int8
            assert not zero.any()


def kernels(model, tensors) -> list[np.ndarray]:
    """Those of the convolutions, which are 2D."""
    found = [tensors[node.input[1]] for node in model.graph.node if node.op_type == "Conv"]
    assert {kernel.ndim for kernel in found} == {4}
    return found


def test_it_says_what_is_missing(run_example, tmp_path):
    pytest.importorskip("tf2onnx")
    videos = write_figures(tmp_path / "videos", count=1)
    for file in sorted(videos.rglob("*.mp4"))[1:]:
        file.unlink()
    randomize(two_stream()).save(tmp_path / "model.keras")
    with pytest.raises(SystemExit, match="two videos at least"):
        run_example(
            *("tensorrt_files", tmp_path / "model.keras", tmp_path / "files", "--videos", videos)
        )
    assert not (tmp_path / "files").exists()
    (tmp_path / "empty").mkdir()
    for wrong, told in (("empty", "There is no video file"), ("typo", "No such file")):
        with pytest.raises(SystemExit, match=rf"^Error: .*{told}|two videos at least"):
            run_example(
                *("tensorrt_files", tmp_path / "model.keras", tmp_path / "files"),
                *("--videos", tmp_path / wrong),
            )


def test_what_fails_leaves_no_file(run_example, tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")
    videos = write_figures(tmp_path / "videos", count=1)
    randomize(two_stream()).save(tmp_path / "model.keras")

    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(tensorrt_files, "write_int8", fail)
    with pytest.raises(SystemExit, match=r"^Error: No space left"):
        run_example(
            *("tensorrt_files", tmp_path / "model.keras", tmp_path / "files", "--videos", videos)
        )
    assert not list((tmp_path / "files").iterdir())
