import json
import types

import pytest
from tiny_network import two_stream

from keras_acl import pretrained
from keras_acl.inference import engine_choice
from keras_acl.speed import throughput as benchmarking
from keras_acl.speed.architectures import ARCHITECTURES
from keras_acl.speed.cost import count_multiply_adds, count_parameters
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

    def benchmark(*arguments, fast):
        asked.append((*arguments, fast.engine, fast.compute_dtype))
        yield from RATES

    def optimize(model, precision, engine):
        return types.SimpleNamespace(
            engine={"keras": "Keras", "openvino": "OpenVINO"}[engine],
            compute_dtype=precision or "float32",
        )

    monkeypatch.setattr(benchmarking, "benchmark", benchmark)
    monkeypatch.setattr(engine_choice, "optimize", optimize)
    monkeypatch.setattr(pretrained, "load_any", lambda name: f"the model {name}")
    return asked


def test_a_table_and_a_verdict(call, measured):
    code, out, _ = call("bench", "demo", "--batch-size", 2, "--batch-size", 1, "--seconds", 0.5)
    assert code == 0
    assert measured == [("the model demo", [], [1, 2], 0.5, "Keras", "float32")]
    assert "Inference by Keras, in float32." in out
    assert "out of memory" in out
    assert "250.0" in out  # ms a clip
    assert "The data are the bottleneck: 2 clips/s can be read, 4 trained" in out.replace("\n", " ")


def test_json(call):
    code, out, _ = call(
        *("bench", "demo", "--json", "--engine", "openvino", "--precision", "bfloat16")
    )
    assert code == 0
    found = json.loads(out)
    assert (found["engine"], found["precision"]) == ("OpenVINO", "bfloat16")
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


def test_summary_adds_up(call, monkeypatch):
    model = two_stream()
    monkeypatch.setattr(pretrained, "load_any", lambda name: model)
    code, out, _ = call("summary", "runs/tiny", "--size", 48)
    assert code == 0
    assert f"TwoStreamClassifier: {count_parameters(model):,} parameters" in out
    billions = count_multiply_adds(model, 48) / 1e9
    assert f"{billions:.2f} billion multiply-adds for one clip of 8 frames at 48x48" in out
    cells = [row.split("│") for row in out.splitlines() if row.startswith("│")]
    costs = [int(row[4].replace(",", "")) for row in cells]
    assert sum(costs) == count_multiply_adds(model, 48)


def test_costs_of_every_architecture(call):
    options = ("--classes", 5, "--size", 64)
    code, out, _ = call("costs", *options, "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)}
    assert len(rows) == len(ARCHITECTURES)
    ours, without = (
        rows["AC + SCAM 4x16 R50 (the paper's)"],
        rows["SlowFast 4x16 R50 without fusion"],
    )
    # Table 3: attention consistency costs nothing beside the two streams.
    for key in ("multiply_adds", "parameters"):
        assert ours[key] == without[key] < rows["SlowFast 4x16 R50"][key]
    code, out, _ = call("costs", *options, "--views", 10)
    assert code == 0
    [line] = [line for line in out.splitlines() if "the paper's" in line]
    cells = [cell.strip() for cell in line.split("│")[3:6]]
    giga = ours["multiply_adds"] / 1e9
    assert cells == [f"{giga:.2f} x 10", f"{giga * 10:,.0f}", f"{ours['parameters']:,}"]
