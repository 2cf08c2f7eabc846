import json

import numpy as np
import pytest
from made_scores import LABELS, made_scores, save_run
from tiny_network import CLIP, NETWORK

from keras_acl.data import MovingFigures
from keras_acl.evaluation import Scores
from keras_acl.models import TwoStreamClassifier
from keras_acl.pretrained import load_pretrained, save_pretrained

FIGURES = MovingFigures("motion", 0, frames=16, size=40)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a tiny model, and one with two videos of each of its eight classes."""
    folder = tmp_path_factory.mktemp("evaluate")
    FIGURES.write(folder / "videos", 1)
    save_pretrained(
        TwoStreamClassifier(8, clip=CLIP, labels=FIGURES.labels, **NETWORK), folder / "model"
    )
    return folder


def test_evaluate_a_folder(call, saved, tmp_path):
    arguments = (saved / "model", saved / "videos", "--clips", 2, "--crops", 1)
    code, out, _ = call("evaluate", *arguments, "--output", tmp_path / "run")
    assert code == 0
    assert "2 clips x 1 crop of 37, softmax averaged over 2 views" in out
    assert "8 videos asked for, 8 found, 0 failed" in out
    assert "\n  Spatial stream alone: top-1 " in out
    assert "\n  Temporal stream alone: top-1 " in out
    scores = Scores.load(tmp_path / "run")
    assert scores.truth.tolist() == list(range(8))
    assert scores.dataset == "videos"
    note = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert note["model"] == str(saved / "model")
    code, out, _ = call("evaluate", *arguments, "--output", tmp_path / "run", "--json")
    values = json.loads(out)
    assert values["scored"] == 8
    spatial = scores.alone("spatial").probabilities.argmax(1) == scores.truth
    assert values["streams"]["spatial"]["top1"] == pytest.approx(spatial.mean())
    assert values["top1"] == pytest.approx((scores.probabilities.argmax(1) == scores.truth).mean())


def test_the_ten_crops(call, saved, tmp_path):
    arguments = (saved / "model", saved / "videos", "--clips", 1, "--output", tmp_path / "run")
    code, out, _ = call("evaluate", *arguments, "--crops", "ten")
    assert code == 0
    words = "1 clip x 10 crops (corners, centre, mirrored) of 32, softmax averaged over 10 views"
    assert words in out
    code, _, err = call("evaluate", *arguments, "--crops", 10)  # along the longer side: others
    assert code == 1
    assert "holds another evaluation" in err
    for wrong in ("five", 0):
        code, _, err = call("evaluate", *arguments, "--crops", wrong)
        assert code == 1
        assert f"--crops is a number from 1 on, or ten. Received: {wrong}" in err


@pytest.mark.filterwarnings("always::keras_acl.evaluation.source.TrainedOnWarning")
def test_a_run_alone_is_measured_on_what_it_held_out(call, saved, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    load_pretrained(saved / "model").save(run / "model.keras")
    videos = sorted((saved / "videos").rglob("*.mp4"))
    sides = ["train" if index % 4 else "validation" for index in range(8)]
    rows = [f"{v},{v.parent.name},{side}" for v, side in zip(videos, sides, strict=True)]
    (run / "split.csv").write_text("\n".join(["path,label,subset", *rows]))
    views = ("--clips", 1, "--crops", 1)
    code, out, err = call("evaluate", run, *views)
    assert (code, err) == (0, "")
    assert "2 videos asked for, 2 found" in out
    assert Scores.load(run).paths == tuple(map(str, videos[::4]))
    assert call("report", run, "--output", tmp_path / "report.html", "--hardest", 0)[0] == 0
    code, _, err = call("evaluate", run, saved / "videos", *views, "--output", tmp_path / "all")
    assert code == 0
    assert "6 of these 8 videos were trained on" in err
    assert err.count("\n") == 1


def test_parts_of_an_evaluation_meet(call, saved, tmp_path, monkeypatch):
    arguments = ("evaluate", saved / "model", saved / "videos", "--clips", 1, "--crops", 1)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    call(*arguments, "--output", whole)
    monkeypatch.setenv("SLURM_PROCID", "1")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    code, _, err = call(*arguments, "--output", parts, "--shard", "auto")
    assert code == 0
    assert "4 videos wait for the other parts" in err
    code, out, _ = call(*arguments, "--output", parts, "--shard", "1/2")
    assert "Top-1" in out
    np.testing.assert_allclose(
        Scores.load(parts).probabilities, Scores.load(whole).probabilities, atol=1e-6
    )
    assert sorted(file.name for file in parts.iterdir()) == [
        "evaluation.json",
        "metrics.json",
        "scores.npz",
    ]


def test_evaluate_a_table_with_a_broken_video(call, saved, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    good = next((saved / "videos" / "left").glob("*.mp4"))
    table = tmp_path / "test.csv"
    table.write_text(f"path,label\n{good},left\nbroken.mp4,right\n")
    arguments = ("--clips", 1, "--crops", 1, "--output", tmp_path / "run")
    code, out, err = call("evaluate", saved / "model", table, *arguments)
    assert code == 0
    assert "2 videos asked for, 2 found, 1 failed" in out
    assert f"Not in the mean: {tmp_path / 'broken.mp4'}" in err


def test_evaluate_a_test_split_of_ucf101(call, saved, tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    names = "".join(f"{index + 1} {name}\n" for index, name in enumerate(FIGURES.labels))
    (lists / "classInd.txt").write_text(names)
    video = next((saved / "videos" / "left").glob("*.mp4"))
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "v_left_g01_c01.avi").write_bytes(video.read_bytes())
    (lists / "testlist02.txt").write_text("left/v_left_g01_c01.avi\n")
    arguments = ("--clips", 1, "--crops", 1, "--output", tmp_path / "run")
    code, _, err = call(
        "evaluate", saved / "model", "ucf101", "--videos", tmp_path, "--annotations", lists,
        "--split", 2, *arguments,
    )  # fmt: skip
    assert code == 0, err
    assert Scores.load(tmp_path / "run").dataset == "UCF101, test split 2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing-here",), "There is no folder or CSV nothing-here"),
        (("ucf101",), "ucf101 needs --videos and --annotations"),
        ((".", "--videos", "."), "go with ucf101 and kinetics only"),
        ((".", "--shard", "3/2"), "--shard is a part and the number of parts"),
        ((".", "--shard", "half"), "Received: half"),
    ],
)
def test_mistakes_are_one_line(call, saved, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = call("evaluate", saved / "model", *arguments)
    assert code == 1
    assert message in err


def test_ctrl_c_says_how_to_go_on(call, saved, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_acl.evaluation.multi_view.score_videos", interrupt)
    output = ("--output", tmp_path / "run")
    code, _, err = call("evaluate", saved / "model", saved / "videos", *output)
    assert code == 130
    assert "The same command goes on" in err


# report


def test_report_of_a_run(call, tmp_path):
    run = save_run(tmp_path / "run", made_scores())
    code, out, err = call("report", run, "--output", tmp_path / "page" / "report.html")
    assert (code, err) == (0, "")
    assert f"{tmp_path / 'page' / 'report.html'} (" in out
    assert "some_net on moves" in (tmp_path / "page" / "report.html").read_text()


def test_report_of_two_runs_with_groups(call, tmp_path):
    runs = [save_run(tmp_path / str(seed), made_scores(seed)) for seed in (0, 1)]
    groups = tmp_path / "groups.csv"
    groups.write_text("group,label\nmine,eating\n")
    code, _, _ = call(
        "report", *runs, "--groups", groups, "--hardest", 3, "--output", tmp_path / "two.html"
    )
    assert code == 0
    page = (tmp_path / "two.html").read_text()
    assert "some_net (0) against some_net (1)" in page
    assert page.count("<article>") == 6


def test_report_lands_here(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_run(tmp_path / "run", made_scores())
    assert call("report", "run")[0] == 0
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "There are no scores at"),
        (["broken"], "holds no scores of an evaluation"),
        (["run", "few"], "Only runs with the same classes"),
        (["run", "--model", "nowhere.keras"], "There is no model at nowhere.keras"),
        (["run", "--groups", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_report_mistakes(call, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    save_run(tmp_path / "run", made_scores())
    save_run(tmp_path / "few", made_scores(labels=LABELS[:3]))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "scores.npz").write_bytes(b"PK\x03\x04")
    code, _, err = call("report", *arguments)
    assert code == 1
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "report.html").exists()
