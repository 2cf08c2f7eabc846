import csv
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from tiny_network import CLIP, NETWORK, write_figures

from keras_acl import recipes
from keras_acl.cli.train import Freeze, NetworkName
from keras_acl.clip import ClipSpec
from keras_acl.pretrained.any_file import load_model
from keras_acl.training import runs as training
from keras_acl.training.checkpoint import latest_state
from keras_acl.training.fine_tuning import FREEZABLE


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    return write_figures(tmp_path_factory.mktemp("cli") / "videos", 4)


def test_the_choices_of_network_are_those_there_are():
    choices = get_args(get_args(NetworkName)[0])
    assert set(choices) == {"auto", *training.NETWORKS}


@pytest.fixture
def asked(monkeypatch):
    """The settings and folders that `train` would run."""
    calls = []

    def train_folder(settings, folder, verbose, devices):
        calls.append((settings, folder))
        if devices is not None:
            calls.append(devices)
            return None  # as on a process that is not the first
        models = (
            training.KeptModel("model.keras", 2, "the best"),
            training.KeptModel("last.keras", 3, "the last"),
        )
        return training.RunReport(folder, 2, (8, 2), 3, 0.5, 0.5, 1, 9.0, models=models)

    monkeypatch.setattr(training, "train_folder", train_folder)
    monkeypatch.setattr("keras_acl.training.runs.plan.has_accelerator", lambda: False)
    return calls


def test_a_process_that_is_not_the_first_tells_of_nothing(call, asked, videos):
    code, out, err = call("train", videos, "--devices", "all")
    assert (code, asked[-1], err) == (0, "all", "")
    assert "Validation" not in out


def test_train_passes_its_options_on(call, asked, videos, tmp_path):
    options = "--epochs 3 --batch-size 2 --network r50 --size 64 --frames 8 --span 40 --no-flip"
    more = "--learning-rate 0.2 --consistency-weight 0.5 --validation-split 0.3 --seed 4"
    more += " --keep last --patience 3 --all-scores"
    code, out, _ = call("train", videos, "--output", tmp_path / "r", *f"{options} {more}".split())
    assert code == 0
    [(settings, folder)] = asked
    recipe = recipes.finetune(
        epochs=3, learning_rate=0.2, consistency_weight=0.5, patience=3, seed=4
    )
    clip = ClipSpec(frames=8, span=40, size=64)
    expected = training.RunSettings(
        str(videos), "r50", clip, recipe, 2, 0.3, flip=False, seed=4, keep="last", all_scores=True
    )
    assert settings == expected
    assert folder == tmp_path / "r"
    assert f"r50 two-stream network on {videos}; run folder {folder}\n" in out
    assert "Validation accuracy 50.0% on 2 videos" in out
    assert f"1 unreadable file: {folder / 'bad_videos.txt'}\n" in out
    assert f"  {folder / 'model.keras'} (epoch 2: the best)\n" in out
    assert f"  {folder / 'last.keras'} (epoch 3: the last)\n" in out


def test_train_passes_on_what_suits_few_videos(call, asked, videos):
    options = "--weights demo --freeze spatial --head-rate 10 --balance --ema 0.99 "
    options += "--stream-supervision 0.5"
    assert call("train", videos, *options.split())[0] == 0
    [(settings, _)] = asked
    recipe = settings.recipe
    assert (recipe.freeze, recipe.head_rate) == ("spatial", 10.0)
    assert (recipe.balance, recipe.ema) == (True, 0.99)
    assert recipe.stream_supervision == 0.5


def test_train_takes_several_labels(call, asked, videos, tmp_path):
    (tmp_path / "some.csv").write_text("path,label\na.mp4,left|red\n")
    code, _, _ = call("train", tmp_path / "some.csv", "--multi-label")
    assert (code, asked[0][0].multi_label) == (0, True)
    code, _, err = call("train", tmp_path / "some.csv", "--multi-label", "--balance")
    assert code == 1
    assert "balance=True weighs each video by its class" in err


@pytest.mark.slow
def test_colour_and_motion_are_learned_as_two_labels_of_a_clip(call, monkeypatch, tmp_path):
    monkeypatch.setitem(training.NETWORKS, "small", NETWORK)
    folder = write_figures(
        tmp_path / "figures", 20, ("cyan_left", "cyan_right", "pink_left", "pink_right"),
        task="appearance_motion",
    )  # fmt: skip
    rows = [f"{path},{path.parent.name.replace('_', '|')}" for path in folder.glob("*/*.mp4")]
    table = tmp_path / "figures.csv"
    table.write_text("\n".join(["path,label", *sorted(rows)]))
    options = "--frames 8 --span 24 --size 32 --network small --no-flip --learning-rate 1"
    run = tmp_path / "run"
    arguments = ("train", table, "--multi-label", "--output", run, *options.split())
    code, out, _ = call(*arguments, "--epochs", 6)
    assert (code, "(at random: 50.0%)" in out) == (0, True)
    assert "the best by validation mean average precision" in out
    code, out, _ = call(*arguments, "--epochs", 8)  # goes on
    assert code == 0
    code, out, err = call(*arguments[:2], *arguments[3:], "--epochs", 8)
    assert (code, "--multi-label was True" in err) == (1, True)
    code, out, _ = call("evaluate", run, "--clips", 1, "--crops", 1)
    assert (code, "over 4 classes (at random 50.00%)" in out) == (0, True)
    with open(run / "labels.csv", newline="") as lines:
        found = {row["label"]: float(row["average_precision"]) for row in csv.DictReader(lines)}
    assert min(found.values()) > 0.6
    assert np.mean(list(found.values())) > 0.75


def test_the_choices_of_what_to_freeze_are_those_there_are():
    assert set(get_args(get_args(get_args(Freeze)[0])[0])) == set(FREEZABLE)


def test_train_without_options_suits_the_device(call, asked, videos):
    call("train", videos)
    [(settings, folder)] = asked
    assert (settings.network, settings.clip) == ("small", training.CLIPS["small"])
    rate = training.LEARNING_RATES["small"]
    assert settings.recipe == recipes.finetune(learning_rate=rate, consistency_weight=1.5)
    assert folder == Path("runs/videos")


def test_train_uses_a_split_folder_and_says_so(call, asked, videos, tmp_path):
    for side in ("train", "val", "test"):
        shutil.copytree(videos, tmp_path / "set" / side)
    code, out, _ = call("train", tmp_path / "set")
    assert code == 0
    [(settings, folder)] = asked
    assert folder == Path("runs/set")
    sides = [str(tmp_path / "set" / side) for side in ("train", "val", "test")]
    assert [settings.source, settings.validation, settings.test] == sides
    assert f"network on {sides[0]}; run folder" in out
    assert f"Validation videos: {sides[1]}\nTest videos: {sides[2]}\n" in out


def test_train_takes_a_validation_and_a_test_set(call, asked, videos, tmp_path, monkeypatch):
    (tmp_path / "test.csv").write_text("path,label\n")
    code, _, _ = call("train", videos, "--validation", videos, "--test", tmp_path / "test.csv")
    assert code == 0
    [(settings, _)] = asked
    assert (settings.validation, settings.test) == (str(videos), str(tmp_path / "test.csv"))
    code, _, err = call("train", videos, "--validation", videos, "--validation-split", 0.3)
    assert code == 1
    assert "nothing to split off" in err


def test_train_reports_the_test_accuracy(call, videos, tmp_path, monkeypatch):
    def train_folder(settings, folder, verbose, devices):
        return training.RunReport(folder, 2, (8, 2), 3, 0.5, 0.5, 1, 9.0, 4, 0.25)

    monkeypatch.setattr(training, "train_folder", train_folder)
    _, out, _ = call("train", videos, "--output", tmp_path / "r")
    assert "Test accuracy 25.0% on 4 videos." in out
    assert f"  {tmp_path / 'r' / 'test_predictions.csv'}\n" in out


def test_train_from_pretrained_weights_takes_their_clip(call, asked, videos):
    from keras_acl.pretrained.presets import DEMO

    code, out, _ = call("train", videos, "--weights", "demo", "--span", 40)
    assert code == 0
    [(settings, _)] = asked
    assert settings.weights == "demo"
    assert settings.clip == dataclasses.replace(DEMO.arguments["clip"], span=40)
    assert settings.recipe.learning_rate == recipes.finetune().learning_rate
    assert f"Training demo on {videos}" in out
    code, _, err = call("train", videos, "--weights", "demo", "--network", "r50")
    assert code == 1
    assert "weights=demo, network=r50" in err


def test_interrupted_training_ends_with_130_and_a_hint(call, videos, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train_folder", interrupt)
    code, _, err = call("train", videos)
    assert code == 130
    assert "The same command goes on after the last finished epoch." in err


def test_training_mistakes_are_one_line_each(call, videos, tmp_path):
    empty, one = tmp_path / "empty", tmp_path / "one"
    empty.mkdir()
    (one / "left").mkdir(parents=True)
    (one / "left" / "a.mp4").touch()
    run = tmp_path / "run"
    (run / "checkpoint").mkdir(parents=True)
    (run / "checkpoint" / "epoch-0001.weights.h5").touch()
    (run / "settings.json").write_text('{"seed": 3}')
    table = tmp_path / "table.csv"
    table.write_text("file,class\na.mp4,1\n")
    new = ["--output", tmp_path / "new"]
    for arguments, text in [
        ([empty, *new], "Expected one folder for each class"),
        ([one, *new], "needs at least two classes"),
        ([table, *new], "expected a header with the column(s) path, label"),
        ([videos, "--output", run], f"{run} holds a run with other settings:"),
        ([videos, "--frames", 40, "--span", 20, *new], "span >= frames"),
        ([videos, "--learning-rate", 0, *new], "learning_rate > 0"),
        ([videos, "--learning-rate", "nan", *new], "learning_rate > 0"),
    ]:
        code, _, err = call(
            "train", *arguments, *(["--output", tmp_path / "new"] * (len(arguments) < 3))
        )
        assert code == 1
        assert text in err
        assert err.startswith("Error: ")
        assert err.count("\n") == 1


# Real processes

OPTIONS = {"epochs": 3, "batch_size": 2, "size": 32, "frames": 8, "span": 16}
FAST = {**NETWORK, "scales": (1.0,)}


def start(source: Path, folder: Path) -> subprocess.Popen:
    """`keras-acl train` with a smaller network."""
    code = (
        "from keras_acl import cli; from keras_acl.training import runs; "
        f"runs.NETWORKS['small'] = {FAST!r}; cli.main()"
    )
    command = [sys.executable, "-c", code, "train", str(source), "--output", str(folder)]
    for name, value in OPTIONS.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "CUDA_VISIBLE_DEVICES": ""}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **pipes)


def wait_for(process: subprocess.Popen, condition, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(videos, tmp_path, monkeypatch):
    folder = tmp_path / "killed"
    process = start(videos, folder)
    wait_for(process, lambda: latest_state(folder / "checkpoint"))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 1 <= latest_state(folder / "checkpoint")[0] < OPTIONS["epochs"]
    assert not (folder / "model.keras").exists()

    process = start(videos, folder)
    # Meanwhile, in this process, the same run undisturbed.
    monkeypatch.setitem(training.NETWORKS, "small", FAST)
    rate = training.LEARNING_RATES["small"]
    recipe = recipes.finetune(epochs=OPTIONS["epochs"], learning_rate=rate, consistency_weight=1.5)
    settings = training.RunSettings(str(videos), "small", CLIP, recipe, OPTIONS["batch_size"])
    assert dataclasses.asdict(CLIP).items() >= {"size": 32, "frames": 8, "span": 16}.items()
    training.train_folder(settings, tmp_path / "whole", verbose=0)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "Going on after epoch" in err
    assert "Validation accuracy" in out
    whole, resumed = (load_model(tmp_path / name).get_weights() for name in ("whole", "killed"))
    for mine, other in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(mine, other)
    tables = []
    for name in ("whole", "killed"):
        with open(tmp_path / name / "history.csv") as lines:
            tables.append({row["epoch"]: row for row in csv.DictReader(lines)})
    assert tables[0] == tables[1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a process")
def test_ctrl_c_leaves_a_run_that_can_be_resumed(videos, tmp_path):
    process = start(videos, tmp_path / "run")
    for line in process.stdout:
        if line.startswith("Epoch 1/"):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "The same command goes on after the last finished epoch." in err
    assert "Traceback" not in err
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["network"] == "small"
