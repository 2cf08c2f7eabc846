import json
import shutil

import pytest
from pretrained.importers.parity import FOLDER, assert_close, clip, expected
from tiny_network import two_stream

from keras_acl import load_pretrained, pretrained
from keras_acl.cli import weights
from keras_acl.models import SlowClassifier, TwoStreamClassifier
from keras_acl.pretrained.importers.import_report import ImportReport
from keras_acl.pretrained.presets import PRESETS
from keras_acl.training.runs import save_run


def test_import_saves_a_model_that_loads(call, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"class {index}" for index in range(13)) + "\n\n")
    code, out, _ = call(
        "import", FOLDER / "ptv_slow.pyth", "--to", tmp_path / "slow", "--labels", labels,
        "--report", tmp_path / "report.json", "--speed-ratio", 8,
    )  # fmt: skip
    assert code == 0
    assert any(line.endswith("(PyTorchVideo): 267 tensors used") for line in out.splitlines())
    model = load_pretrained(tmp_path / "slow")
    assert type(model) is SlowClassifier
    assert model.labels[12] == "class 12"
    assert "ptv_slow.pyth" in model.card.description
    assert not model.card.metrics
    assert_close(model(clip(), training=False), expected("ptv_slow", "logits_64"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["sources"][0]["used"]) == 267


def test_import_two_stream(call, tmp_path, monkeypatch):
    # What a warm start computes is tested in tests/pretrained/importers.
    asked = []

    def warm_start(*files, **options):
        asked.append((files, options))
        return two_stream(), ImportReport("two streams", (), ("rows are zero",))

    monkeypatch.setattr(pretrained, "warm_start", warm_start)
    fast, slow = FOLDER / "ptv_slowfast.pyth", FOLDER / "ptv_slow.pyth"
    options = ("--two-stream", "--slow", slow, "--speed-ratio", 4)
    code, out, _ = call("import", fast, *options, "--to", tmp_path / "two")
    assert code == 0
    assert "rows are zero" in out
    assert asked == [((fast, slow), {"labels": None, "speed_ratio": 4})]
    assert type(load_pretrained(tmp_path / "two")) is TwoStreamClassifier


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("nofile.pth", "There is no checkpoint at nofile.pth"),
        (FOLDER / "README.md", "cannot be read as a checkpoint of torch"),
        (FOLDER / "expected.npz", "a compressed zip"),
    ],
)
def test_import_of_something_else(call, tmp_path, file, message):
    code, _, err = call("import", file, "--to", tmp_path / "x")
    assert code == 1
    assert message in err
    assert not (tmp_path / "x").exists()


def test_import_mistakes(call, tmp_path):
    slow = FOLDER / "ptv_slow.pyth"
    code, _, err = call("import", slow, "--slow", slow, "--to", tmp_path / "x")
    assert code == 1
    assert "add --two-stream" in err
    code, _, err = call("import", slow, "--to", tmp_path / "x")
    assert code == 1
    assert "4 for an 8x8 one (--speed-ratio)" in err
    slow = tmp_path / "SLOW_4x16_R50.pyth"
    shutil.copy(FOLDER / "ptv_slow.pyth", slow)
    code, _, err = call("import", slow, "--labels", "kinetics400", "--to", tmp_path / "x")
    assert code == 1
    assert "Expected one label for each class: 13. Received: 400 labels" in err
    code, _, err = call("import", slow, "--labels", "nowhere.txt", "--to", tmp_path / "x")
    assert code == 1
    assert "There is no file nowhere.txt. There are no labels 'nowhere.txt'" in err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "README.md").write_text("mine")
    code, _, err = call("import", slow, "--to", tmp_path / "full")
    assert code == 1
    assert (tmp_path / "full" / "README.md").read_text() == "mine"


def test_presets_are_listed(call):
    code, out, _ = call("presets")
    assert code == 0
    for preset in PRESETS:
        assert preset.name in out
    assert "72.40 / 90.18 [1]" in out
    assert "10 clips x 3 crops of 256" in out
    code, out, _ = call("presets", "--json")
    assert [row["name"] for row in json.loads(out)] == [preset.name for preset in PRESETS]
    code, out, _ = call("presets", "--task", "kinetics400", "--min-top1", 77.5, "--json")
    names = [row["name"] for row in json.loads(out)]
    assert names == ["slowfast_r101_8x8_k400", "r2plus1d_34_32_k400"]
    code, _, err = call("presets", "--min-top1", 99)
    assert code == 1
    assert "No preset has a measured top-1 of 99 % or more." in err
    code, _, err = call("presets", "--task", "cats")
    assert code == 1
    assert "Received: task='cats'" in err


def test_publish_checks_before_it_talks_to_anybody(call, tmp_path):
    code, _, err = call("publish", tmp_path, "user/repo")
    assert code == 1
    assert "There is no metadata.json" in err
    code, _, err = call("publish", tmp_path, "nonsense")
    assert code == 1
    assert "Expected user/repo. Received: nonsense" in err


def test_presets_fit_a_narrow_terminal(call, monkeypatch):
    monkeypatch.setattr(weights.screen, "width", 80)
    _, out, _ = call("presets")
    longest = (
        "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/SLOWFAST_8x8_R101.pyth"
    )
    shown = [line.strip() for line in out.splitlines()]
    assert longest in shown  # an address is not cut
    assert max(len(line) for line in shown if "://" not in line and "python" not in line) <= 80
    names = {cell.strip("│= ").split(" ")[0] for cell in shown}
    assert names >= {preset.name for preset in PRESETS}  # nor a name


def test_publish_takes_a_run(call, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(pretrained, "publish", lambda *given, **_: asked.append(given) or "there")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.keras").touch()
    monkeypatch.setattr(save_run, "save_run", lambda run, folder: folder)
    code, out, _ = call("publish", tmp_path / "run", "me/mine")
    assert (code, out) == (0, "Published: there\n")
    ((folder, repository),) = asked
    assert (folder.name, repository) == ("model", "me/mine")
    assert not folder.exists()  # it was beside, for the upload only


def test_publish_names_the_command_that_a_run_lacks(call, tmp_path):
    two_stream().save(tmp_path / "model.keras")
    (tmp_path / "split.csv").write_text("path,label,subset\n")
    code, _, err = call("publish", tmp_path, "me/mine")
    assert code == 1
    assert f"has not been evaluated: keras-acl evaluate {tmp_path}" in err


def test_download_writes_a_folder_that_loads(call, tmp_path):
    code, out, _ = call("download", "demo", "--to", tmp_path / "carried")
    assert code == 0
    assert f'load_pretrained("{tmp_path / "carried"}")' in out
    assert load_pretrained(tmp_path / "carried").labels == load_pretrained("demo").labels
    code, _, err = call("download", "dmo", "--to", tmp_path / "x")
    assert (code, "Did you mean demo" in err) == (1, True)
