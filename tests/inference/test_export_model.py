import importlib.util
import json
import os
import pickle
import sys
import zipfile

import keras
import numpy as np
import pytest
from models.zoo import clips_for, made
from tiny_network import LABELS, random_clips, randomize, slow, slowfast, two_stream
from video_files import numbered_frames, write_video

import keras_acl
from keras_acl import load_model
from keras_acl.engines import read_metadata
from keras_acl.inference import export_model
from keras_acl.inference.export_formats import FORMATS
from keras_acl.inference.export_model import export
from keras_acl.inference.parity import largest_difference, run_exported
from keras_acl.pretrained.card import Card
from keras_acl.system.devices import tensorflow

MAPS = {
    "spatial_logits": (3, 3),
    "temporal_logits": (3, 3),
    "logits": (3, 3),
    "features": (3, 192),
    "spatial_map": (3, 4, 4),
    "temporal_map": (3, 8, 4, 4),
}
needs_tensorflow = pytest.mark.skipif(tensorflow() is None, reason="TensorFlow has the exporters")


@pytest.fixture(scope="module")
def model():
    return randomize(two_stream())


def needs(ending: str):
    """Mark a format that runs on its backend only, and, but in CI, if its packages are there."""
    packages, backend = FORMATS[ending].packages, FORMATS[ending].backend
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    missing = [] if os.environ.get("CI") else missing
    elsewhere = backend != keras.backend.backend()
    reason = f"needs {', '.join(missing)}" if missing else f"on the {backend} backend"
    return pytest.param(ending, marks=pytest.mark.skipif(bool(missing) or elsewhere, reason=reason))


@pytest.mark.backends
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("ending", [needs(ending) for ending in FORMATS])
def test_every_format_computes_the_same(ending, model, tmp_path):
    found = export(model, tmp_path / f"new/model{ending}", maps=True)
    assert found.difference < 1e-4
    clips = random_clips(3)  # another batch than that of the check
    outputs = run_exported(found.path, clips)
    assert {name: value.shape for name, value in outputs.items()} == MAPS
    logits = keras.ops.convert_to_numpy(model(clips, training=False))
    assert np.ptp(logits) > 1
    np.testing.assert_allclose(outputs["logits"], logits, rtol=1e-4, atol=1e-4)
    # The mean of a class's map is its logit without the bias.
    bias = keras.ops.convert_to_numpy(model.classifier.bias)
    means = outputs["spatial_map"].mean((1, 2)) + outputs["temporal_map"].mean((1, 2, 3))
    best = logits.argmax(axis=1)
    np.testing.assert_allclose(means + bias[best], logits.max(axis=1), rtol=1e-4, atol=1e-4)
    told = read_metadata(found.path)
    assert (told["labels"], told["clip"]["size"], told["card"]) == (list(LABELS), 32, None)
    assert set(told["outputs"]) == set(MAPS)
    names = {file.name for file in found.path.parent.iterdir()}
    assert names - {"model.bin"} == {found.path.name}


@needs_tensorflow
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "build",
    [slowfast, lambda: slow(scales=(1.0, 0.5)), lambda: two_stream(dtype="mixed_bfloat16")],
    ids=["slowfast", "slow-scam", "bfloat16"],
)
@pytest.mark.parametrize(("form", "rank"), [(None, 5), ("2d", 4)], ids=["3d", "2d"])
def test_other_networks_and_a_fixed_batch(build, form, rank, tmp_path):
    onnx = pytest.importorskip("onnx")
    found = export(randomize(build()), tmp_path / "model.onnx", batch=1, form=form)
    assert run_exported(found.path, random_clips(1))["logits"].shape == (1, 3)
    graph = onnx.load(found.path).graph
    (shape,) = (each.type.tensor_type.shape.dim for each in graph.input)
    assert [dim.dim_value for dim in shape] == [1, 8, 32, 32, 3]
    kernels = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    ranks = {kernels.get(node.input[1]) for node in graph.node if node.op_type == "Conv"}
    assert max(ranks) == rank
    assert rank == 5 or ranks == {4}


@needs_tensorflow
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_onnx_of_another_width(tmp_path):
    """Where the picture has another width than its channels are many."""
    pytest.importorskip("tf2onnx")
    assert export(randomize(two_stream(width=16)), tmp_path / "model.onnx").difference < 1e-4


@needs_tensorflow
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_the_file_says(tmp_path):
    pytest.importorskip("tf2onnx")
    labels = tuple(f"Begrüßung {number} 你好 🤝\n\x07" for number in range(400))
    options = {"labels": labels, "num_classes": 400}
    model = two_stream(**options, stream_supervision=0.5, multi_label=True)
    model.card = Card("mine", "Ümlaut", "MIT", "here")
    found = export(model, tmp_path / "model.onnx")
    told = read_metadata(found.path)
    assert tuple(told["labels"]) == labels
    assert told["multi_label"] is True
    assert told["version"] == keras_acl.__version__
    assert Card.from_dict(told["card"]) == model.card
    assert run_exported(found.path, random_clips(1))["logits"].shape == (1, 400)


@needs_tensorflow
def test_a_folder_is_replaced_and_compared_on_a_video(model, tmp_path):
    video = write_video(tmp_path / "video.mp4", numbered_frames(40))
    export(model, tmp_path / "saved")
    (tmp_path / "saved" / "old").touch()
    found = export(model, tmp_path / "saved", video=video)
    assert found.difference < 1e-4
    assert not (tmp_path / "saved" / "old").exists()
    assert {each.name for each in tmp_path.iterdir()} == {"saved", "video.mp4"}


@needs_tensorflow
@pytest.mark.parametrize("change", [1.0, np.nan])
def test_what_computes_something_else_is_refused(change, model, tmp_path, monkeypatch):
    def run(folder, clips):
        outputs = run_exported(folder, clips)
        return {"logits": outputs["logits"] + np.float32(change)}

    export(model, tmp_path / "saved")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(export_model, "run_exported", run)
    with pytest.raises(ValueError, match="nothing was written: logits differs by"):
        export(model, tmp_path / "saved")
    assert sorted(tmp_path.rglob("*")) == before


def make_other_folder(folder):
    (folder / "thesis.txt").touch()
    return folder


def make_file(folder):
    (folder / "file").touch()
    return folder / "file"


def make_folder(folder):
    (folder / "model.onnx").mkdir()
    return folder / "model.onnx"


@needs_tensorflow
def make_other_weights(folder):
    """A file that an export would write beside its own, of something else."""
    (folder / "model.bin").write_bytes(b"weights")
    return folder / "model.xml"


@pytest.mark.parametrize(
    ("place", "options", "message"),
    [
        (lambda folder: folder / "model.h5", {}, r"named .xml .*model.h5"),
        (lambda folder: folder / "model", {"batch": 0}, "batch=0"),
        (lambda folder: folder / "model", {"form": "3d"}, "form='3d'"),
        (lambda folder: folder / "model.ONNX", {}, r"named .xml .*model.ONNX"),
        (make_other_weights, {}, r"model.bin is there"),
        (make_other_folder, {}, "holds other files"),
        (make_file, {}, "is a file"),
        (make_folder, {}, "is a folder"),
        (lambda folder: make_file(folder) / "model.onnx", {}, "is a file"),
        (lambda folder: folder / "model.pt2", {}, "KERAS_BACKEND=torch"),
    ],
)
def test_errors(place, options, message, model, tmp_path):
    path = place(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=message):
        export(model, path, **options)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_package_names_the_extra(model, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"OpenVINO IR needs openvino: .*keras-acl\[deploy\]"):
        export(model, tmp_path / "model.xml")


@pytest.mark.parametrize("ending", [".onnx", ".tflite", ""])
def test_a_file_of_something_else_has_no_metadata(ending, tmp_path):
    file = tmp_path / f"model{ending}"
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_metadata(file)
    file.write_text(json.dumps({}))
    with pytest.raises(ValueError, match="damaged, or was not written by"):
        read_metadata(file)


def test_nothing_of_a_foreign_file_is_unpickled(tmp_path):
    """Torch's own reader would."""
    ran = tmp_path / "ran"
    file = tmp_path / "model.pt2"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model/data/sample_inputs/model.pt", pickle.dumps(Opens(ran)))
        archive.writestr("model/data/weights/model.pt", pickle.dumps(Opens(ran)))
        archive.writestr("model/extra/keras_acl.json", json.dumps({"name": "foreign"}))
    assert read_metadata(file) == {"name": "foreign"}
    assert not ran.exists()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/extra/keras_acl.json", b" " * (2**24 + 1))
    with pytest.raises(ValueError, match="damaged"):
        read_metadata(file)


class Opens:
    """Leaves a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_the_runtime_that_reads_a_file_may_be_missing(tmp_path, monkeypatch):
    (tmp_path / "model.xml").touch()
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match=r"keras-acl\[deploy\]"):
        read_metadata(tmp_path / "model.xml")


def test_difference():
    ours = {"logits": np.array([1.0, 200.0]), "map": np.array([0.1])}
    assert largest_difference(ours, {**ours, "logits": np.array([1.0, 198.0])}) == ("logits", 0.01)
    worst, difference = largest_difference(ours, {**ours, "map": np.array([np.nan])})
    assert worst == "map"
    assert np.isnan(difference)
    with pytest.raises(ValueError, match=r"\(1,\)"):
        largest_difference(ours, {**ours, "map": np.zeros(2)})


@needs_tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("name", ["i3d", "csn", "x3d", "tsn"])
def test_networks_of_the_zoo_on_a_phone(name, tmp_path):
    """LiteRT, which pads at most five dimensions, and knows no 3D pools."""
    model = made(name)
    clips = clips_for(model)
    exported = load_model(export(model, tmp_path / "model.tflite", batch=2).path)
    expected = model.predict_on_batch(clips)
    np.testing.assert_allclose(exported.predict(clips), expected, rtol=1e-3, atol=1e-3)
