import keras
import pytest
from tiny_network import CLIP, LABELS, two_stream

from keras_acl.models import optimize
from keras_acl.models.video_classifier import model_name
from keras_acl.pretrained.keras_file import load_model


@pytest.fixture(scope="module")
def model():
    return two_stream(labels=LABELS)


def test_models_load_from_file_and_run_folder(model, tmp_path):
    model.save(tmp_path / "model.keras")
    for path in (tmp_path, tmp_path / "model.keras"):
        loaded = load_model(path)
        assert (loaded.clip, loaded.labels) == (CLIP, LABELS)


def test_a_loaded_model_is_called_by_its_folder_or_file(model, tmp_path):
    assert model_name(model) == "TwoStreamClassifier"
    (tmp_path / "first").mkdir()
    for file, name in (("first/model.keras", "first"), ("second.keras", "second")):
        model.save(tmp_path / file)
        assert model_name(load_model(tmp_path / file)) == name
    assert model_name(optimize(load_model(tmp_path / "first"), precision=None)) == "first"


def test_what_is_no_model_of_ours_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no model at .*\.keras"):
        load_model(tmp_path)
    (tmp_path / "text.keras").write_text("no zip")
    with pytest.raises(ValueError, match=r"not a \.keras file"):
        load_model(tmp_path / "text.keras")
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="holds a Sequential"):
        load_model(tmp_path / "other.keras")


def test_a_cut_model_file_is_refused(model, tmp_path):
    model.save(tmp_path / "whole.keras")
    whole = (tmp_path / "whole.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="Is it whole"):
        load_model(tmp_path / "cut.keras")
