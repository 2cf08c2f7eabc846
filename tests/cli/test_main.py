import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from tiny_network import CLIP, LABELS, NETWORK, two_stream, write_figures

from keras_acl import recipes
from keras_acl.cli.train import NetworkName
from keras_acl.clip import ClipSpec
from keras_acl.inference.predict import predict_videos
from keras_acl.pretrained.keras_file import load_model
from keras_acl.training import runs as training
from keras_acl.training.checkpoint import latest_state
from keras_acl.video import check as checking

VERBS = ["train", "predict", "check-videos", "summary", "synthesize"]
VERBS += ["import", "publish", "presets", "shrink", "bench"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    return write_figures(tmp_path_factory.mktemp("cli") / "videos", 4)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "run"
    folder.mkdir()
    two_stream(labels=LABELS).save(folder / "model.keras")
    return folder


# Help and usage


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(call, verb):
    code, out, _ = call(verb, "--help")
    assert code == 0
    assert f"Example: keras-acl {verb}" in out


def test_help_lists_the_verbs(call):
    code, out, _ = call("-h")
    assert code == 0
    assert all(verb in out for verb in VERBS)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["train", "nowhere"]])
def test_help_and_usage_errors_wait_for_no_backend(arguments):
    code = (
        "import sys\n"
        "from keras_acl.cli import main\n"
        f"sys.argv = ['keras-acl', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["fly"], "No such command"),
        (["train", "nowhere"], "does not exist"),
        (["train", ".", "--network", "huge"], "'huge' is not one of"),
        (["train", ".", "--epochs", "0"], "--epochs"),
        (["train", ".", "--speed", "9"], "No such option"),
        (["predict", "."], "Missing argument"),
        (["import", "a.pyth"], "Missing option '--to'"),
        (["check-videos", __file__], "is a file"),
    ],
)
def test_usage_errors_end_with_2(call, arguments, text):
    code, _, err = call(*arguments)
    assert code == 2
    assert text in " ".join(err.replace("│", " ").split())


def test_the_choices_of_network_are_those_there_are():
    choices = get_args(get_args(NetworkName)[0])
    assert set(choices) == {"auto", *training.NETWORKS}


# train


@pytest.fixture
def asked(monkeypatch):
    """The settings and folders that `train` would run."""
    calls = []

    def train_folder(settings, folder, verbose):
        calls.append((settings, folder))
        return training.RunReport(folder, 2, (8, 2), 3, 0.5, 0.5, 1, 9.0)

    monkeypatch.setattr(training, "train_folder", train_folder)
    monkeypatch.setattr("keras_acl.training.runs.plan.has_accelerator", lambda: False)
    return calls


def test_train_passes_its_options_on(call, asked, videos, tmp_path):
    options = "--epochs 3 --batch-size 2 --network r50 --size 64 --frames 8 --span 40 --no-flip"
    more = "--learning-rate 0.2 --consistency-weight 0.5 --validation-split 0.3 --seed 4"
    code, out, _ = call("train", videos, "--output", tmp_path / "r", *f"{options} {more}".split())
    assert code == 0
    [(settings, folder)] = asked
    recipe = recipes.finetune(epochs=3, learning_rate=0.2, consistency_weight=0.5, seed=4)
    clip = ClipSpec(frames=8, span=40, size=64)
    expected = training.RunSettings(str(videos), "r50", clip, recipe, 2, 0.3, flip=False, seed=4)
    assert settings == expected
    assert folder == tmp_path / "r"
    assert f"r50 two-stream network on {videos}; run folder {folder}\n" in out
    assert "Validation accuracy 50.0% on 2 videos" in out
    assert f"1 unreadable files: {folder / 'bad_videos.txt'}\n" in out
    assert f"  {folder / 'model.keras'}\n" in out


def test_train_without_options_suits_the_device(call, asked, videos):
    call("train", videos)
    [(settings, folder)] = asked
    assert (settings.network, settings.clip) == ("small", training.CLIPS["small"])
    rate = training.LEARNING_RATES["small"]
    assert settings.recipe == recipes.finetune(learning_rate=rate, consistency_weight=1.5)
    assert folder == Path("runs/videos")


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
    ]:
        code, _, err = call(
            "train", *arguments, *(["--output", tmp_path / "new"] * (len(arguments) < 3))
        )
        assert code == 1
        assert text in err
        assert err.startswith("Error: ")
        assert err.count("\n") == 1


# predict


def test_predict_prints_a_table(call, run_folder, videos):
    paths = [videos / "left" / "0000.mp4", videos / "up" / "0001.mp4"]
    code, out, _ = call("predict", run_folder, *paths, "--top", 2, "--clips", 1)
    assert code == 0
    predictions = predict_videos(load_model(run_folder), list(map(str, paths)), clips=1)
    for path, prediction in zip(paths, predictions, strict=True):
        [line] = [number for number, row in enumerate(out.splitlines()) if str(path) in row]
        for row, (label, score) in zip(out.splitlines()[line:], prediction.top(2), strict=False):
            assert LABELS[label] in row
            assert f"{score:.3f}" in row


def test_predict_prints_json(call, run_folder, videos):
    code, out, _ = call("predict", run_folder / "model.keras", videos / "left", "--json")
    assert code == 0
    rows = json.loads(out)
    paths = [str(videos / "left" / f"{number:04d}.mp4") for number in range(4)]
    assert [row["path"] for row in rows] == paths
    [expected] = predict_videos(load_model(run_folder), paths[:1])
    assert [entry["label"] for entry in rows[0]["predictions"]] == [
        LABELS[label] for label, _ in expected.top(3)
    ]
    scores = [entry["score"] for entry in rows[0]["predictions"]]
    np.testing.assert_allclose(scores, [score for _, score in expected.top(3)], atol=1e-6)
    assert sum(scores) == pytest.approx(1, abs=1e-5)


def test_a_file_that_cannot_be_read_is_a_problem_and_exit_code_1(
    call, run_folder, videos, tmp_path
):
    broken = tmp_path / "[bold]:smile: [1].mp4"  # must be printed as it is
    broken.write_text("not a video")
    good = videos / "left" / "0000.mp4"
    code, out, _ = call("predict", run_folder, broken, good, tmp_path / "none.mp4")
    assert code == 1
    assert out.count("cannot be read: ") == 2
    assert str(broken) in out
    code, out, _ = call("predict", run_folder, broken, good, "--json")
    assert code == 1
    problem, fine = json.loads(out)
    assert problem["predictions"] == []
    assert problem["problem"]
    assert fine["problem"] is None
    assert len(fine["predictions"]) == 3


def test_what_is_no_model_is_one_line(call, videos, tmp_path):
    garbage = tmp_path / "garbage.keras"
    garbage.write_bytes(b"no zip archive")
    for path, text in [(garbage, "is not a .keras file"), (tmp_path, "There is no model in")]:
        code, _, err = call("predict", path, videos / "left" / "0000.mp4")
        assert code == 1
        assert text in err
        assert err.count("\n") == 1


def test_a_folder_without_videos_is_an_error(call, run_folder, tmp_path):
    code, _, err = call("predict", run_folder, tmp_path)
    assert code == 1
    assert f"no video file in {tmp_path}" in err


# check-videos, summary, synthesize


def test_check_videos_names_the_broken_ones(call, tmp_path):
    folder = write_figures(tmp_path / "videos", 2)
    code, out, err = call("check-videos", folder)
    assert (code, out) == (0, "")
    assert "6 of 6 videos can be decoded." in err
    (folder / "left" / "0001.mp4").write_bytes(b"")
    (folder / "up" / "0000.mp4").write_text("text")
    code, out, err = call("check-videos", folder, "--workers", 2)
    assert code == 1
    assert [line.split("\t")[0] for line in out.splitlines()] == [
        str(folder / "left" / "0001.mp4"),
        str(folder / "up" / "0000.mp4"),
    ]
    assert "4 of 6 videos can be decoded." in err


def test_check_videos_of_an_empty_folder_is_an_error(call, tmp_path):
    code, _, err = call("check-videos", tmp_path)
    assert code == 1
    assert "There is no video file" in err


def test_ctrl_c_ends_any_verb_with_130(call, videos, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(checking, "check_videos", interrupt)
    assert call("check-videos", videos)[0] == 130


def test_summary_adds_up(call, run_folder):
    from keras_acl.speed.cost import count_multiply_adds, count_parameters

    model = load_model(run_folder)
    code, out, _ = call("summary", run_folder, "--size", 48)
    assert code == 0
    assert f"TwoStreamClassifier: {count_parameters(model):,} parameters" in out
    billions = count_multiply_adds(model, 48) / 1e9
    assert f"{billions:.2f} billion multiply-adds for one clip of 8 frames at 48x48" in out
    cells = [row.split("│") for row in out.splitlines() if row.startswith("│")]
    costs = [int(row[4].replace(",", "")) for row in cells]
    assert sum(costs) == count_multiply_adds(model, 48)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nowhere.keras", "There is no model at nowhere.keras."),
        ("nowhere", "There is no preset 'nowhere'."),
        ("some/folder", "There is no folder some/folder."),
        ("hf://nobody", "Expected hf://user/repo"),
        ("ucf101", "Nobody has published the weights of ucf101 yet."),
    ],
)
def test_a_model_that_is_not_there_is_one_line(call, model, message):
    for arguments in (["summary", model], ["predict", model, __file__]):
        code, _, err = call(*arguments)
        assert code == 1
        assert message in err


def test_synthesize_writes_and_completes_a_set(call, tmp_path):
    options = ["--count", 1, "--frames", 8, "--size", 32]
    code, out, _ = call("synthesize", tmp_path / "figures", *options)
    assert code == 0
    assert f"8 videos of 8 classes: {tmp_path / 'figures'}\n" in out
    assert len(list((tmp_path / "figures").rglob("*.mp4"))) == 8
    assert call("synthesize", tmp_path / "figures", *options)[0] == 0
    code, _, err = call("synthesize", tmp_path / "figures", *options, "--seed", 1)
    assert code == 1
    assert "holds moving figures drawn with" in err
    code, _, err = call("synthesize", tmp_path / "other", "--task", "cooking")
    assert code == 1
    assert "task must be one of" in err


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
    assert "Going on after epoch" in out
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
