import dataclasses
import json

import pytest

from keras_acl import recipes
from keras_acl.clip import ClipSpec
from keras_acl.data import Video, VideoList
from keras_acl.training.runs.settings import RunSettings, claim_folder, finished_epochs

CLIP = ClipSpec(frames=8, span=16, size=32)
RECIPE = recipes.finetune(epochs=2)
SETTINGS = RunSettings("videos", "small", CLIP, RECIPE, batch_size=3)
VIDEOS = VideoList([Video("a.mp4", 0), Video("b.mp4", 1)], ("left", "right"))


@pytest.fixture
def run(tmp_path):
    """The folder of a run with a finished epoch."""
    claim_folder(tmp_path, SETTINGS, VIDEOS)
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "epoch-0001.weights.h5").touch()
    return tmp_path


def test_the_same_run_goes_on(run):
    before = (run / "settings.json").read_text()
    claim_folder(run, SETTINGS, VIDEOS)
    assert finished_epochs(run) == 1
    assert (run / "settings.json").read_text() == before


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"recipe": dataclasses.replace(RECIPE, epochs=3)}, r"recipe\.epochs was 2"),
        ({"clip": dataclasses.replace(CLIP, size=40)}, r"clip\.size was 32"),
        ({"batch_size": 2, "seed": 1}, "batch_size was 3, seed was 0"),
    ],
)
def test_other_settings_are_refused(run, changes, text):
    with pytest.raises(ValueError, match=f"{run.name} .*{text}"):
        claim_folder(run, dataclasses.replace(SETTINGS, **changes), VIDEOS)


def test_other_videos_are_refused(run):
    with pytest.raises(ValueError, match="videos was 2, list sha256"):
        claim_folder(run, SETTINGS, VIDEOS[1:])


def test_a_folder_without_a_finished_epoch_is_taken_over(tmp_path):
    claim_folder(tmp_path, SETTINGS, VIDEOS)
    (tmp_path / "history.csv").write_text("epoch,loss\n0,nan\n")
    claim_folder(tmp_path, dataclasses.replace(SETTINGS, seed=5), VIDEOS)
    assert json.loads((tmp_path / "settings.json").read_text())["seed"] == 5
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
