import json

import pytest

from keras_acl import pretrained
from keras_acl.speed import throughput as benchmarking
from keras_acl.speed.throughput import DATA, INFERENCE, TOGETHER, TRAINING, Rate

RATES = [
    Rate(INFERENCE, 1, 20.0),
    Rate(TRAINING, 1, 4.0),
    Rate(TRAINING, 2, float("nan"), "out of memory"),
    Rate(DATA, 1, 2.0),
    Rate(TOGETHER, 1, 2.0),
]


@pytest.fixture(autouse=True)
def measured(monkeypatch) -> list[tuple]:
    asked = []

    def benchmark(*arguments):
        asked.append(arguments)
        yield from RATES

    monkeypatch.setattr(benchmarking, "benchmark", benchmark)
    monkeypatch.setattr(pretrained, "load_any", lambda name: f"the model {name}")
    return asked


def test_a_table_and_a_verdict(call, measured):
    code, out, _ = call("bench", "demo", "--batch-size", 2, "--batch-size", 1, "--seconds", 0.5)
    assert code == 0
    assert measured == [("the model demo", [], [1, 2], 0.5, None)]
    assert "out of memory" in out
    assert "250.0" in out  # ms a clip
    assert "The data are the bottleneck: 2 clips/s can be read, 4 trained" in out.replace("\n", " ")


def test_json(call):
    code, out, _ = call("bench", "demo", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["rates"][0] == {
        "what": "inference",
        "batch_size": 1,
        "clips_per_second": 20.0,
        "note": "",
    }
    assert found["rates"][2]["clips_per_second"] is None
    assert found["verdict"].startswith("The data are")


def test_videos_are_found(call, measured, tmp_path):
    (tmp_path / "a.mp4").touch()
    call("bench", "demo", "--data", tmp_path)
    assert measured[0][1] == [str(tmp_path / "a.mp4")]


def test_a_folder_that_is_not_there(call, tmp_path):
    code, _, err = call("bench", "demo", "--data", tmp_path / "none")
    assert code == 1
    assert "none" in err
