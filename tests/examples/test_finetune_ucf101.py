import json
import re

import finetune_ucf101
import numpy as np
import pytest

from keras_acl import recipes
from keras_acl.data import read_ucf101
from keras_acl.pretrained import load_pretrained

# One broken video belongs to the rehearsal.
pytestmark = pytest.mark.filterwarnings("ignore::keras_acl.data.BadVideoWarning")


@pytest.mark.slow
def test_rehearsal_reports_the_mean_of_its_splits(tmp_path, monkeypatch, run_example):
    monkeypatch.setattr(finetune_ucf101, "SPLITS", (1, 2))  # of three: time
    arguments = ("finetune_ucf101", "--rehearse", "--no-measure", "--output", tmp_path)
    printed = run_example(*arguments)
    top1 = []
    for split in (1, 2):
        with np.load(tmp_path / f"split{split}" / "scores.npz") as saved:
            readable = saved["problem"] == ""
            hits = saved["scores"].argmax(axis=1) == saved["label"]
            top1.append(100 * hits[readable].mean())
            assert readable.sum() == (12 if split == 1 else 11)
    [mean] = re.findall(r"Mean top-1 of three models, one a split: (\d+\.\d\d)", printed)
    assert float(mean) == pytest.approx(np.mean(top1), abs=0.006)
    card = json.loads((tmp_path / "pretrained" / "metadata.json").read_text())["card"]
    [metric] = card["metrics"]
    assert metric["dataset"] == "generated clips, test split 1"
    assert metric["top1"] == pytest.approx(top1[0], abs=0.005)
    assert "10 clips x 3 crops of 64" in metric["protocol"]
    assert f"one a split: {mean} " in card["notes"]
    assert "v_RightFigure_g02_c02.avi" in card["notes"]
    model = load_pretrained(str(tmp_path / "pretrained"))
    assert model.labels[:2] == ("ClockwiseFigure", "CounterclockwiseFigure")
    assert model.clip == load_pretrained(str(tmp_path / "start")).clip

    again = run_example(*arguments)
    for name in ("train", "precise_batch_norm", "test"):
        assert again.count(f"{name}: done before") == 2
    assert "save_pretrained: done before" in again


def test_generated_tree_is_read_as_ucf101(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["finetune_ucf101.py", "--rehearse", "--model", "k400"])
    options = finetune_ucf101.read_options()
    options.output = tmp_path
    plan = finetune_ucf101.rehearse(options)
    assert plan.model == "k400"
    for split in (1, 2, 3):
        train, test = (read_ucf101(plan.videos, plan.splits, split, s) for s in ("train", "test"))
        assert (len(train), len(test)) == (24, 12)
        assert not {video.group for video in train} & {video.group for video in test}
        assert train.counts == dict.fromkeys(train.labels, 4)
        assert {video.group[-3:] for video in test} == {f"g{split:02d}"}


def test_the_run_begins_with_kinetics_weights(monkeypatch):
    monkeypatch.setattr("sys.argv", ["x", "--videos", "UCF-101", "--splits", "lists"])
    plan = finetune_ucf101.real(finetune_ucf101.read_options())
    assert (plan.model, plan.recipe, plan.flip) == ("k400", recipes.finetune(), 0.5)


def test_a_run_needs_its_files(run_example, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_example("finetune_ucf101")
    assert "--videos, --splits are needed together" in capsys.readouterr().err
