from pathlib import Path

import keras
import pytest

from keras_acl import recipes
from keras_acl.clip import ClipSpec
from keras_acl.training import runs as training


@pytest.mark.parametrize(("devices", "network"), [([], "small"), (["gpu:0"], "r50")])
def test_the_network_suits_the_device(monkeypatch, devices, network):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: devices)
    assert training.choose_network() == network


def test_clips_suit_the_network():
    assert set(training.NETWORKS) == set(training.CLIPS) == set(training.LEARNING_RATES)
    assert training.clip_for("r50") == ClipSpec(32, 64, 30.0, 224)
    assert training.clip_for("small", size=64) == ClipSpec(16, 64, 30.0, 64)


def test_what_is_not_said_is_the_usual():
    changes = {"frames": None, "size": 64}
    told = {"epochs": 3, "learning_rate": None}
    settings = training.plan_run(Path("videos"), "r50", clip=changes, recipe=told, seed=4)
    recipe = recipes.finetune(epochs=3, learning_rate=0.1, seed=4)
    assert settings == training.RunSettings("videos", "r50", ClipSpec(size=64), recipe, seed=4)


def test_weights_bring_their_own_network():
    with pytest.raises(ValueError, match="weights=demo, network=r50"):
        training.plan_run("videos", "r50", "demo")
    settings = training.plan_run("videos", weights="demo")
    assert settings.clip == training.clip_of("demo")
    assert settings.recipe == recipes.finetune()


@pytest.mark.parametrize("source", ["some/videos", "some/videos.csv", "some/videos/"])
def test_a_run_is_named_after_its_source(source):
    assert training.default_folder(source) == Path("runs/videos")


@pytest.fixture
def divided(tmp_path):
    for side in ("train", "val", "test"):
        (tmp_path / side / "run").mkdir(parents=True)
        (tmp_path / side / "run" / "1.mp4").touch()
    return tmp_path


def test_a_split_folder_gives_the_sides_of_the_run(divided):
    settings = training.plan_run(divided, "small")
    sides = (settings.source, settings.validation, settings.test)
    assert sides == tuple(str(divided / side) for side in ("train", "val", "test"))


def test_a_named_side_counts_more_than_a_found_one(divided):
    settings = training.plan_run(divided, "small", validation=divided / "test", test="b.csv")
    sides = (settings.source, settings.validation, settings.test)
    assert sides == (str(divided / "train"), str(divided / "test"), "b.csv")


def test_random_weights_are_not_frozen():
    with pytest.raises(ValueError, match="freeze=streams, weights=None"):
        training.plan_run("videos", "small", recipe={"freeze": "streams"})
    assert training.plan_run("videos", "small", recipe={"freeze": "none"}).weights is None


def test_a_validation_set_leaves_nothing_to_split_off(divided):
    with pytest.raises(ValueError, match=r"validation_split=0\.3, validation=.*val"):
        training.plan_run(divided, "small", validation_split=0.3)
    settings = training.plan_run(divided / "train", "small", validation_split=0.3)
    assert (settings.validation_split, settings.validation) == (0.3, None)
