import json
import os
import sys

import pytest

from keras_acl.inference.archive import classify
from keras_acl.inference.archive.classify import Archive
from keras_acl.inference.archive.options import ArchiveOptions, Workers


@pytest.fixture
def asked(monkeypatch):
    """What the library is asked for, and what it then says; the real thing is tested there."""
    given = {"bad": 0, "classified": 9}

    def classify_archive(model, manifest, folder, progress, **options):
        if "raises" in given:
            raise given["raises"]
        progress(9, 10)
        given.update(model=model, manifest=manifest, folder=str(folder), **options)
        return Archive(folder, 10, given["classified"], given["bad"])

    monkeypatch.setattr(classify, "classify_archive", classify_archive)
    return given


def test_classify(asked, call):
    asked["classified"] = 10
    code, out, err = call("classify", "runs/videos", "list.csv", "out")
    assert (code, err) == (0, "")
    assert out == f"10 of 10 videos: {os.path.join('out', 'videos')}\n"
    assert [asked[name] for name in ("model", "manifest", "folder")] == [
        *("runs/videos", "list.csv", "out")
    ]
    assert asked["options"] == ArchiveOptions(engine="keras")  # as the tests' environment says
    assert (asked["workers"], asked["shards"], asked["shard"]) == (Workers(), None, (0, 1))


def test_every_option_arrives(asked, call):
    asked["bad"] = 1
    arguments = "--clips 2 --features --per-stream --workers 3 --address head:6379 --shards 7"
    arguments += " --shard 2/4 --retry-bad --batch-size 4 --precision bfloat16 --engine openvino"
    code, out, _ = call("classify", "demo", "s3://b/v", "out", *arguments.split(), "--json")
    assert code == 0
    assert json.loads(out) == {"videos": 10, "classified": 9, "bad": 1, "pending": 0}
    assert asked["options"] == ArchiveOptions(2, True, True, "bfloat16", "openvino", 4, True)
    assert asked["workers"] == Workers(3, "head:6379")
    assert (asked["shards"], asked["shard"]) == (7, (1, 4))


def test_what_is_bad_or_left_is_said(asked, call):
    asked["classified"], asked["bad"] = 6, 1
    code, out, err = call("classify", "demo", "list.csv", "out")
    assert code == 0  # or a loop that restarts it would never end
    assert out.startswith("6 of 10 videos")
    assert err.splitlines() == [
        f"1 cannot be read: {os.path.join('out', 'bad')}",
        "This part is done; 3 videos wait for the other machines.",
    ]


def test_an_interruption_is_one_line(asked, call):
    asked["raises"] = KeyboardInterrupt()
    code, out, err = call("classify", "demo", "list.csv", "out")
    assert (code, out) == (130, "")
    assert err.split("\n")[-2:] == [
        *("Interrupted. The same command goes on after the last finished part.", "")
    ]


def test_mistakes_are_one_line(call, tmp_path, monkeypatch):
    code, _, err = call("classify", "demo", tmp_path / "gone.csv", tmp_path / "out")
    assert (code, len(err.splitlines())) == (1, 1)
    assert "gone.csv: No such file" in err
    code, _, err = call("classify", "demo", tmp_path, tmp_path / "out", "--shard", "5/4")
    assert "as in 1/4, or auto. Received: 5/4" in err
    table = tmp_path / "list.csv"
    table.write_text("path\na.mp4\n")
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = call("classify", "demo", table, tmp_path / "out")
    assert code == 1
    assert 'pip install "keras-acl[ray]"' in err.splitlines()[-1]
