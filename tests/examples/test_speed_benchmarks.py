"""The benchmarks run, on tiny networks, and say what they measured; what it is, nobody checks."""

import json
import runpy
import sys
from pathlib import Path

import inference
import inference_contenders
import measuring
import numpy as np
import pytest
import tensorflow as tf
from inference_contenders import CONSTANT, KERAS, PEER, write

import keras_acl
from keras_acl import optimize
from keras_acl.layers import PaddedConv3D
from keras_acl.models import TwoStreamClassifier
from keras_acl.speed.cost import count_multiply_adds

BENCHMARKS = Path(__file__).parents[2] / "examples" / "benchmarks"


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """Runs a benchmark without peers and children; returns its JSON and its functions."""

    def run(name: str, *arguments: str, **replaced) -> dict:
        script = BENCHMARKS / f"{name}.py"
        functions = runpy.run_path(str(script))
        for key, value in replaced.items():
            monkeypatch.setitem(functions["main"].__globals__, key, value)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments, "--output", str(tmp_path)])
        functions["main"]()
        [file] = tmp_path.glob(f"{name}*.json")
        return json.loads(file.read_text())

    return run


@pytest.fixture
def uncompiled():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_inference(bench, uncompiled, monkeypatch):
    result = bench(
        "inference",
        *("--small", "--clips", "2", "--repeats", "2"),
        contenders=lambda precision: list(KERAS),
        process=lambda *_: (1, 2.5),
    )
    assert result["command"].endswith("inference.py --small --clips 2 --repeats 2")
    assert {"cpu", "cores", "versions"} <= result["machine"].keys()
    rows = {row["contender"]: row for row in result["rows"]}
    assert set(rows) == {*KERAS, "the floor"}
    assert rows["Keras"]["times Keras"] == rows["the floor"]["of the floor"] == 1
    assert rows["Keras, optimised"]["times Keras"] > 0
    assert rows["Keras"]["of the floor"] > 0
    assert (rows["Keras"]["peak MiB"], rows["Keras"]["first s"]) == (1, 2.5)


def test_inference_with_and_without_onednn(bench):
    def process(name, folder, precision, clips, calls, environment):
        return 1, 2.0, {"0": 3.0, "1": 1.5}[environment["TF_ENABLE_ONEDNN_OPTS"]]

    arguments = ("--onednn", "--small", "--clips", "2", "--repeats", "3")
    rows = bench("inference", *arguments, process=process, write=lambda *_: None)
    assert [row["oneDNN"] for row in rows["rows"]] == ["with", "without"]
    assert [row["s a clip"] for row in rows["rows"]] == [0.75, 1.5]
    assert [row["times without"] for row in rows["rows"]] == [2, 1]


def test_inference_stops_when_a_contender_computes_something_else(bench, uncompiled):
    def load(name, folder, precision, clips):
        return lambda: np.ones((clips, 400)) + (name != "Keras")

    with pytest.raises(SystemExit, match="PyTorch does not compute what Keras computes"):
        bench(
            "inference",
            *("--small", "--clips", "1"),
            contenders=lambda precision: ["Keras", "PyTorch"],
            write=lambda *_: None,
            process=lambda *_: (1, 2.5),
            load=load,
        )


@pytest.mark.parametrize("name", ["Keras, optimised", CONSTANT, "PyTorch"])
def test_a_contender_alone_tells_its_memory_and_time(tmp_path, name, monkeypatch, capsys):
    if name == PEER:
        pytest.importorskip("torch")
    asked = []
    monkeypatch.setattr(
        keras_acl, "optimize", lambda *a, **k: asked.append(k) or optimize(*a, **k), raising=False
    )
    write(inference.network(small=True), [name], tmp_path, "float32", 1)
    asked.clear()
    monkeypatch.setattr(sys, "argv", ["child", name, str(tmp_path), "float32", "1", "2"])
    inference_contenders.main()
    peak, first, later = capsys.readouterr().out.split()
    assert int(peak) > 100
    assert float(first) > float(later) > 0
    assert asked == [{"constant_weights": True}] * (name == CONSTANT)


def test_kinds_of_convolutions_add_up_to_the_network(bench):
    result = bench("inference_layers", "--small", "--repeats", "1", one_at_a_time=lambda: None)
    *kinds, whole = result["rows"]
    assert "spatial 1×3×3" in [row["convolutions"] for row in kinds]
    assert sum(row["ms"] for row in kinds) == pytest.approx(whole["ms"])
    model = TwoStreamClassifier(400, **measuring.SMALL)
    convolutions = [
        layer
        for stream in (model.spatial_stream, model.temporal_stream)
        for layer in stream.layers
        if isinstance(layer, PaddedConv3D)
    ]
    assert sum(row["layers"] for row in kinds) == whole["layers"] == len(convolutions)
    dense = model.classifier.kernel.shape
    counted = count_multiply_adds(model, model.clip.size) - dense[0] * dense[1]
    assert whole["10⁹ multiply-adds"] == pytest.approx(counted / 1e9)


def test_training(bench, uncompiled):
    result = bench(
        "training",
        *("--small", "--repeats", "1", "--large-batch", "2"),
        VARIANTS={"no consistency": {"consistency_weight": None}, "AC": {"scales": (1.0,)}},
        importlib=NoTorch,
        alone=lambda options, *what: {"what": list(what)},
    )
    rows = {row["step"]: row for row in result["rows"]}
    assert rows["Keras, no consistency"]["of no consistency"] == 1
    assert rows["Keras, AC"]["of no consistency"] > 0
    assert result["memory"][-1] == {"what": ["AC + SCAM", 2, True]}


class NoTorch:
    class util:  # noqa: N801  stands for importlib.util
        @staticmethod
        def find_spec(name):
            return None


def test_the_middle_of_the_turns_counts():
    times = {"ours": [1.0, 2.0, 1.0], "theirs": [3.0, 4.0, 9.0]}
    assert measuring.ratio(times, "ours", "theirs") == 3.0
    calls = []
    contenders = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    found = measuring.alternate(contenders, repeats=5)
    turns = ["".join(calls[i : i + 3]) for i in range(0, 18, 3)]
    assert {"".join(sorted(turn)) for turn in turns} == {"abc"}
    assert len(set(turns)) > 2  # in another order
    assert [len(seconds) for seconds in found.values()] == [5, 5, 5]
