import dataclasses
import json
import logging
import os
import shutil
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
from harness import to_numpy
from saved import CARD, edit, logits, make_slow, make_slowfast, make_two_stream
from tiny_network import CLIP, LABELS, random_clips

from keras_acl import recipes
from keras_acl.clip import ClipSpec
from keras_acl.layers import AttentionConsistency
from keras_acl.models import TwoStreamClassifier
from keras_acl.pretrained.saved_folder import read_pretrained, save_pretrained
from keras_acl.speed.cost import count_multiply_adds, count_parameters
from keras_acl.training.losses import Crossentropy

FILES = ["README.md", "config.json", "metadata.json", "model.weights.h5"]


@pytest.fixture(scope="module")
def model():
    return make_two_stream(consistency=AttentionConsistency(stop_gradient="spatial"))


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    return save_pretrained(model, tmp_path_factory.mktemp("saved") / "tiny", CARD)


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "tiny")


@pytest.mark.backends
def test_a_model_comes_back_compiled_with_its_clip_labels_and_card(model, saved):
    loaded = read_pretrained(saved)
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-6)
    assert (loaded.clip, loaded.labels, loaded.card) == (CLIP, LABELS, CARD)
    assert loaded.consistency.stop_gradient == "spatial"
    assert isinstance(loaded.loss, Crossentropy)
    results = loaded.evaluate(random_clips(3), np.array([0, 1, 2]), verbose=0, return_dict=True)
    assert set(results) == {"loss", "accuracy"}


@pytest.mark.backends
@pytest.mark.parametrize("make", [make_slowfast, make_slow])
def test_the_baselines_come_back(make, tmp_path):
    model = make()
    loaded = read_pretrained(save_pretrained(model, tmp_path / "baseline"))
    assert type(loaded) is type(model)
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-6)


def test_the_folder_says_what_it_holds(model, saved):
    assert sorted(file.name for file in saved.iterdir()) == FILES
    assert [file.name for file in saved.parent.iterdir()] == ["tiny"]
    metadata = json.loads((saved / "metadata.json").read_text())
    assert metadata["labels"] == list(LABELS)
    assert metadata["parameters"] == count_parameters(model)
    assert metadata["multiply_adds"] == count_multiply_adds(model)
    assert metadata["clip"] == dataclasses.asdict(CLIP)
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


@pytest.mark.backends
def test_other_classes_keep_the_streams_and_say_so(model, saved, caplog):
    with caplog.at_level(logging.WARNING, "keras_acl"):
        loaded = read_pretrained(saved, num_classes=5)
    assert (loaded.num_classes, loaded.labels) == (5, None)
    [record] = caplog.records
    streams = count_parameters(model) - model.classifier.count_params()
    assert f"streams are kept ({streams:,} parameters)" in record.getMessage()
    assert "anew with 5 classes; the saved one has 3" in record.getMessage()
    features = loaded.features(random_clips(1)), model.features(random_clips(1))
    for ours, theirs in zip(*features, strict=True):
        np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), atol=1e-5)
    assert np.abs(to_numpy(loaded.classifier.kernel)).max() < 0.1  # 0.2 wide if it were kept


def test_other_names_start_the_dense_layer_anew(saved, caplog):
    with caplog.at_level(logging.WARNING, "keras_acl"):
        loaded = read_pretrained(saved, labels=["a", "b", "c"])
    assert loaded.labels == ("a", "b", "c")
    assert np.abs(to_numpy(loaded.classifier.kernel)).max() < 0.1
    assert len(caplog.records) == 1


def test_the_same_classes_keep_everything(model, saved, caplog):
    with caplog.at_level(logging.WARNING, "keras_acl"):
        loaded = read_pretrained(saved, num_classes=3, labels=list(LABELS))
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-6)
    assert not caplog.records


def test_classes_without_names_can_be_named(tmp_path):
    model = make_slow()
    loaded = read_pretrained(save_pretrained(model, tmp_path / "slow"), labels=LABELS)
    assert loaded.labels == LABELS
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-6)


@pytest.mark.backends
def test_what_a_user_changes_is_changed(model, saved):
    clip = ClipSpec(frames=16, span=32, size=64)
    loaded = read_pretrained(
        saved, clip=clip, dropout=0.2, dtype="mixed_bfloat16", consistency_weight=0.25
    )
    assert loaded.clip == clip
    assert loaded.dropout.rate == 0.2
    assert loaded.dtype_policy.name == "mixed_bfloat16"
    assert float(loaded.consistency_weight) == 0.25
    assert loaded.get_config()["consistency_weight"] == 0.25
    for ours, theirs in zip(loaded.weights, model.weights, strict=True):
        if ours.name != "consistency_weight":
            np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


@pytest.mark.backends
def test_the_consistency_term_can_be_left_out_and_put_in(model, saved, tmp_path):
    without = read_pretrained(saved, consistency_weight=None)
    assert not hasattr(without, "consistency_weight")
    np.testing.assert_allclose(logits(without), logits(model), atol=1e-6)
    again = read_pretrained(save_pretrained(without, tmp_path / "no"), consistency_weight=0.5)
    assert float(again.consistency_weight) == 0.5
    np.testing.assert_allclose(logits(again), logits(model), atol=1e-6)


def test_a_network_without_the_term_takes_no_weight(tmp_path):
    folder = save_pretrained(make_slow(), tmp_path / "slow")
    with pytest.raises(ValueError, match="SlowClassifier has no consistency term"):
        read_pretrained(folder, consistency_weight=1.0)


def test_lambda_is_the_argument_and_not_what_a_warm_up_left(tmp_path):
    model = make_two_stream()
    model.consistency_weight.assign(0.1)
    loaded = read_pretrained(save_pretrained(model, tmp_path / "warm"))
    assert float(loaded.consistency_weight) == 1.5


def test_a_metric_stays_with_the_weights_it_was_measured_with(saved, tmp_path):
    loaded = read_pretrained(saved)
    derived = read_pretrained(save_pretrained(loaded, tmp_path / "mine")).card
    assert (derived.name, derived.metrics) == ("mine", ())
    assert derived.description.startswith("Based on tiny;")
    kept = read_pretrained(save_pretrained(loaded, tmp_path / "given", CARD)).card
    assert kept == CARD
    fresh = read_pretrained(save_pretrained(make_slow(), tmp_path / "fresh")).card
    assert (fresh.name, fresh.licence, fresh.metrics) == ("fresh", "unknown", ())


def test_nan_is_not_saved(saved, tmp_path):
    model = read_pretrained(saved)
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
        save_pretrained(make_mine(Mine), tmp_path / "mine")
    with pytest.raises(ValueError, match="consistency=Other"):
        save_pretrained(make_two_stream(consistency=Other()), tmp_path / "other")
    assert list(tmp_path.iterdir()) == []


def make_mine(cls):
    return cls.from_config(make_two_stream().get_config())


def test_an_interrupted_save_keeps_the_old_one(model, folder, monkeypatch):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    other = read_pretrained(folder, num_classes=4)
    monkeypatch.setattr("keras_acl.pretrained.saved_folder.count_multiply_adds", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_pretrained(other, folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [file.name for file in folder.parent.iterdir()] == ["tiny"]
    np.testing.assert_allclose(logits(read_pretrained(folder)), logits(model), atol=1e-6)


KILLED = """
import os, sys
from pathlib import Path
from keras_acl.pretrained import saved_files as files
moves = []
def replace(source, target):
    moves.append(source)
    if len(moves) == 3:
        os._exit(9)
    os.rename(source, target)
files.os.replace = replace
with files.written_folder(Path(sys.argv[1])) as beside:
    for file in Path(sys.argv[2]).iterdir():
        (beside / file.name).write_bytes(file.read_bytes())
"""


def test_a_save_killed_while_its_files_move_in_is_finished_by_the_reader(folder, tmp_path):
    new = save_pretrained(make_two_stream(num_classes=4, labels=None), tmp_path / "new")
    (folder / "golden.npz").write_bytes(b"something of the user")
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(new)])
    assert done.returncode == 9
    assert (folder / ".saved").is_dir()
    assert read_pretrained(folder).num_classes == 4
    assert sorted(file.name for file in folder.iterdir()) == [*FILES[:2], "golden.npz", *FILES[2:]]


def test_what_a_killed_process_left_beside_is_removed_after_a_day(model, tmp_path):
    for name in (".saving-tiny-1-old", ".saving-tiny-2-now", "saving-tiny"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.weights.h5").write_text("half")
    os.utime(tmp_path / ".saving-tiny-1-old", (0, 0))
    save_pretrained(model, tmp_path / "tiny")
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left == [".saving-tiny-2-now", "saving-tiny", "tiny"]  # of another process, the user's


def test_other_files_are_not_overwritten(model, tmp_path):
    (tmp_path / "README.md").write_text("of my project")
    with pytest.raises(ValueError, match="holds other files, and no earlier save"):
        save_pretrained(model, tmp_path)
    with pytest.raises(ValueError, match=r"is a file\. Expected a folder"):
        save_pretrained(model, tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text() == "of my project"


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"no {name} in .*tiny\. (Save|Expected)"):
        read_pretrained(folder)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_cut_file_is_found_by_its_digest(folder, name):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=rf"{name} is not the file that was saved.*incomplete"):
        read_pretrained(folder)


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        read_pretrained(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON, is it whole"),
        ("\0\xff", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "must hold a JSON object"),
        ("{}", "was not written by save_pretrained"),
        ('{"format": 2}', "has format 2, this version of keras-acl reads 1. Update"),
        ('{"format": 1}', "labels is missing"),
    ],
)
def test_broken_metadata_is_one_clear_error(folder, text, message):
    (folder / "metadata.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": "up"}, "labels must be names"),
        ({"labels": ["a", "b"]}, "names 2 classes, the network of config.json has 3"),
        ({"sha256": {}}, "config.json is missing"),
        ({"sha256": {"config.json": 1, "model.weights.h5": 2}}, "sha256 must hold digests"),
        ({"card": {"name": "a"}}, "fields of a Card: missing"),
        ({"clip": {"frames": -1}}, "frames must be positive"),
        ({"parameters": "many"}, "parameters must be a whole number"),
    ],
)
def test_wrong_metadata_is_one_clear_error(folder, change, message):
    edit(folder, "metadata.json", lambda values: values.update(change))
    with pytest.raises(ValueError, match=message):
        read_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class": "os.system"}, "names a class that cannot be loaded: 'os.system'. Expected one"),
        ({"class": ["a"]}, "names a class that cannot be loaded"),
        ({"arguments": 3}, "has no arguments for TwoStreamClassifier"),
        ({"arguments": {}}, "num_classes is missing"),
        ({"class": "SlowClassifier"}, "SlowClassifier does not take: channel_ratio, consistency"),
    ],
)
def test_a_config_builds_nothing_but_the_networks(folder, change, message):
    edit(folder, "config.json", lambda values: values.update(change))
    with pytest.raises(ValueError, match=message):
        read_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["a", "b", "c"]}, "does not take: labels"),
        ({"num_classes": "3"}, "num_classes must be a whole number"),
        ({"dtype": {"class_name": "Policy"}}, "dtype must be one of"),
        ({"clip": {"colour": 3}}, "unexpected keyword argument 'colour'"),
        ({"consistency": {"class_name": "Lambda"}}, "consistency takes temporal"),
        ({"consistency": {"temporal": "never"}}, "Expected `temporal` to be one of"),
        ({"depth": 12}, "make no network: .*12"),
        ({"width": 16}, r"model\.weights\.h5 does not fit the network of config\.json"),
    ],
)
def test_wrong_arguments_are_one_clear_error(folder, change, message):
    edit(folder, "config.json", lambda values: values["arguments"].update(change))
    with pytest.raises(ValueError, match=message):
        read_pretrained(folder)


def test_labels_and_number_of_classes_must_agree(saved):
    with pytest.raises(ValueError, match="Received: num_classes=4 and 2 labels"):
        read_pretrained(saved, num_classes=4, labels=["a", "b"])


OTHER_BACKEND = """
import sys
import numpy as np
import keras
from keras_acl.pretrained.saved_folder import read_pretrained
from keras_acl.pretrained.keras_file import load_model
folder, clips, output = sys.argv[1:]
clips = np.load(clips)
found = [
    keras.ops.convert_to_numpy(model(clips, training=False))
    for model in (read_pretrained(f"{folder}/tiny"), load_model(f"{folder}/model.keras"))
]
np.savez(output, folder=found[0], keras=found[1], backend=keras.backend.backend())
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="once is enough")
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_what_one_backend_saved_the_others_load(backend, model, saved, tmp_path):
    shutil.copytree(saved, tmp_path / "tiny")
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "clips.npy", random_clips(2))
    paths = [str(tmp_path / name) for name in (".", "clips.npy", "found.npz")]
    done = subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND, *paths],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "found.npz")
    assert found["backend"] == backend
    expected = logits(model)
    assert np.abs(expected).max() > 0.1
    for name in ("folder", "keras"):
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-5)
