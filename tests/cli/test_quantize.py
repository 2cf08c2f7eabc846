import dataclasses

import pytest
from tiny_network import two_stream, write_figures

from keras_acl.inference import quantize_model
from keras_acl.inference.quantize_comparison import FileFigures, Quantized
from keras_acl.system.devices import tensorflow

pytestmark = pytest.mark.skipif(tensorflow() is None, reason="TensorFlow has the exporters")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    file = tmp_path_factory.mktemp("saved") / "model.keras"
    two_stream().save(file)
    return file


@pytest.fixture
def asked(monkeypatch):
    """What the library is asked for, and what it then says; the real thing is tested there."""
    given = {}

    def quantize(model, videos, path, **options):
        options.pop("progress")(3, 4)
        given.update(labels=model.labels, videos=videos, path=path, **options)
        sizes = FileFigures(1, 70, 110), FileFigures(0.5, 35, 112)
        done = Quantized(path, "OpenVINO IR", 4, 2, True, 1.0, 0.1, 9.0, *sizes)
        return dataclasses.replace(done, **given.get("changes", {}))

    monkeypatch.setattr(quantize_model, "quantize", quantize)
    return given


@pytest.mark.parametrize(("flag", "maps"), [("--maps", True), ("--all-maps", "all")])
def test_quantize(asked, call, saved, tmp_path, flag, maps):
    pytest.importorskip("nncf")
    out = tmp_path / "model.xml"
    code, printed, said = call(
        "quantize", saved, "videos", out, "--evaluate", "test", "--clips", 40, "--accept", flag
    )
    assert code == 0
    assert (asked["videos"], asked["path"], str(asked["evaluate"])) == ("videos", out, "test")
    assert (asked["clips"], asked["accept"], asked["maps"]) == (40, True, maps)
    table = [line.split() for line in printed.splitlines()]
    assert table[0] == ["float32", "int8"]
    assert ["size,", "MB", "1", "0.5"] in table
    assert f"Written: {out} (OpenVINO IR)" in printed
    assert said == ""


def test_what_was_left_out_is_said(asked, call, saved, tmp_path):
    pytest.importorskip("nncf")
    broken = tuple((f"{number}.mp4", "no video") for number in range(7))
    asked["changes"] = {"skipped": broken, "held_out": False}
    code, _, said = call("quantize", saved, "videos", tmp_path / "model.xml")
    assert code == 0
    lines = said.splitlines()
    assert lines[0] == "Left out: 0.mp4: no video"
    assert lines[5] == "Left out: 2 more"
    assert "calibrated with" in lines[6]


@pytest.mark.parametrize(
    ("videos", "out", "options", "message"),
    [
        ("made", "model.h5", (), "is named .xml (OpenVINO), .onnx or .tflite"),
        ("missing", "model.tflite", (), "missing"),
        ("made", "model.tflite", ("--evaluate", "missing"), "missing"),
        ("made", "/proc/model.tflite", (), "/proc/model.tflite: cannot be written"),
    ],
)
def test_mistakes_are_one_line(videos, out, options, message, call, saved, tmp_path):
    pytest.importorskip("ai_edge_quantizer")
    write_figures(tmp_path / "made", count=1)
    before = sorted(tmp_path.rglob("*"))
    options = [tmp_path / one if one == "missing" else one for one in options]
    code, _, err = call("quantize", saved, tmp_path / videos, tmp_path / out, *options)
    assert code == 1
    (line,) = err.strip().splitlines()
    assert message in line
    assert sorted(tmp_path.rglob("*")) == before
