import dataclasses
import shutil

import numpy as np
import pytest
from saved import CARD, logits

from keras_acl.pretrained import cache
from keras_acl.pretrained import find_folder as module
from keras_acl.pretrained.find_folder import find_folder, weights_folder
from keras_acl.pretrained.load import load_pretrained
from keras_acl.pretrained.presets import PRESETS, find_preset


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    """As if nothing came with the package."""
    monkeypatch.setattr(module, "weights_folder", lambda: tmp_path / "none")


def test_a_folder_loads_as_path_and_as_text(model, saved):
    loaded = load_pretrained(str(saved))
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-6)
    assert find_folder(saved) == saved


def test_weights_that_come_with_the_package_need_no_network(hub, saved, tmp_path, monkeypatch):
    shutil.copytree(saved, tmp_path / "weights" / "demo")
    monkeypatch.setattr(module, "weights_folder", lambda: tmp_path / "weights")
    assert load_pretrained("demo").card == CARD
    assert hub.requests == []


def test_weights_are_beside_the_package_in_a_clone():
    assert weights_folder().name == "weights"


def test_a_published_preset_comes_from_the_hub(hub, saved, no_weights, monkeypatch):
    published = dataclasses.replace(find_preset("demo"), revision="v1")
    monkeypatch.setattr(module, "find_preset", lambda name: published)
    hub.add(published.hub, saved, tag="v1")
    assert find_folder("demo").joinpath("model.weights.h5").is_file()
    assert any("/revision/v1" in path for path in hub.paths("GET"))


def test_a_preset_of_public_files_is_built(no_weights, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(cache, "built_preset", lambda preset: asked.append(preset) or tmp_path)
    assert find_folder("k400") == tmp_path
    assert [preset.name for preset in asked] == ["acl_r50_4x16_k400"]


def test_what_nobody_has_published_says_how_it_is_made(no_weights):
    with pytest.raises(
        ValueError, match=r"ucf101 yet\. They will be at hf://.*To make them: python"
    ):
        load_pretrained("ucf101")


def test_a_preset_wins_over_a_folder_of_something_else(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    shutil.copytree(saved, tmp_path / "weights" / "demo")
    monkeypatch.setattr(module, "weights_folder", lambda: tmp_path / "weights")
    (tmp_path / "demo").mkdir()  # `make demo` writes one
    assert find_folder("demo") == tmp_path / "weights" / "demo"
    shutil.copytree(saved, tmp_path / "demo", dirs_exist_ok=True)
    assert find_folder("demo").resolve() == tmp_path / "demo"


def test_unknown_names_suggest_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"no preset 'k40'\. Did you mean k400"):
        load_pretrained("k40")
    with pytest.raises(ValueError, match="slowfast_r50_4x16_k400"):
        load_pretrained("slowfast_4x16")
    for name in ("runs/nothing", tmp_path / "nothing"):
        with pytest.raises(FileNotFoundError, match=r"There is no folder .*nothing"):
            load_pretrained(name)
    with pytest.raises(ValueError, match="Expected hf://user/repo"):
        load_pretrained("hf://nothing")


def test_every_preset_can_be_loaded_or_says_how_it_is_made():
    for preset in PRESETS:
        shipped = (weights_folder() / preset.name / "model.weights.h5").is_file()
        assert shipped or preset.revision or preset.checkpoints or preset.command, preset.name
