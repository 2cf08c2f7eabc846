import dataclasses
import importlib.util
import json

import numpy as np
import pytest
from tiny_network import LABELS, predict, random_clips, randomize, two_stream, write_figures

import keras_acl
from keras_acl.data import Video, VideoList, read_directory
from keras_acl.engines.metadata import read_metadata
from keras_acl.inference import quantize_model
from keras_acl.inference.quantize_comparison import Answers, FileFigures
from keras_acl.inference.quantize_formats import QUANTIZERS
from keras_acl.system.devices import tensorflow

pytestmark = [
    pytest.mark.skipif(tensorflow() is None, reason="TensorFlow has the exporters"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
ENDINGS = {ending: package for ending, (package, _) in QUANTIZERS.items()}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = write_figures(tmp_path_factory.mktemp("videos"), count=3)
    (folder / LABELS[0] / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def model():
    return randomize(two_stream())


@pytest.fixture(scope="module", params=ENDINGS)
def made(request, model, videos, tmp_path_factory):
    """A file of each format, what was said of it and how its making went on."""
    pytest.importorskip(ENDINGS[request.param])
    steps = []
    path = tmp_path_factory.mktemp("int8") / f"tiny{request.param}"
    result = keras_acl.quantize(
        model,
        videos,
        path,
        maps=True,
        clips=6,
        evaluate=videos,
        accept=True,
        progress=lambda done, total: steps.append((done, total)),
    )
    return path, result, steps


def test_it_is_a_model_like_any_other(made, model):
    path, result, _ = made
    loaded = keras_acl.load_model(path)
    assert (loaded.labels, loaded.clip) == (LABELS, model.clip)
    assert {"logits", "features", "spatial_map", "temporal_map"} <= set(loaded.outputs)
    clips = random_clips(3)  # another batch than that of the calibration
    outputs = loaded.run(clips)
    assert {value.dtype for value in outputs.values()} == {np.dtype("float32")}
    assert outputs["temporal_map"].shape == (3, 8, 4, 4)
    same = np.corrcoef(outputs["logits"].ravel(), predict(model, clips).ravel())
    assert same[0, 1] > 0.99
    told = read_metadata(path)
    assert (told["precision"], told["agreement"]) == ("int8", result.agreement)
    assert loaded.compute_dtype == "int8"


def test_it_is_int8(made):
    path, result, _ = made
    assert result.int8.megabytes < result.float32.megabytes
    if path.suffix == ".onnx":
        graph = pytest.importorskip("onnx").load(path).graph
        types = {tensor.name: tensor.data_type for tensor in graph.initializer}
        made = {name: node for node in graph.node for name in node.output}
        kernels = [made[node.input[1]] for node in graph.node if node.op_type == "Conv"]
        assert {types[kernel.input[0]] for kernel in kernels} == {3}  # int8


def test_what_is_said_of_it(made, videos):
    path, result, steps = made
    assert result.path == path
    assert 0 < result.worst_logit < result.largest_logit
    assert min(result.int8.milliseconds, result.float32.milliseconds) > 0
    assert 20 < result.int8.peak_memory < 400  # no TensorFlow in it
    assert 0 <= result.int8.accuracy <= 1
    assert [place.endswith("broken.mp4") for place, _ in result.skipped] == [True]
    report = json.loads(path.with_suffix(".quantization.json").read_text())
    assert (report["path"], report["agreement"]) == (path.name, result.agreement)
    names = {file.name for file in path.parent.iterdir()}
    assert names - {"tiny.bin"} == {path.name, "tiny.quantization.json"}
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1]


@pytest.fixture
def made_up(monkeypatch):
    """Quantising and exporting in no time, with given answers; returns a function to set them."""

    def export(model, path, maps, form):
        path.parent.mkdir()
        path.write_text("float32")

    def set_answers(plain, rough, multi_label=False):
        found = Answers(np.array(plain), np.array(rough), multi_label)
        monkeypatch.setattr(quantize_model, "answers", lambda *_: (found, [2.0, 1.0]))

    monkeypatch.setattr(quantize_model, "check_quantizer", lambda ending: None)
    monkeypatch.setattr(quantize_model, "export", export)
    monkeypatch.setattr(quantize_model, "read_metadata", lambda file: {})
    monkeypatch.setattr(quantize_model, "write_metadata", lambda file, metadata: None)
    monkeypatch.setattr(quantize_model, "figures", lambda *_: FileFigures(1, 1, 1))
    write = quantize_model.shutil.copy
    monkeypatch.setattr(
        quantize_model, "quantize_file", lambda plain, out, clips: write(plain, out)
    )
    return set_answers


def many(other: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a hundred clips, and the same with another best class for some of them."""
    plain = np.tile([2.0, 1.0, 0.0], (100, 1))
    rough = plain.copy()
    rough[:other] = [1.0, 1.5, 0.0]
    return plain, rough


def test_more_than_one_answer_in_a_hundred_is_refused(made_up, model, videos, tmp_path):
    made_up(*many(other=2))
    path = tmp_path / "new" / "model.tflite"
    with pytest.raises(ValueError, match=r"for 2\.0% of .* clips.*nothing was written.*--accept"):
        keras_acl.quantize(model, videos, path, clips=4)
    assert not list(path.parent.iterdir())
    result = keras_acl.quantize(model, videos, path, clips=4, accept=True)
    assert (result.agreement, result.worst_logit) == (0.98, 1.0)
    assert {file.name for file in path.parent.iterdir()} == {
        "model.tflite",
        "model.quantization.json",
    }
    made_up(*many(other=1))
    assert keras_acl.quantize(model, videos, path, clips=4).agreement == 0.99


def test_no_number_is_refused(made_up, model, videos, tmp_path):
    made_up([[1.0, 0.0, 0.0]], [[np.nan, 0.0, 0.0]])
    with pytest.raises(ValueError, match=r"for 100\.0% of"):
        keras_acl.quantize(model, videos, tmp_path / "model.tflite", clips=4)


@pytest.mark.parametrize(
    ("clips", "calibrated", "held_out"), [(4, 4, True), (300, 297, False), (9, 9, True)]
)
def test_clips_are_spread_over_the_videos(
    clips, calibrated, held_out, made_up, model, videos, tmp_path, monkeypatch
):
    """Nine videos of 24 frames and one that is broken; the broken one may be among the drawn."""
    seen = []
    made_up(*many(other=0))
    write = quantize_model.quantize_file
    monkeypatch.setattr(
        quantize_model, "quantize_file", lambda *rest: (seen.append(len(rest[2])), write(*rest))
    )
    result = keras_acl.quantize(model, videos, tmp_path / "model.tflite", clips=clips)
    assert seen == [result.calibration_clips]
    assert calibrated - 30 <= result.calibration_clips <= calibrated
    assert result.held_out == held_out


@pytest.mark.parametrize(
    ("videos_in", "options", "message"),
    [
        (None, {"clips": 0}, "clips=0"),
        ([], {}, "at least one video"),
        (["broken"], {}, "None of the 1 videos can be read, such as .*broken.mp4: "),
        (None, {"evaluate": VideoList([], ("a", "b", "c"))}, "the model's classes in the model's"),
        (None, {"evaluate": VideoList([Video("a.mp4")], LABELS)}, "a label of every video"),
        (None, {"path": "model.h5"}, r"named .xml .*\.h5"),
        (None, {"path": "model"}, "no ending"),
        (None, {"path": "model.pt2"}, r"\.pt2"),
    ],
)
def test_errors(videos_in, options, message, model, videos, tmp_path):
    pytest.importorskip("ai_edge_quantizer")
    if videos_in is not None:
        videos = [videos / LABELS[0] / f"{name}.mp4" for name in videos_in]
    options = {"path": "model.tflite", "clips": 4, **options}
    path = tmp_path / options.pop("path")
    with pytest.raises(ValueError, match=message):
        keras_acl.quantize(model, videos, path, **options)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_names_the_extra(model, videos, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs nncf: .*keras-acl\[quantize\]"):
        keras_acl.quantize(model, videos, tmp_path / "model.xml")


def test_an_export_cannot_be_quantised(made, videos, tmp_path):
    path, _, _ = made
    with pytest.raises(ValueError, match=r"Only a Keras model .*InferenceModel"):
        keras_acl.quantize(keras_acl.load_model(path), videos, tmp_path / "again.tflite")


def test_many_labels_and_several_a_clip(videos, tmp_path):
    """Of the format that is written fastest."""
    pytest.importorskip("ai_edge_quantizer")
    labels = (*LABELS, *(f"Begrüßung {number} 你好 🤝" for number in range(397)))
    model = randomize(two_stream(num_classes=400, labels=labels, multi_label=True))
    listed = read_directory(videos, labels)
    marked = [dataclasses.replace(video, label=(video.label, 399)) for video in listed]
    path = tmp_path / "many.tflite"
    options = {"evaluate": VideoList(marked, labels), "accept": True}
    result = keras_acl.quantize(model, [video.path for video in listed], path, clips=4, **options)
    loaded = keras_acl.load_model(path)
    assert (loaded.labels, loaded.multi_label) == (labels, True)
    assert result.compared_clips == 9
    assert result.int8.accuracy is not None
