"""The benchmarks run, on tiny networks and files, and say what they measured."""

import json
import math
import re
import sys
from types import SimpleNamespace

import data_files
import data_readers
import gpu
import gpu_contenders
import inference
import inference_contenders
import keras
import measuring
import numpy as np
import pytest
import training
from gpu_contenders import Child, Contender

from keras_acl.clip import ClipSpec
from keras_acl.data import probe
from keras_acl.video.files import find_videos

QUICK = ["--repeats", "1", "--clips", "8", "--size", "32", "--processes", "0"]


@pytest.fixture
def bench(run_example, tmp_path):
    """Runs a benchmark; returns its JSON."""

    def run(name: str, *arguments: object) -> dict:
        run_example(name, *arguments, "--output", tmp_path)
        [file] = tmp_path.glob(f"{name}*.json")
        return json.loads(file.read_text())

    return run


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    data_files.write_videos(folder, 2, [1.0])
    return folder


def test_the_middle_of_the_turns_counts():
    times = {"ours": [1.0, 2.0, 1.0], "theirs": [3.0, 4.0, 9.0]}
    assert measuring.ratio(times, "ours", "theirs") == 3.0
    called = []
    calls = {name: (lambda name=name: called.append(name) or 1.0) for name in "abc"}
    found = measuring.in_turn(calls, repeats=5)
    turns = ["".join(called[i : i + 3]) for i in range(0, 18, 3)]
    assert {"".join(sorted(turn)) for turn in turns} == {"abc"}
    assert len(set(turns)) > 2  # in another order
    assert found == dict.fromkeys("abc", [1.0] * 5)


# GPU


def tiny(framework: str, task: str, **changes) -> Contender:
    changes = {"precision": "fp32", "batch": 2, "cpu": True, "tiny": True, **changes}
    return Contender(framework, task, **changes)


@pytest.mark.backends
def test_gpu_contenders_train_and_say_what_the_peer_says():
    pytest.importorskip("torch")
    ours = keras.backend.backend()
    facts, steps, peak = gpu_contenders.prepare(tiny("torch", "infer", network="fusion"))
    right = facts["logits"]
    assert right.shape == (2, 400)
    assert facts["multiply-adds"] > 1e6
    if ours != "torch":  # whose Keras is no contender
        facts, steps, peak = gpu_contenders.prepare(tiny(ours, "infer", network="fusion"))
        assert abs(facts["logits"] - right).max() < 1e-4 * abs(right).max()
    assert steps(3).shape == (2, 400)
    assert peak() is None or peak() > 0
    facts, _, _ = gpu_contenders.prepare(tiny("torch", "train", precision="bf16"))
    assert facts["loss"] == pytest.approx(math.log(400), abs=2)


@pytest.mark.parametrize(
    ("task", "network"), [("train", "AC + SCAM, rematerialised"), ("fit", "2D convolutions")]
)
def test_gpu_variants_train(eager, task, network):
    contender = tiny("tensorflow", task, network=network)
    facts, steps, _ = gpu_contenders.prepare(contender)
    assert facts["loss"] == pytest.approx(math.log(400), abs=2)
    assert steps(1) < facts["loss"] + 1


def test_gpu_weights_are_no_zeros():
    model = gpu_contenders.build(tiny("tensorflow", "train"))
    gammas = [np.asarray(v) for v in model.weights if v.name == "gamma"]
    assert min(gamma.min() for gamma in gammas) >= 0.3
    kernel = model.streams.get_layer("slow_res4_0_c_conv").kernel
    expected = (2 / kernel.shape[-1]) ** 0.5
    assert np.asarray(kernel).std() == pytest.approx(expected, rel=0.1)


class MadeUp:
    """In place of a process: names of frameworks tell how it answers."""

    def __init__(self, contender):
        self.contender = contender

    def answer(self, seconds):
        if self.contender.framework == "full":
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        facts = {"device": "H100", "multiply-adds": 10**9}
        if self.contender.task == "infer":
            wrong = self.contender.framework == "wrong"
            facts["logits"] = np.array([[1.0, 2.0 + 0.1 * wrong]])
        return facts

    def run(self, steps, seconds):
        if self.contender.framework == "dying":
            raise RuntimeError("ended with exit status -9")
        a_step = {"torch": 0.2}.get(self.contender.framework, 0.1)
        return {"seconds": steps * a_step, "peak GiB": 3.0}

    def close(self):
        pass


@pytest.fixture
def made_up(monkeypatch):
    monkeypatch.setattr(gpu, "Child", MadeUp)
    return SimpleNamespace(repeats=3, seconds=0.4, limit=1)


def test_gpu_contenders_take_turns(made_up):
    contenders = [Contender("torch", batch=8), Contender("jax", batch=4)]
    theirs, ours = gpu.measure("duel", contenders, made_up, {})
    assert theirs["clips/s"] == pytest.approx(8 / 0.2)
    assert ours["clips/s"] == pytest.approx(4 / 0.1)
    assert ours["TFLOP/s"] == pytest.approx(3 * 2 * 1e9 * 40 / 1e12)
    assert ours["times torch, plain"] == pytest.approx(1)
    assert ours["peak GiB"] == 3.0


@pytest.mark.parametrize(("name", "error"), [("full", "Out of memory"), ("dying", "status -9")])
def test_a_gpu_contender_that_fails_does_not_end_the_case(made_up, name, error):
    contenders = [Contender(name, network="fusion"), Contender("jax")]
    broken, fine = gpu.measure("duel", contenders, made_up, {})
    assert error in broken["error"]
    assert "clips/s" not in broken
    assert fine["clips/s"] == pytest.approx(160)


def test_gpu_logits_are_compared_with_the_cpus(made_up):
    expected = {"plain": np.array([[1.0, 2.0]])}
    contenders = [
        Contender("jax", "infer", "fp32"),
        Contender("wrong", "infer", "fp32", network="plain"),
    ]
    rows = [gpu.measure("a", [one], made_up, expected)[0] for one in contenders]
    assert [row["correct"] for row in rows] == [True, False]


def test_gpu_cases_are_not_repeated_and_wrong_logits_end_in_an_error(
    made_up, run_example, tmp_path, monkeypatch
):
    asked = []

    def measure(case, *_):
        asked.append(case)
        return [{"case": case, "contender": "jax", "correct": "fp32" not in case}]

    monkeypatch.setattr(gpu, "measure", measure)
    arguments = ("gpu", "--backend", "jax", "--batch", "2", "--output", tmp_path)
    run_example(*arguments, "--only", "bf16")
    assert asked[0] == "plain, train, bf16, batch 2"
    assert asked[-1] == "fit, bf16, batch 2"
    assert not any("fp32" in case for case in asked)
    before = len(asked)
    with pytest.raises(SystemExit, match=r"0\.001: jax \(plain, train, fp32, batch 2\)"):
        run_example(*arguments)
    assert len(set(asked)) == len(asked) > before


@pytest.mark.slow
def test_gpu_contenders_are_processes(run_example, tmp_path):
    pytest.importorskip("jax")
    child = Child(tiny("nonsense", "train"))
    with pytest.raises(TimeoutError):
        child.answer(0)
    with pytest.raises(RuntimeError, match="nonsense"):
        child.answer(60)
    child.close()
    arguments = ["--backend", "jax", "--cpu", "--batch", "2", "--repeats", "2", "--seconds", "0.1"]
    arguments += ["--peers", "torch", "--only", "plain, infer, fp32", "--output", tmp_path]
    run_example("gpu", *arguments)
    rows = json.loads((tmp_path / "gpu_jax_tried.json").read_text())["rows"]
    assert [row["contender"] for row in rows] == ["torch, plain", "Keras, plain"]
    assert all(row["correct"] and row["clips/s"] > 0 for row in rows)


# Inference and training on a CPU


def test_inference(bench, eager, monkeypatch):
    names = ["Keras", "Keras, optimised", "the same, constant weights", "PyTorch"]
    names += ["OpenVINO", "ONNX Runtime", "LiteRT, 3D convolutions"]
    pytest.importorskip("torch")
    monkeypatch.setattr(inference, "contenders", lambda: names)
    monkeypatch.setattr(inference, "alone_in_a_process", lambda *_: (1, 2.5))
    result = bench("inference", "--small", "--clips", "2", "--repeats", "2")
    assert result["command"].endswith("inference.py --small --clips 2 --repeats 2")
    assert {"cpu", "cores", "versions"} <= result["machine"].keys()
    rows = {row["contender"]: row for row in result["rows"]}
    assert set(rows) == {*names, "the floor"}
    assert rows["Keras"]["times Keras"] == rows["the floor"]["of the floor"] == 1
    assert all(row["s a clip"] > 0 for row in rows.values())
    assert (rows["Keras"]["peak MiB"], rows["Keras"]["first s"]) == (1, 2.5)


def test_inference_stops_when_a_contender_computes_something_else():
    calls = {"Keras": lambda: np.ones((1, 4)), "PyTorch": lambda: np.ones((1, 4)) * 1.01}
    with pytest.raises(SystemExit, match="PyTorch does not compute what Keras computes"):
        inference.check(calls)


def test_a_contender_alone_tells_its_memory_and_time(tmp_path, eager, monkeypatch, capsys):
    inference_contenders.write(inference.network(small=True), ["Keras"], tmp_path, 1)
    monkeypatch.setattr("sys.argv", ["child", "Keras", str(tmp_path)])
    inference_contenders.main()
    peak, first = capsys.readouterr().out.split()
    assert int(peak) > 100
    assert float(first) > 0


def test_training(bench, eager, monkeypatch):
    # pytest takes the folder tests/training for a package of that name.
    monkeypatch.setitem(sys.modules, "training", training)
    few = {"no consistency": {"consistency_weight": None}, "AC": {"scales": (1.0,)}}
    monkeypatch.setattr(training, "VARIANTS", few)
    monkeypatch.setattr(training, "importlib", SimpleNamespace(util=SimpleNamespace(find_spec=len)))
    monkeypatch.setattr(training, "torch_step", lambda *_: lambda: None)
    monkeypatch.setattr(training, "FUSION", "AC")
    monkeypatch.setattr(training, "alone", lambda options, *what: {"what": list(what)})
    result = bench("training", "--small", "--repeats", "1", "--large-batch", "2")
    rows = {row["step"]: row for row in result["rows"]}
    assert rows["Keras, no consistency"]["of no consistency"] == 1
    assert rows["Keras, AC"]["of no consistency"] > 0
    assert result["memory"][-1] == {"what": ["AC + SCAM", 2, True]}


def test_a_training_alone_tells_its_memory_and_time(run_example, eager):
    printed = run_example("training", "--one", "AC", "--small", "--repeats", "1")
    found = json.loads(printed.splitlines()[-1])
    assert found["peak MiB"] > 100
    assert found["first step s"] > 0 < found["later steps s"]


# Reading


def test_made_videos_are_as_described(videos):
    infos = [probe(path) for path in find_videos(videos)]
    assert {(info.height, info.width, info.fps, info.frames) for info in infos} == {
        (256, 340, 30, 30)
    }
    frames = np.stack(list(data_files.scene(0, 20))).astype(int)
    assert 25 < frames.std() < 90  # neither flat nor clipped
    assert 1 < np.abs(np.diff(frames, axis=0)).mean() < 30  # it moves, and is no noise


def test_readers_are_compared(bench, videos):
    result = bench("data", "--videos", videos, *QUICK)
    assert result["command"].startswith("python examples/benchmarks/data.py --videos FOLDER ")
    rows = result["rows"]
    assert {row["files"] for row in rows} == {"as they are", "shrunk", "shrunk to h264"}
    assert {"keras-acl, 2 threads", "decoding alone, 2 threads"} < {row["reader"] for row in rows}
    assert all(row["clips/s"] > 0 and row["ratio to the bare loop"] > 0 for row in rows)
    peers = [row for row in rows if row["reader"] == data_readers.PEER]
    assert [row["ratio to the bare loop"] for row in peers] == [1, 1, 1]
    assert list(result["psnr_db"]) == ["shrunk", "shrunk to h264"]
    assert all(30 < value < 60 for value in result["psnr_db"].values())


def test_the_bare_loop_reads_the_same_kind_of_clip(videos):
    clip = ClipSpec(frames=8, span=16, size=32)
    read = data_readers.read_bare(find_videos(videos)[0], clip, np.random.default_rng(0))
    assert read.shape == (8, 32, 32, 3)
    assert read.dtype == np.uint8


@pytest.mark.parametrize("kind", ["missing", "empty", "corrupt"])
def test_folders_without_videos_are_refused(bench, tmp_path, kind):
    videos = tmp_path / "given"
    if kind != "missing":
        videos.mkdir()
    if kind == "corrupt":
        (videos / "x.mp4").write_bytes(b"no video")
    with pytest.raises(SystemExit, match=r"--videos: .*given"):
        bench("data", "--videos", videos, *QUICK)


def test_long_files(bench, videos):
    result = bench("data", "--long", "--videos", videos, *QUICK)
    assert [row["what"] for row in result["rows"]] == ["a clip at the end"] * 2 + [
        "10 x 3 views"
    ] * 2
    assert all(row["ms"] > 0 for row in result["rows"])


def test_psnr():
    black = np.zeros((2, 4, 4, 3), np.uint8)
    assert data_files.psnr(black, black + 255) == pytest.approx(0)
    assert data_files.psnr(black, black + 1) == pytest.approx(20 * math.log10(255))
    assert data_files.psnr(black, black) > 90


def test_seeking_is_checked_on_any_folder(run_example, tmp_path, monkeypatch):
    data_files.write_videos(tmp_path, 1, [0.5])
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    arguments, rng = ("data", "--seeking", "--videos", tmp_path), np.random.default_rng(0)
    assert "1 videos agree, 1 cannot be read" in run_example(*arguments)
    monkeypatch.setattr(data_readers, "_frames_or_reason", lambda *_: rng.random(3))
    with pytest.raises(SystemExit, match=r"These differ:\n.*0000\.mp4$"):
        run_example(*arguments)


# Memory


def test_memory_of_the_evaluation_is_measured(run_example, videos, tmp_path):
    arguments = ["evaluation_memory", "--videos", videos, "--small", "--clips", "2", "--crops", "1"]
    printed = run_example(*arguments, "--limit", "100")
    assert "2 videos, 0 of them could not be read" in printed
    assert "4 views in" in printed
    peak, before = map(int, re.findall(r"(\d+) MiB", printed))
    assert 50 < before <= peak
    with pytest.raises(SystemExit, match=r"^More than 0\.01 GiB\."):
        run_example(*arguments, "--limit", "0.01")


def test_evaluations_are_timed(bench, videos, monkeypatch, eager):
    for package in ("openvino", "nncf"):
        pytest.importorskip(package)
    monkeypatch.setenv("KERAS_HOME", "unused")  # what the script sets is put back
    arguments = ("--small", "--clips", "1", "--crops", "1", "--repeats", "1")
    result = bench("evaluation_speed", "--videos", videos, *arguments)
    assert [row["contender"] for row in result["rows"]] == ["Keras", "OpenVINO", "OpenVINO, int8"]
    assert all(row["views/s"] > 0 for row in result["rows"])


@pytest.mark.slow
def test_archives_are_timed(bench, videos, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", "unused")  # what the script sets is put back
    result = bench("archive", "--videos", videos, "--count", "30", "--repeats", "1")
    assert [row["contender"] for row in result["rows"]] == [
        *("predict_videos, one process", "classify, 1 worker", "classify, 2 workers")
    ]
    assert all(row["videos/s"] > 0 and row["start s"] > 0 for row in result["rows"])


def test_optical_flow(bench, videos):
    rows = bench("optical_flow", "--videos", videos, "--frames", 5, "--repeats", 1)["rows"]
    by_name = {row["what"]: row for row in rows}
    assert by_name["dis"]["ms a frame"] < by_name["tvl1"]["ms a frame"]
    assert by_name["dis"]["ratio"] == 1
    assert by_name["lossless"]["levels lost"] == 0
    assert 0 < by_name["as kept"]["levels lost"] < 1
    assert by_name["as kept"]["kB a frame"] < by_name["lossless"]["kB a frame"]
