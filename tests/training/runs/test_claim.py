import dataclasses
import hashlib
import json

import pytest

from keras_acl import recipes
from keras_acl.clip import ClipSpec
from keras_acl.data import Video, VideoList
from keras_acl.training.runs.claim import claim_folder, finished_epochs
from keras_acl.training.runs.settings import RunSettings
from keras_acl.training.runs.videos import RunVideos

CLIP = ClipSpec(frames=8, span=16, size=32)
RECIPE = recipes.finetune(epochs=2)
SETTINGS = RunSettings("videos", "small", CLIP, RECIPE, batch_size=3)
LABELS = ("left", "right")


def videos(folder="videos", names=("left/a", "right/b")) -> RunVideos:
    records = [Video(f"{folder}/{name}.mp4", label) for label, name in enumerate(names)]
    train, validation = (VideoList([record], LABELS) for record in records)
    return RunVideos(train, validation, None, tuple(records))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a run with a finished epoch."""
    monkeypatch.chdir(tmp_path)
    claim_folder(tmp_path, SETTINGS, videos())
    finish(tmp_path, 1)
    return tmp_path


def finish(folder, epoch: int) -> None:
    (folder / "checkpoint").mkdir(exist_ok=True)
    (folder / "checkpoint" / f"epoch-{epoch:04d}.weights.h5").touch()


def test_the_same_run_goes_on(run):
    before = (run / "settings.json").read_text()
    assert claim_folder(run, SETTINGS, videos()) == SETTINGS
    assert finished_epochs(run) == 1
    assert (run / "settings.json").read_text() == before


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"recipe": dataclasses.replace(RECIPE, epochs=1)}, "--epochs was 2"),
        ({"recipe": dataclasses.replace(RECIPE, learning_rate=1)}, "--learning-rate was 0.1"),
        (
            {"recipe": dataclasses.replace(RECIPE, stream_supervision=0.5)},
            "--stream-supervision was None",
        ),
        ({"clip": dataclasses.replace(CLIP, size=40)}, "--size was 32"),
        ({"batch_size": 2, "seed": 1}, "--batch-size was 3, --seed was 0"),
        ({"weights": "demo"}, "--weights was None"),
        ({"network": "r50"}, "--network was small"),
    ],
)
def test_other_settings_are_refused(run, changes, text):
    with pytest.raises(ValueError, match=f"{run.name} .*{text}"):
        claim_folder(run, dataclasses.replace(SETTINGS, **changes), videos())


@pytest.mark.parametrize(
    "changes",
    [
        {"rematerialize": True},
        {"keep": "last"},
        {"recipe": dataclasses.replace(RECIPE, patience=3)},
    ],
)
def test_what_no_result_depends_on_may_change(run, changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    assert claim_folder(run, settings, videos()) == settings


def test_weights_bring_their_network_to_any_device(run):
    begun = dataclasses.replace(SETTINGS, weights="demo")
    (run / "settings.json").write_text(json.dumps(dataclasses.asdict(begun)))
    on_a_gpu = dataclasses.replace(begun, network="r50")
    assert claim_folder(run, on_a_gpu, videos()) == on_a_gpu


def test_a_path_may_be_spelled_in_another_way(run):
    for source in (str(run / "videos"), "./videos/"):
        settings = dataclasses.replace(SETTINGS, source=source)
        assert claim_folder(run, settings, videos(source.rstrip("/"))) == settings
    (run / "weights").mkdir()
    (run / "settings.json").write_text(
        json.dumps(dataclasses.asdict(dataclasses.replace(SETTINGS, weights="weights")))
    )
    settings = dataclasses.replace(SETTINGS, weights=str(run / "weights"))
    assert claim_folder(run, settings, videos()) == settings


def test_other_videos_are_refused(run):
    with pytest.raises(ValueError, match="1 videos are new and 1 gone"):
        claim_folder(run, SETTINGS, videos(names=("left/a", "right/c")))


def test_a_run_goes_on_to_more_epochs_from_a_warm_restart(run, caplog):
    finish(run, 2)
    longer = dataclasses.replace(SETTINGS, recipe=dataclasses.replace(RECIPE, epochs=5))
    assert claim_folder(run, longer, videos()).recipe.restart == 2
    assert "from epoch 2 to 5; its learning rate begins anew" in caplog.text
    finish(run, 3)
    caplog.clear()
    assert claim_folder(run, longer, videos()).recipe.restart == 2  # interrupted and resumed
    assert caplog.text == ""


@pytest.mark.parametrize("source", ["videos", "./videos"])
def test_a_run_of_0_1_0_goes_on_or_says_why_not(run, source):
    record = dataclasses.asdict(SETTINGS)
    for name in ("validation", "test", "keep"):
        del record[name]
    del record["clip"]["segments"]
    for name in ("patience", "restart", "stream_supervision"):
        del record["recipe"][name]
    listed = "videos/left/a.mp4\t0\nvideos/right/b.mp4\t1"
    record["videos"] = f"2, list sha256 {hashlib.sha256(listed.encode()).hexdigest()[:12]}"
    (run / "settings.json").write_text(json.dumps(record))
    (run / "split.csv").unlink()
    settings = dataclasses.replace(SETTINGS, source=source)
    with pytest.raises(ValueError, match=r"videos were 2, list sha256 .* as an older version"):
        claim_folder(run, settings, videos(names=("left/a", "right/c")))
    (run / "history.csv").write_text("epoch,val_accuracy\n0,0.75\n")
    assert claim_folder(run, settings, videos(source)) == settings
    assert (run / "split.csv").exists()
    assert json.loads((run / "checkpoint" / "best.json").read_text())["val_accuracy"] == 0.75


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_damaged_settings_are_named(run, text):
    (run / "settings.json").write_text(text)
    with pytest.raises(ValueError, match=r"settings\.json cannot be read"):
        claim_folder(run, SETTINGS, videos())


def test_a_folder_without_a_finished_epoch_is_taken_over(tmp_path):
    claim_folder(tmp_path, SETTINGS, videos())
    (tmp_path / "history.csv").write_text("epoch,loss\n0,nan\n")
    claim_folder(tmp_path, dataclasses.replace(SETTINGS, seed=5), videos())
    assert json.loads((tmp_path / "settings.json").read_text())["seed"] == 5
    assert {path.name for path in tmp_path.iterdir()} == {"settings.json", "split.csv"}
