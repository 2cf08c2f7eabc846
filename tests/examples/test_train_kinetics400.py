import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import stages
import train_kinetics400

from keras_acl import recipes
from keras_acl.clip import ClipSpec
from keras_acl.pretrained import load_pretrained
from keras_acl.pretrained.any_file import load_model
from keras_acl.training.history import read_history

# A video that the table lists and nobody has, and a broken one: both belong to the rehearsal.
pytestmark = pytest.mark.filterwarnings(
    "ignore::keras_acl.data.MissingVideosWarning", "ignore::keras_acl.data.BadVideoWarning"
)
EXAMPLES = Path(train_kinetics400.__file__).parent
STAGES = ("train", "precise_batch_norm", "test", "save_pretrained")


@pytest.mark.slow
def test_rehearsal_runs_every_stage_once(tmp_path, monkeypatch, run_example, eager):
    arguments = ("train_kinetics400", "--rehearse", "--no-measure", "--output", tmp_path / "k400")
    fit = stages._fit

    def fit_one_epoch(model, data, test, epochs, callbacks):
        fit(model, data, test, 1, callbacks)
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "_fit", fit_one_epoch)
    with pytest.raises(SystemExit, match="130"):
        run_example(*arguments)
    monkeypatch.setattr(stages, "_fit", fit)
    printed = run_example(*arguments)
    assert "model, train: goes on" in printed
    assert "a rehearsal uploads nothing" in printed
    folder = tmp_path / "k400" / "model"
    assert read_history(folder / "history.csv")["epoch"] == [0, 1]
    check_scores_and_card(folder / "scores.npz", tmp_path / "k400" / "pretrained")
    check_statistics_are_those_of_the_last_stage(folder)

    files = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}
    again = run_example(*arguments)
    for name in STAGES:
        assert f"{name}: done before" in again
    assert files == {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}


def check_scores_and_card(scores, pretrained) -> None:
    with np.load(scores) as saved:
        readable = saved["problem"] == ""
        assert np.flatnonzero(~readable).tolist() == [11, 12]  # broken; not on disk
        assert np.isnan(saved["scores"][11:]).all()
        best = saved["scores"][readable].argmax(axis=1)
        top1 = 100 * (best == saved["label"][readable]).mean()
        np.testing.assert_allclose(saved["scores"][readable].sum(axis=1), 1, atol=1e-5)
    [metric] = json.loads((pretrained / "metadata.json").read_text())["card"]["metrics"]
    assert metric["top1"] == pytest.approx(top1, abs=0.005)
    assert metric["videos"] == 11
    assert metric["protocol"] == "10 clips x 3 crops of 64, softmax averaged over 30 views"
    assert metric["dataset"] == "generated clips"
    readme = (pretrained / "README.md").read_text()
    assert metric["protocol"] in readme
    assert "1 test videos could not be read: val__005001_000001_000011.mp4" in readme
    assert "1 were not on disk" in readme


def check_statistics_are_those_of_the_last_stage(folder) -> None:
    precise = load_model(folder / "precise.keras")
    published = load_pretrained(str(folder.parent / "pretrained"))
    clip = np.random.default_rng(0).integers(0, 256, (1, 8, 64, 64, 3), np.uint8)
    np.testing.assert_allclose(
        published.predict_on_batch(clip), precise.predict_on_batch(clip), atol=1e-5
    )
    assert published.labels == precise.labels
    assert published.labels[0] == "clockwise figure"


def test_the_run_is_the_papers(monkeypatch):
    given = ["--videos", "k400", "--train-csv", "train.csv", "--val-csv", "val.csv"]
    monkeypatch.setattr("sys.argv", ["train_kinetics400.py", *given])
    plan = train_kinetics400.real(train_kinetics400.read_options())
    assert plan.recipe == recipes.kinetics400()
    assert (plan.batch_size, plan.clip, plan.network, plan.flip) == (64, ClipSpec(), {}, 0.5)
    assert not plan.rehearsal


def test_a_run_needs_its_files(run_example, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_example("train_kinetics400", "--videos", "k400")
    assert "are needed together; or try --rehearse" in capsys.readouterr().err
    given = ("--videos", "gone", "--train-csv", "train.csv", "--val-csv", "val.csv")
    with pytest.raises(SystemExit, match=r"Error: There is no folder gone"):
        run_example("train_kinetics400", *given)


def test_the_page_of_many_devices_has_the_table_that_its_script_prints():
    folder = EXAMPLES / "train_kinetics400"
    scaling = runpy.run_path(str(folder / "scaling.py"))
    table = scaling["table"]((50, 100, 200), scaling["reading_rates"]())
    assert table in (folder / "README.md").read_text(encoding="utf-8")


def test_what_many_devices_need():
    job = runpy.run_path(str(EXAMPLES / "train_kinetics400" / "scaling.py"))["Job"](64, 100.0)
    assert job.hours == pytest.approx(196 * 234643 / 6400 / 3600)
    assert job.cores(25.0) == 32  # eight devices of 100 clips a second
    # A ring of eight sends 1.75 times 4 bytes a parameter in 8 ms, a tenth of 80.
    assert job.gigabits(10**6) == pytest.approx(7e6 * 8 / 0.008 / 1e9)
