import json

import pytest
from made_scores import made_scores, save_run

from keras_acl.report.run import read_run

HISTORY = "epoch,accuracy,loss\n0,0.25,2.0\n1,0.5,1.0\n"


def test_scores_alone(tmp_path):
    run = read_run(save_run(tmp_path / "run", made_scores()))
    assert run.name == "some_net"
    assert (run.model, dict(run.history), dict(run.settings), run.notes) == (None, {}, {}, ())
    assert read_run(tmp_path / "run" / "scores.npz").folder == tmp_path / "run"


def test_everything_in_the_folder(tmp_path):
    run = save_run(tmp_path / "run", made_scores())
    (run / "history.csv").write_text(HISTORY)
    (run / "settings.json").write_text('{"seed": 0, "recipe": {"epochs": 4, "left": null}}')
    (run / "model.keras").write_bytes(b"")
    models = [{"file": "model.keras", "epoch": 2, "which": "the best"}]
    (run / "models.json").write_text(json.dumps(models))
    found = read_run(run)
    assert list(found.models) == models
    assert found.model == str(run)
    assert found.history["loss"] == [2.0, 1.0]
    assert found.settings == {"seed": "0", "recipe.epochs": "4"}


@pytest.mark.parametrize("noted", ["trained", "trained/model.keras"])
def test_curves_of_the_model_that_was_evaluated(tmp_path, noted):
    run = save_run(tmp_path / "run", made_scores())
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "model.keras").write_bytes(b"")
    (tmp_path / "trained" / "history.csv").write_text(HISTORY)
    (run / "evaluation.json").write_text(json.dumps({"model": str(tmp_path / noted)}))
    found = read_run(run)
    assert found.model == str(tmp_path / noted)
    assert found.history["accuracy"] == [0.25, 0.5]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("history.csv", "nonsense\n1\n"),
        ("history.csv", "epoch,loss\n0,much\n"),
        ("settings.json", "{"),
        ("settings.json", "[1]"),
        ("evaluation.json", "\x00"),
    ],
)
def test_a_broken_extra_is_a_note(tmp_path, name, content):
    run = save_run(tmp_path / "run", made_scores())
    (run / name).write_text(content)
    found = read_run(run)
    assert len(found.notes) == 1
    assert found.notes[0].startswith(f"{name} cannot be read")
    assert (found.model, dict(found.history), dict(found.settings)) == (None, {}, {})


def test_an_empty_history_is_none(tmp_path):
    run = save_run(tmp_path / "run", made_scores())
    (run / "history.csv").write_text("")
    assert not read_run(run).history


def test_no_scores(tmp_path):
    with pytest.raises(FileNotFoundError, match="There are no scores at"):
        read_run(tmp_path)
    (tmp_path / "scores.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match="holds no scores of an evaluation"):
        read_run(tmp_path)
