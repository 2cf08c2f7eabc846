import json
import zipfile

import keras
import numpy as np
import pytest
from tiny_network import CLIP, LABELS, two_stream

from keras_acl.engines.naming import model_name
from keras_acl.models import optimize
from keras_acl.pretrained.any_file import load_model


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


def test_weights_that_are_not_finite_are_named(tmp_path):
    spoiled = two_stream()
    values = np.ones(spoiled.classifier.bias.shape)
    values[1] = np.nan
    spoiled.classifier.bias.assign(values)
    spoiled.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"model\.keras holds NaN or infinity in .*fier/bias"):
        load_model(tmp_path / "model.keras")


def rewritten(file, to, change=None, compression=zipfile.ZIP_STORED, more=b""):
    """A copy of a model's file with other arguments or a longer file of weights."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(to, "w", compression) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json" and change:
                config = json.loads(content)
                config["config"].update(change)
                content = json.dumps(config).encode()
            new.writestr(name, content + more if name.endswith(".h5") else content)
    return to


@pytest.mark.parametrize("change", [{"width": 2**20}, {"num_classes": 10**9, "labels": None}])
def test_a_network_larger_than_its_weights_is_refused_before_it_is_made(
    model, tmp_path, monkeypatch, change
):
    model.save(tmp_path / "model.keras")
    file = rewritten(tmp_path / "model.keras", tmp_path / "huge.keras", change)
    monkeypatch.setattr(keras.saving, "load_model", None)  # not reached
    with pytest.raises(ValueError, match=r"huge\.keras cannot .* describes a network .* at least"):
        load_model(file)


def test_a_file_that_expands_to_far_more_than_it_holds_is_refused(model, tmp_path):
    model.save(tmp_path / "model.keras")
    options = {"compression": zipfile.ZIP_DEFLATED, "more": bytes(2**24)}
    file = rewritten(tmp_path / "model.keras", tmp_path / "bomb.keras", **options)
    with pytest.raises(ValueError, match=r"its [\d,]+ bytes expand to 1[\d,]+, which no model"):
        load_model(file)


def test_a_file_that_was_packed_again_still_loads(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = rewritten(
        tmp_path / "model.keras", tmp_path / "again.keras", compression=zipfile.ZIP_DEFLATED
    )
    assert load_model(again).labels == LABELS
