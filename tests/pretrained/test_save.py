import json

import h5py
import numpy as np
import pytest
from saved import CARD, logits, make_slow, make_two_stream
from tiny_network import CLIP, LABELS

from keras_acl import recipes
from keras_acl.layers import AttentionConsistency
from keras_acl.models import TwoStreamClassifier
from keras_acl.pretrained.load import load_pretrained
from keras_acl.pretrained.save import save_pretrained
from keras_acl.speed.cost import count_multiply_adds, count_parameters

FILES = ["README.md", "config.json", "metadata.json", "model.weights.h5"]


def test_the_folder_says_what_it_holds(model, saved):
    assert sorted(file.name for file in saved.iterdir()) == FILES
    assert [file.name for file in saved.parent.iterdir()] == ["tiny"]
    metadata = json.loads((saved / "metadata.json").read_text())
    assert metadata["labels"] == list(LABELS)
    assert metadata["parameters"] == count_parameters(model)
    assert metadata["multiply_adds"] == count_multiply_adds(model)
    assert metadata["clip"] == CLIP.to_dict()
    assert set(metadata["versions"]) == {"keras-acl", "keras"}
    assert metadata["card"]["metrics"][0]["protocol"] == "one centre clip"
    config = json.loads((saved / "config.json").read_text())
    assert config["class"] == "TwoStreamClassifier"
    assert config["arguments"]["dtype"] == "float32"
    assert "class_name" not in (saved / "config.json").read_text()
    assert "71.5" in (saved / "README.md").read_text()


def test_the_state_of_the_optimiser_is_not_saved(tmp_path):
    model = make_two_stream()
    recipes.finetune().compile(model)
    folder = save_pretrained(model, tmp_path / "compiled")
    with h5py.File(folder / "model.weights.h5") as weights:
        assert "optimizer" not in weights


def test_a_metric_stays_with_the_weights_it_was_measured_with(saved, tmp_path):
    loaded = load_pretrained(saved)
    derived = load_pretrained(save_pretrained(loaded, tmp_path / "mine")).card
    assert (derived.name, derived.metrics) == ("mine", ())
    assert derived.description.startswith("Based on tiny;")
    kept = load_pretrained(save_pretrained(loaded, tmp_path / "given", CARD)).card
    assert kept == CARD
    fresh = load_pretrained(save_pretrained(make_slow(), tmp_path / "fresh")).card
    assert (fresh.name, fresh.licence, fresh.metrics) == ("fresh", "unknown", ())


def test_nan_is_not_saved(saved, tmp_path):
    model = load_pretrained(saved)
    model.classifier.bias.assign([0, np.nan, 0])
    with pytest.raises(ValueError, match="classifier/bias holds NaN or infinity, so nothing was"):
        save_pretrained(model, tmp_path / "nan")
    assert list(tmp_path.iterdir()) == []


def test_what_plain_values_cannot_name_is_not_saved(tmp_path):
    class Mine(TwoStreamClassifier):
        pass

    class Other(AttentionConsistency):
        pass

    with pytest.raises(ValueError, match=r"Received: Mine\. Other models are saved by model\.save"):
        save_pretrained(Mine.from_config(make_two_stream().get_config()), tmp_path / "mine")
    with pytest.raises(ValueError, match="consistency=Other"):
        save_pretrained(make_two_stream(consistency=Other()), tmp_path / "other")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_save_keeps_the_old_one(model, folder, monkeypatch):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    other = load_pretrained(folder, num_classes=4)
    monkeypatch.setattr("keras_acl.pretrained.save.count_multiply_adds", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_pretrained(other, folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [file.name for file in folder.parent.iterdir()] == ["tiny"]
    np.testing.assert_allclose(logits(load_pretrained(folder)), logits(model), atol=1e-6)
