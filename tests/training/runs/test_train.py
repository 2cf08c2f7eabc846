import csv
import dataclasses
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from matplotlib.image import imread
from tiny_network import CLIP, LABELS, NETWORK, write_figures

from keras_acl import recipes
from keras_acl.data import BadVideosError, BadVideoWarning, VideoDataset, split
from keras_acl.inference.predict import predict_videos
from keras_acl.models import SlowClassifier
from keras_acl.pretrained import save_pretrained
from keras_acl.pretrained.any_file import load_model
from keras_acl.training import runs as training
from keras_acl.training.checkpoint import latest_state
from keras_acl.training.history import read_history
from keras_acl.training.runs import train as train_module

RECIPE = recipes.finetune(epochs=2, learning_rate=0.4, precise_batches=2)


@pytest.fixture(autouse=True, scope="module")
def _tiny_network():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(training.NETWORKS, "small", NETWORK)
        yield


@pytest.fixture
def _one_stream(monkeypatch, eager):
    """The smallest network, without graphs: for what stops a run, not for what it computes."""
    options = {key: value for key, value in NETWORK.items() if key != "channel_ratio"}
    monkeypatch.setitem(training.NETWORKS, "small", options)
    monkeypatch.setattr("keras_acl.training.runs.train.TwoStreamClassifier", SlowClassifier)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    return write_figures(tmp_path_factory.mktemp("training") / "videos", 5)


def settings_for(source, **changes) -> training.RunSettings:
    settings = training.RunSettings(str(source), "small", CLIP, RECIPE, 3, 0.4, flip=False)
    return dataclasses.replace(settings, **changes)


@pytest.fixture(scope="module")
def run(videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    return training.train_folder(settings_for(videos), folder, verbose=0)


def rows_of(file: Path) -> list[dict[str, str]]:
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


def weights_in(folder: Path) -> list[np.ndarray]:
    return load_model(folder).get_weights()


def test_a_run_leaves_everything_in_its_folder(run):
    assert {path.name for path in run.folder.iterdir()} - {".lock"} == {
        "attention.png",
        "checkpoint",
        "curves.png",
        "history.csv",
        "last.keras",
        "model.keras",
        "models.json",
        "predictions.csv",
        "settings.json",
        "split.csv",
        "tensorboard",
    }
    assert latest_state(run.folder / "checkpoint")[0] == 2
    for name in ("curves.png", "attention.png"):
        assert np.ptp(imread(run.folder / name)) > 0.5


def test_the_report_says_what_the_files_say(run, videos):
    rows = rows_of(run.folder / "predictions.csv")
    assert (run.classes, run.videos, run.epochs, run.bad_files) == (3, (9, 6), 2, 0)
    hits = [row["label"] == row["predicted"] for row in rows]
    assert run.accuracy == pytest.approx(np.mean(hits))
    assert run.chance == pytest.approx(2 / 6)
    assert [row["label"] for row in rows] == [Path(row["path"]).parent.name for row in rows]
    history = read_history(run.folder / "history.csv")
    assert history["epoch"] == [0, 1]
    assert history["val_accuracy"][run.models[0].epoch - 1] == pytest.approx(run.accuracy)
    assert run.accuracy == pytest.approx(max(history["val_accuracy"]))
    assert set(history) == {
        "epoch",
        "accuracy",
        "consistency",
        "crossentropy",
        "gradient_norm",
        "loss",
        "val_accuracy",
        "val_crossentropy",
        "val_loss",
    }


def test_the_saved_model_predicts_what_the_run_wrote(run, videos):
    model = load_model(run.folder)
    assert (model.labels, model.clip) == (LABELS, CLIP)
    rows = rows_of(run.folder / "predictions.csv")
    _, test = split(training.read_videos(videos), 0.4, seed=0)
    assert [row["path"] for row in rows] == [video.path for video in test]
    for row, prediction in zip(
        rows, predict_videos(model, [video.path for video in test], clips=1), strict=True
    ):
        [(best, score)] = prediction.top(1)
        assert model.labels[best] == row["predicted"]
        assert score == pytest.approx(float(row["score"]), abs=1e-4)


@pytest.mark.slow
def test_a_new_process_loads_the_model_compiled(run):
    code = (
        "import keras_acl\n"
        f"model = keras_acl.load_model({str(run.folder)!r})\n"
        "print(model.labels, type(model.optimizer).__name__, int(model.optimizer.iterations))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{LABELS} CoupledSGD {3 * run.models[0].epoch}\n"


def test_the_same_call_again_trains_nothing_and_reports_the_same(run, videos, eager):
    history = (run.folder / "history.csv").read_text()
    weights = weights_in(run.folder)
    again = training.train_folder(settings_for(videos), run.folder, verbose=0)
    assert dataclasses.replace(again, seconds=0) == dataclasses.replace(run, seconds=0)
    assert (run.folder / "history.csv").read_text() == history
    for mine, yours in zip(weights, weights_in(run.folder), strict=True):
        np.testing.assert_array_equal(mine, yours)


@pytest.mark.usefixtures("_one_stream")
def test_named_sets_are_validated_and_tested_on(videos, tmp_path):
    recipe = dataclasses.replace(RECIPE, epochs=1, precise_batches=0)
    lists = {"validation": ["left/0000", "up/0001"], "test": ["right/0002"]}
    for side, names in lists.items():
        lines = [f"{videos / name}.mp4,{name.split('/')[0]}" for name in names]
        (tmp_path / f"{side}.csv").write_text("\n".join(["path,label", *lines]))
    train = tmp_path / "train.csv"
    rest = [f"{videos}/{label}/{n:04}.mp4,{label}" for label in LABELS for n in (3, 4)]
    train.write_text("\n".join(["path,label", *rest]))
    sides = {side: str(tmp_path / f"{side}.csv") for side in lists}
    settings = settings_for(train, recipe=recipe, **sides)
    report = training.train_folder(settings, tmp_path / "run", verbose=0)
    assert (report.videos, report.test_videos) == ((6, 2), 1)
    for name, side in (("predictions", "validation"), ("test_predictions", "test")):
        rows = rows_of(tmp_path / "run" / f"{name}.csv")
        assert [row["path"] for row in rows] == [f"{videos / each}.mp4" for each in lists[side]]
    assert report.test_accuracy == (rows[0]["label"] == rows[0]["predicted"])


@pytest.mark.filterwarnings("ignore::keras_acl.data.BadVideoWarning")
@pytest.mark.usefixtures("_one_stream")
def test_test_videos_that_cannot_be_read_do_not_hide_the_numbers(videos, tmp_path):
    recipe = dataclasses.replace(RECIPE, epochs=1, precise_batches=0)
    test = shutil.copytree(videos, tmp_path / "test")
    spoil(test / f"left/{number:04}.mp4" for number in (0, 1, 2))
    settings = settings_for(videos, recipe=recipe, test=str(test))
    report = training.train_folder(settings, tmp_path / "run", verbose=0)
    assert report.bad_files == 3
    assert not np.isnan(report.test_accuracy)


def test_the_best_epoch_is_kept_beside_the_last(run, videos, monkeypatch):
    assert [model.file for model in run.models] == ["model.keras", "last.keras"]
    assert json.loads((run.folder / "models.json").read_text())[1]["epoch"] == 2
    best, last = (load_model(run.folder / model.file) for model in run.models)
    assert int(last.optimizer.iterations) == 6
    assert int(best.optimizer.iterations) == 3 * run.models[0].epoch


def test_a_finished_run_is_extended_and_may_keep_the_last(run, videos, tmp_path, caplog, eager):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    (folder / "scores.npz").write_bytes(b"of the model before")
    longer = dataclasses.replace(RECIPE, epochs=3)
    report = training.train_folder(settings_for(videos, recipe=longer, keep="last"), folder, 0)
    assert report.epochs == 3
    assert report.models[0][:2] == ("model.keras", 3)
    assert {path.name for path in folder.glob("*.keras")} == {"best.keras", "model.keras"}
    assert not (folder / "scores.npz").exists()
    assert "the evaluation of the one before was removed" in caplog.text
    assert read_history(folder / "history.csv")["epoch"] == [0, 1, 2]
    rate = load_model(folder).optimizer.learning_rate  # at the end of the cosine that began anew
    assert float(rate) == pytest.approx(0, abs=1e-6)


# What goes wrong


def spoil(files):
    """An empty file, a text file, and one that was cut in the middle."""
    empty, text, cut = (Path(file) for file in files)
    empty.write_bytes(b"")
    text.write_text("not a video\n")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])


@pytest.mark.usefixtures("_one_stream")
def test_bad_files_cost_a_warning_each_and_a_line_in_the_list(videos, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_acl.training.runs.train.MAX_BAD_FRACTION", 0.3)
    source = shutil.copytree(videos, tmp_path / "videos")
    train, test = split(training.read_videos(source), 0.4, seed=0)
    bad = [train[0].path, train[5].path, test[2].path]
    spoil(bad)
    settings = settings_for(source, recipe=dataclasses.replace(RECIPE, epochs=1, precise_batches=0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BadVideoWarning)
        report = training.train_folder(settings, tmp_path / "run", verbose=0)
    texts = [str(w.message) for w in caught if w.category is BadVideoWarning]
    assert len(texts) == 3
    for path in bad:
        assert sum(path in text and "bad_videos.txt" in text for text in texts) == 1
    listed = (tmp_path / "run" / "bad_videos.txt").read_text().splitlines()
    assert sorted(line.split("\t")[0] for line in listed) == sorted(bad)
    assert report.bad_files == 3
    assert report.videos == (9, 6)
    rows = rows_of(tmp_path / "run" / "predictions.csv")
    assert [row["predicted"] == "" for row in rows] == [index == 2 for index in range(6)]
    hits = [row["label"] == row["predicted"] for row in rows if row["predicted"]]
    assert report.accuracy == pytest.approx(np.mean(hits))


@pytest.mark.filterwarnings("ignore::keras_acl.data.BadVideoWarning")
@pytest.mark.usefixtures("_one_stream")
def test_too_many_bad_files_stop_the_run_with_their_names(videos, tmp_path):
    source = shutil.copytree(videos, tmp_path / "videos")
    train, _ = split(training.read_videos(source), 0.4, seed=0)
    spoil([video.path for video in train[3:6]])
    with pytest.raises(BadVideosError, match="of 9 videos") as caught:
        training.train_folder(settings_for(source), tmp_path / "run", verbose=0)
    assert train[3].path in str(caught.value) or train[4].path in str(caught.value)
    assert training.finished_epochs(tmp_path / "run") == 0


@pytest.mark.usefixtures("_one_stream")
def test_a_loss_that_is_no_number_stops_the_run(videos, tmp_path):
    recipe = recipes.finetune(epochs=3, learning_rate=1e12, warmup_epochs=0, precise_batches=0)
    with pytest.raises(ValueError, match="epoch 1"):
        training.train_folder(settings_for(videos, recipe=recipe), tmp_path, verbose=0)
    assert not (tmp_path / "model.keras").exists()
    assert training.finished_epochs(tmp_path) == 0


@pytest.mark.usefixtures("_one_stream")
def test_a_loss_that_becomes_no_number_leaves_what_was_good(videos, tmp_path, monkeypatch):
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                kernel = self.model.classifier.kernel
                kernel.assign(np.full(kernel.shape, np.nan))

    before = train_module._compile
    monkeypatch.setattr(train_module, "_compile", lambda *a: [Spoil(), *before(*a)])
    with pytest.raises(ValueError, match=r"epoch 2.* has the models and curves"):
        training.train_folder(settings_for(videos), tmp_path, verbose=0)
    assert all(np.isfinite(weight).all() for weight in weights_in(tmp_path))
    assert {"curves.png", "predictions.csv", "last.keras"} <= {p.name for p in tmp_path.iterdir()}


def test_one_class_is_not_enough(videos, tmp_path):
    shutil.copytree(videos / "left", tmp_path / "videos" / "left")
    with pytest.raises(ValueError, match="1 in"):
        training.train_folder(settings_for(tmp_path / "videos"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        training.train_folder(settings_for(tmp_path / "nowhere"), tmp_path / "run")


# Parts


def test_a_csv_is_a_source_too(videos, tmp_path):
    table = tmp_path / "videos.CSV"
    lines = [f"{videos / label}/0000.mp4,{label}" for label in ("up", "left")]
    table.write_text("path,label\n" + "\n".join(lines))
    listed = training.read_videos(table)
    assert listed.counts == {"left": 1, "up": 1}
    assert training.read_videos(videos).counts == {"left": 5, "right": 5, "up": 5}


def test_flips_can_be_turned_off(videos, tmp_path):
    listed = training.read_videos(videos)
    train, test = split(listed, 0.4, seed=0)
    for flip in (True, False):
        settings = settings_for(videos, flip=flip)
        both = train_module._datasets(train, test, settings, tmp_path)
        assert isinstance(both[0], VideoDataset)
        clips = np.concatenate([both[0][index][0] for index in range(3)])
        if flip:
            flipped = clips
    same = [np.array_equal(a, b) for a, b in zip(flipped, clips, strict=True)]
    mirrored = [np.array_equal(a, b[:, :, ::-1]) for a, b in zip(flipped, clips, strict=True)]
    assert all(a or b for a, b in zip(same, mirrored, strict=True))
    assert 0 < sum(mirrored) < 9


def test_a_run_starts_from_saved_weights(videos, tmp_path, eager):
    weights = tmp_path / "weights"
    options = {name: value for name, value in NETWORK.items() if name != "channel_ratio"}
    before = SlowClassifier(5, clip=CLIP, **options)
    save_pretrained(before, weights)
    assert training.clip_of(str(weights), span=20) == dataclasses.replace(CLIP, span=20)
    # Too low a rate to move a weight by much, and no time for statistics to move.
    recipe = recipes.finetune(epochs=1, learning_rate=1e-9, warmup_start=1e-9, precise_batches=0)
    settings = settings_for(videos, weights=str(weights), recipe=recipe)
    training.train_folder(settings, tmp_path / "run", verbose=0)
    after = load_model(tmp_path / "run")
    assert type(after) is SlowClassifier
    assert after.labels == LABELS
    pairs = (model.spatial_stream.trainable_weights for model in (before, after))
    for old, new in zip(*pairs, strict=True):
        np.testing.assert_allclose(old, new, atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_network_computes_in_the_precision_asked_for(videos, precision):
    settings = settings_for(videos, precision=precision)
    assert train_module._network(settings, LABELS).dtype_policy.name == precision


def test_files_are_read_by_as_many_workers_as_asked_for(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "VideoDataset", lambda *arguments, **options: options)
    made = train_module._dataset([], settings_for(videos, workers=2, processes=3), tmp_path, 0.5)
    assert (made["loading"].threads, made["loading"].processes) == (2, 3)


def test_a_process_that_is_not_the_first_trains_and_leaves_nothing(videos, tmp_path, monkeypatch):
    module, left = "keras_acl.training.runs.train", []
    monkeypatch.setattr(f"{module}.distribution.is_first", lambda: False)
    monkeypatch.setattr(f"{module}.distribution.leave", lambda: left.append("others"))
    monkeypatch.setattr(f"{module}._train", lambda *arguments: left.append(arguments[3]))
    assert training.train_folder(settings_for(videos), tmp_path / "run", verbose=1) is None
    assert left == [0, "others"]  # without a word
    assert not (tmp_path / "run").exists()


def test_processes_that_see_other_videos_do_not_train(videos, tmp_path, monkeypatch):
    module = "keras_acl.training.runs.train"
    monkeypatch.setattr(f"{module}.distribution.from_first", lambda value: "another digest")
    monkeypatch.setattr(f"{module}._train", lambda *arguments: pytest.fail("it trains"))
    with pytest.raises(ValueError, match=r"finds other videos in .* than the first one"):
        training.train_folder(settings_for(videos), tmp_path / "run")
