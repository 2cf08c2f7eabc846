"""What version 0.1.0 saved is loaded by this one, and says the same: see tests/data/saved_0_1_0."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from harness import to_numpy
from tiny_network import LABELS, NETWORK, write_figures

import keras_acl
from keras_acl.data import read_directory, read_mask
from keras_acl.evaluation import Scores, evaluate_views, summary
from keras_acl.training import recipes
from keras_acl.training.history import read_history
from keras_acl.training.runs import train as running
from keras_acl.training.runs.settings import RunSettings
from keras_acl.video.shrink import shrink_videos

SAVED = Path(__file__).parent / "data" / "saved_0_1_0"
LOGITS = np.load(SAVED / "logits.npz")
NETWORKS = ("two_stream", "slow", "slowfast")
FIRST = "figures/left/0000.mp4"


@pytest.fixture(scope="module")
def trained():
    """The model of the finished run, which made the scores, the features and the timeline."""
    return keras_acl.load_model(SAVED / "run")


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """The videos of the runs, under their relative paths."""
    monkeypatch.chdir(tmp_path)
    write_figures(Path("figures"), 3)
    return read_directory("figures")


def assert_close(ours, saved) -> None:
    np.testing.assert_allclose(ours, saved, rtol=1e-4, atol=1e-4)


@pytest.mark.backends
@pytest.mark.parametrize("name", NETWORKS)
def test_keras_files(name):
    model = keras_acl.load_model(SAVED / f"{name}.keras")
    assert_close(to_numpy(model(LOGITS["clips"], training=False)), LOGITS[name])


@pytest.mark.backends
@pytest.mark.parametrize("name", NETWORKS)
def test_keras_files_in_2d_form(name, tmp_path):
    # It left the stem native then, which today is in the form asked for.
    file = tmp_path / "in_2d.keras"
    with zipfile.ZipFile(SAVED / f"{name}.keras") as saved, zipfile.ZipFile(file, "w") as changed:
        for entry in saved.namelist():
            content = saved.read(entry)
            if entry == "config.json":
                assert b'"form": "auto"' in content
                content = content.replace(b'"form": "auto"', b'"form": "2d"')
            changed.writestr(entry, content)
    model = keras_acl.load_model(file)
    assert model.form == "2d"
    assert_close(to_numpy(model(LOGITS["clips"], training=False)), LOGITS[name])


@pytest.mark.backends
def test_folder_of_save_pretrained():
    model = keras_acl.load_pretrained(SAVED / "pretrained")
    assert (model.card.name, model.labels) == ("pretrained", LABELS)
    same = keras_acl.load_model(SAVED / "two_stream.keras")
    clips = LOGITS["clips"]
    assert_close(to_numpy(model(clips, training=False)), to_numpy(same(clips, training=False)))


LOAD = """
import sys, numpy as np, keras, keras_acl.models, keras_acl.recipes
folder, *names = sys.argv[1:]
saved = np.load(f"{folder}/logits.npz")
for name in names:
    model = keras.saving.load_model(f"{folder}/{name}.keras")
    logits = keras.ops.convert_to_numpy(model(saved["clips"], training=False))
    np.testing.assert_allclose(logits, saved[name], rtol=1e-4, atol=1e-4)
"""


@pytest.mark.slow
def test_keras_itself_loads_the_files_once_their_classes_are_imported():
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(SAVED), *NETWORKS], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_scores(trained, videos):
    saved = Scores.load(SAVED / "evaluation")
    assert saved.complete
    assert saved.labels == LABELS
    numbers = json.loads((SAVED / "evaluation" / "metrics.json").read_text())
    assert numbers["top1"] == summary(saved).top1
    scores = evaluate_views(trained, videos, 2, 1, dataset="figures")
    assert scores.same_evaluation(saved)
    assert_close(scores.probabilities, saved.probabilities)


def test_an_evaluation_goes_on(trained, videos):
    shutil.copytree(SAVED / "evaluation_shard", "evaluation")
    calls = []
    options = {"output": "evaluation", "progress": lambda *call: calls.append(call)}
    scores = evaluate_views(trained, videos, 2, 1, dataset="figures", **options)
    assert min(calls)[0] >= 10  # 5 of 9 videos were done
    assert scores.complete
    assert_close(scores.probabilities, Scores.load(SAVED / "evaluation").probabilities)


@pytest.mark.slow
def test_a_run_goes_on(videos, monkeypatch):
    monkeypatch.setitem(running.NETWORKS, "small", {**NETWORK, "width": 4})
    folder = Path(shutil.copytree(SAVED / "run_interrupted", "run"))
    values = json.loads((folder / "settings.json").read_text())
    del values["videos"]
    values["clip"] = keras_acl.ClipSpec(**values["clip"])
    values["recipe"] = recipes.Recipe(**values["recipe"])
    first = read_history(folder / "history.csv")
    running.train_folder(RunSettings(**values), folder, verbose=0)
    history = read_history(folder / "history.csv")  # with the columns that are new
    assert {name: history[name][:1] for name in first} == {name: first[name][:1] for name in first}
    resumed, whole = (
        np.genfromtxt(file, delimiter=",", names=True)
        for file in (folder / "history.csv", SAVED / "run" / "history.csv")
    )
    assert resumed["epoch"].tolist() == [0, 1]
    np.testing.assert_allclose(resumed["val_loss"], whole["val_loss"], rtol=0.01)
    assert keras_acl.load_model(folder).labels == LABELS


def test_features(trained, videos):
    with np.load(SAVED / "features.npz", allow_pickle=False) as saved:
        found = keras_acl.features(trained, saved["paths"].tolist())
        assert_close(found.features, saved["features"])


def test_a_timeline(trained):
    saved = json.loads((SAVED / "timeline.json").read_text())
    timeline = keras_acl.predict_timeline(trained, SAVED / FIRST)
    content = timeline.to_dict(timeline.segments())
    assert content.keys() == saved.keys()
    assert content["labels"] == saved["labels"]
    assert_close(content["times"], saved["times"])
    assert_close(content["scores"], saved["scores"])


def test_masks():
    masks = read_mask(SAVED / FIRST)
    assert masks.shape == (24, 48, 48)
    assert 0.01 < masks.mean() < 0.5


def test_shrunk_copies_keep_their_settings(videos, tmp_path):
    shrunk = shutil.copytree(SAVED / "shrunk", tmp_path / "shrunk")
    assert len(read_directory(shrunk)) == len(videos)
    with pytest.raises(ValueError, match="'short_side': 32, 'quality': 20"):
        shrink_videos("figures", shrunk, short_side=24, quality=20)
    report = shrink_videos("figures", shrunk, short_side=32, quality=20)
    assert not report.problems
