import errno
import os

import keras
import numpy as np
import pytest
from tiny_network import random_clips, randomize, two_stream, write_figures

import keras_acl
from keras_acl.attention.maps import attention_maps
from keras_acl.cli.options import load_for_inference
from keras_acl.data import read_directory
from keras_acl.engines import InferenceModel
from keras_acl.evaluation import evaluate_views
from keras_acl.inference import engine_choice, kept_engines
from keras_acl.inference.engine_choice import optimize
from keras_acl.models import TwoStreamClassifier
from keras_acl.models import optimize as fold
from keras_acl.pretrained.card import Card
from keras_acl.system.devices import tensorflow


@pytest.fixture(scope="module")
def model():
    made = randomize(two_stream())
    made.card = Card("mine", "A description", "MIT", "here")
    return made


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    before = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = str(tmp_path_factory.mktemp("keras"))
    yield
    del os.environ["KERAS_HOME"]
    if before is not None:
        os.environ["KERAS_HOME"] = before


@pytest.fixture(scope="module")
def fast(model):
    pytest.importorskip("openvino")
    if tensorflow() is None:
        pytest.skip("TensorFlow has the exporter")
    return optimize(model, "float32", engine="openvino")


def test_the_engine_computes_the_same(fast, model):
    assert isinstance(fast, InferenceModel)
    assert (fast.engine, fast.card, fast.saved_as) == ("OpenVINO", model.card, "mine")
    assert fast.compute_dtype == "float32"
    clips = random_clips(3)
    expected = keras.ops.convert_to_numpy(model(clips, training=False))
    np.testing.assert_allclose(fast.predict(clips), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("classes", [None, [2, 0, 1]], ids=["predicted", "chosen"])
def test_its_maps_are_those_of_the_model(classes, fast, model):
    clips = random_clips(3)
    ours, theirs = (attention_maps(each, clips, classes) for each in (fast, model))
    np.testing.assert_array_equal(ours.classes, theirs.classes)
    for name in ("spatial", "temporal", "scores"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-3)


def test_an_evaluation_goes_on_with_the_other_engine(fast, model, tmp_path):
    write_figures(tmp_path / "figures", 1)
    videos = read_directory(tmp_path / "figures")
    first = evaluate_views(model, videos[:2], 2, 1, output=tmp_path / "a")
    ours = evaluate_views(fast, videos[:2], 2, 1)
    assert ours.fingerprint == first.fingerprint
    np.testing.assert_allclose(ours.probabilities, first.probabilities, atol=1e-4)
    for stream in ("spatial", "temporal"):
        np.testing.assert_allclose(ours.streams[stream], first.streams[stream], atol=1e-4)


def test_the_head_over_places_is_refused(fast, tmp_path):
    write_figures(tmp_path / "figures", 1)
    with pytest.raises(ValueError, match="An exported model averages over the whole map"):
        evaluate_views(fast, read_directory(tmp_path / "figures"), fully_convolutional=True)


def test_it_is_made_once(fast, model, monkeypatch):
    monkeypatch.setattr(engine_choice, "export", None)
    assert optimize(model, "float32", engine="openvino").file == fast.file


def test_what_was_damaged_is_made_again(fast, model):
    fast.file.with_suffix(".bin").write_bytes(b"")
    again = optimize(model, None, engine="openvino")
    clips = random_clips(2)
    expected = keras.ops.convert_to_numpy(model(clips, training=False))
    np.testing.assert_allclose(again.predict(clips), expected, rtol=1e-4, atol=1e-4)


def test_only_the_engines_used_last_are_kept(model, fast, monkeypatch):
    monkeypatch.setattr(kept_engines, "MOST", 2)
    content = {each: fast.file.with_suffix(each).read_bytes() for each in (".xml", ".bin")}

    def make(file):
        file.parent.mkdir(parents=True)
        for ending, copied in content.items():
            file.with_suffix(ending).write_bytes(copied)

    files = [kept_engines.kept(f"made-{number}", make, "float32").file for number in range(3)]
    assert [file.exists() for file in files] == [False, True, True]


def test_a_name_leads_to_its_engine_without_the_model(model, monkeypatch, tmp_path):
    pytest.importorskip("openvino")
    model.save(tmp_path / "mine.keras")
    name = str(tmp_path / "mine.keras")
    first = load_for_inference(name, engine="openvino")
    monkeypatch.setattr("keras_acl.pretrained.load.load_any", None)
    again = load_for_inference(name, engine="openvino")
    assert (again.file, again.saved_as) == (first.file, "mine")
    # Other weights under the same name are another model.
    other = randomize(two_stream(), seed=7)
    other.save(name)
    assert kept_engines.noted(name, None) is None


def test_without_openvino(model, monkeypatch, caplog):
    monkeypatch.setattr(kept_engines, "has_openvino", lambda: False)
    monkeypatch.setattr(engine_choice, "_said", set())
    with pytest.raises(ImportError, match=r"pip install \"keras-acl\[deploy\]\""):
        optimize(model, engine="openvino")
    for _ in range(2):
        assert isinstance(optimize(model, engine="auto"), TwoStreamClassifier)
    assert caplog.text.count("OpenVINO would be faster") == 1


def test_where_nothing_can_be_kept_keras_computes(model, monkeypatch, caplog):
    pytest.importorskip("openvino")
    if tensorflow() is None:
        pytest.skip("OpenVINO is not chosen here")

    def kept(*_):
        raise OSError(errno.EROFS, "Read-only file system", "/home/nobody/.keras")

    monkeypatch.setattr(kept_engines, "kept", kept)
    assert isinstance(optimize(model, "float32", engine="auto"), TwoStreamClassifier)
    assert "(Read-only file system): Keras computes." in caplog.text
    with pytest.raises(OSError, match="Read-only file system"):
        optimize(model, "float32", engine="openvino")


def test_a_note_that_cannot_be_written_costs_nothing(model, fast, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    model.save(tmp_path / "mine.keras")
    monkeypatch.setattr(kept_engines, "engines_folder", lambda: tmp_path / "file")
    kept_engines.note_source(str(tmp_path / "mine.keras"), fast, "float32")
    assert (tmp_path / "file").read_text() == "no folder"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine": "tensorrt"}, "Expected `engine` to be one of"),
        ({"engine": "openvino", "precision": "float16"}, "in float32 or bfloat16"),
        ({"engine": "openvino", "constant_weights": True}, "constant anyway"),
        ({"precision": "int8"}, "Expected `precision`"),
    ],
    ids=["engine", "float16", "constant", "precision"],
)
def test_what_does_not_fit(options, said, model):
    with pytest.raises(ValueError, match=said):
        keras_acl.optimize(model, **options)
    with pytest.raises(ValueError, match="Expected a classifier of keras-acl"):
        keras_acl.optimize("model.keras")


@pytest.mark.backends
def test_what_is_at_the_top_folds_by_default(model):
    assert keras_acl.optimize is optimize
    assert optimize(model).get_config() == fold(model).get_config()
