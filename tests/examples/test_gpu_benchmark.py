"""The GPU benchmark, tried on the CPU; its plan and its turns with children that are made up."""

import gzip
import json
import sys
import time
from pathlib import Path

import gpu
import gpu_profile
import pytest
from gpu_cases import (
    MULTIPLY_ADDS,
    OUT_OF_MEMORY,
    Case,
    Choices,
    Contender,
    best_batch,
    model_flops,
    peak_flops,
    plan,
)
from gpu_process import Child, ChildError, environment
from gpu_runner import Limits, Runner
from keras import ops

from keras_acl.models import SlowFastClassifier
from keras_acl.speed.cost import count_multiply_adds

# Answers like a contender; a batch above 8 does not fit, and names tell what else goes wrong.
FAKE = """
import json, sys, time
contender = json.loads(sys.argv[1])
name = contender["name"]
if contender["batch"] > 8:
    sys.exit("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes.")
if name == "crashing":
    raise RuntimeError("no such device")
if name == "hanging":
    time.sleep(60)
if contender["task"] == "reference":
    open(contender["file"], "w").close()
difference = {"wrong": 0.1, "close": 1e-5}.get(name, 0.0)
facts = {"difference": difference} if contender["task"] == "check" else {}
print(json.dumps({"device": "NVIDIA H100 80GB HBM3", "loss": 6.0, **facts}), flush=True)
for line in sys.stdin:
    if name == "dying":
        sys.exit("CUDA error: an illegal memory access was encountered")
    seconds = {"slow": 0.2, "fast": 0.1}.get(name, 0.1)
    print(json.dumps({"seconds": seconds * int(line), "peak GiB": 3.0}), flush=True)
"""


@pytest.fixture
def started(tmp_path):
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    children = []

    def start(contender):
        children.append(Child(contender, [sys.executable, str(script)], environment(contender)))
        return closing(children[-1])

    yield start
    assert all(child.ended for child in children)


class closing:  # noqa: N801
    def __init__(self, child):
        self.child = child

    def __enter__(self):
        return self.child

    def __exit__(self, *_):
        self.child.close()


def runner(tmp_path, started, **limits) -> Runner:
    limits = {"repeats": 3, "block_seconds": 0.4, "answer_seconds": 20.0, **limits}
    return Runner(Limits(**limits), tmp_path / "reference.npz", start=started)


def contender(name: str, batch: int = 8, task: str = "train", **options) -> Contender:
    return Contender(name, "jax", task, batch=batch, **options)


def test_contenders_take_turns_and_are_compared(tmp_path, started):
    case = Case("duel", (contender("fast", 4), contender("slow", 8)), peers=("slow",))
    fast, slow = runner(tmp_path, started).run(case)
    assert fast["clips/s"] == pytest.approx(40)
    assert slow["clips/s"] == pytest.approx(40)
    assert slow["step ms"] == pytest.approx(200)
    assert fast["times as fast as"] == {"slow": pytest.approx(1.0)}
    assert slow["times as fast as"] == {}
    assert len(fast["seconds a clip"]) == 3
    assert fast["peak GiB"] == 3.0
    flops = 3 * 2 * MULTIPLY_ADDS["none"]
    assert fast["MFU"] == pytest.approx(40 * flops / 989e12)


def test_a_batch_too_large_is_halved_but_not_in_a_sweep(tmp_path, started):
    case = Case("duel", (contender("fast", 30),))
    [row] = runner(tmp_path, started).run(case)
    assert row["batch"] == 7
    [row] = runner(tmp_path, started).run(Case("sweep", (contender("fast", 30),), fixed=True))
    assert (row["batch"], row["error"]) == (30, OUT_OF_MEMORY)
    assert "clips/s" not in row


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("crashing", "exit status 1: RuntimeError: no such device"),
        ("dying", "exit status 1: CUDA error: an illegal memory access was encountered"),
    ],
)
def test_a_contender_that_fails_does_not_end_the_case(tmp_path, started, name, error):
    case = Case("duel", (contender(name), contender("fast")), peers=("fast", name))
    broken, fine = runner(tmp_path, started).run(case)
    assert broken["error"] == error
    assert "clips/s" not in broken
    assert fine["clips/s"] == pytest.approx(80)
    assert fine["times as fast as"] == {}


def test_a_contender_that_hangs_is_ended(tmp_path, started, monkeypatch):
    monkeypatch.setattr(Child, "patience", 0.1)
    began = time.monotonic()
    [row] = runner(tmp_path, started, answer_seconds=0.5).run(Case("a", (contender("hanging"),)))
    assert row["error"] == "no answer within 0 s"
    assert time.monotonic() - began < 10


def test_after_the_end_nothing_is_waited_for(tmp_path, started, monkeypatch):
    monkeypatch.setattr(Child, "patience", 0.1)
    limited = runner(tmp_path, started, ends=time.monotonic() - 1)
    [row] = limited.run(Case("a", (contender("hanging"),)))
    assert row["error"].startswith("no answer")


def test_outputs_are_checked_against_the_cpu(tmp_path, started):
    contenders = tuple(contender(name, 2, "check", precision="fp32") for name in ("close", "wrong"))
    loose = contender("wrong", 2, "check", precision="bf16")
    rows = runner(tmp_path, started).run(Case("check", (*contenders, loose)))
    assert [row.get("correct") for row in rows] == [True, False, None]
    assert (tmp_path / "reference.npz").exists()


def test_a_reference_that_cannot_be_made_is_said(tmp_path, started):
    case = Case("check", (contender("crashing", 2, "check"),))
    [row] = runner(tmp_path, started).run(case)
    assert row["error"] == "exit status 1: RuntimeError: no such device"


def test_a_child_answers_nothing_after_its_end(started):
    with started(contender("dying")) as child:
        child.answer(20)
        for _ in range(2):
            with pytest.raises(ChildError, match="illegal memory access"):
                child.run(1, 20)


def swept(task: str, name: str, batch: int, rate: float | None) -> dict:
    case = f"sweep, {task} bf16, {name}, batch {batch}"
    found = {"error": OUT_OF_MEMORY} if rate is None else {"clips/s": rate}
    return {"case": case, "contender": name, "batch": batch, **found}


def test_the_plan_begins_with_what_matters():
    names = [case.name for case in plan(Choices(quick=True), [])]
    assert names == [
        "check",
        "train bf16, batch 32",
        "infer bf16, batch 32",
        "fit bf16, batch 32",
        "forms, train bf16, batch 32",
    ]
    duel = list(plan(Choices(quick=True), []))[1]
    assert [one.name for one in duel.contenders] == ["keras-jax", "torch", "torch.compile"]
    assert duel.peers == ("torch", "torch.compile")
    # Keras and the one torch that computes at a time.
    assert sum(one.share for one in duel.contenders[:2]) <= 0.9


def test_sweeps_end_when_the_memory_is_full_and_lead_to_the_best_batches():
    rows, cases = [], []
    for case in plan(Choices(compiled=False), rows):
        cases.append(case)
        if case.name.startswith("sweep"):
            [one] = case.contenders
            fits = one.batch <= (64 if one.name == "torch" else 16)
            rows.append(swept(one.task, one.name, one.batch, one.batch**0.5 if fits else None))
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    tried = [case.contenders[0].batch for case in cases if case.name.startswith("sweep, train")]
    assert tried == [1, 2, 4, 8, 16, 32, 1, 2, 4, 8, 16, 32, 64, 128]
    best = next(case for case in cases if case.name.startswith("train bf16 at the best"))
    assert [one.batch for one in best.contenders] == [16, 64]
    assert best.name == "train bf16 at the best batches: keras-jax 16, torch 64"
    assert best_batch(rows, "train", "nobody", 5) == 5


def test_pytorchvideo_is_the_peer_with_fusion_where_it_is_installed():
    [named] = [case for case in plan(Choices(pytorchvideo=True), []) if "Video" in case.name]
    assert named.name == "train bf16 with fusion against PyTorchVideo, batch 32"
    assert [one.pytorchvideo for one in named.contenders] == [False, True, True]
    assert {one.fusion for one in named.contenders} == {"conv"}


def test_rematerialisation_is_compared_with_the_same_network():
    [case] = [case for case in plan(Choices(), []) if case.name.startswith("remat")]
    assert [one.rematerialize for one in case.contenders] == [True, False]
    assert {(one.consistency, one.batch) for one in case.contenders} == {("ac_scam", 16)}


def test_a_plan_without_torch_has_none_and_profiles_on_request():
    choices = Choices(backend="tensorflow", torch=False, cpu=True, profile="traces")
    cases = list(plan(choices, []))
    assert {one.framework for case in cases for one in case.contenders} == {"tensorflow"}
    assert cases[-1].name == "profile, train bf16, keras-tensorflow"
    assert cases[-1].contenders[0].file == "traces"
    assert all(one.cpu and one.tiny for case in cases for one in case.contenders)


@pytest.mark.parametrize("fusion", MULTIPLY_ADDS)
def test_mfu_counts_the_networks_own_operations(fusion):
    assert MULTIPLY_ADDS[fusion] == count_multiply_adds(SlowFastClassifier(fusion=fusion), 224)


def test_peaks_are_those_of_the_chip():
    assert peak_flops("NVIDIA H100 80GB HBM3")["bf16"] == 989e12
    assert peak_flops("NVIDIA H100 PCIe")["bf16"] == 756e12
    assert peak_flops("NVIDIA H200")["tf32"] == 494e12
    assert peak_flops("NVIDIA L40S")["fp32"] == 91.6e12
    assert peak_flops("NVIDIA L40") == {}
    assert peak_flops("cpu", [1, 2, 3]) == {"fp32": 1e12, "tf32": 2e12, "bf16": 3e12}
    assert model_flops(contender("a", task="infer", fusion="conv")) == 2 * 27_638_665_216
    assert model_flops(contender("a", tiny=True)) == 0


def test_precision_and_memory_are_set_before_a_child_starts():
    variables = environment(contender("a", precision="fp32", share=0.45, cpu=True))
    assert variables["NVIDIA_TF32_OVERRIDE"] == "0"
    assert variables["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.45"
    assert (variables["KERAS_BACKEND"], variables["JAX_PLATFORMS"]) == ("jax", "cpu")
    assert "NVIDIA_TF32_OVERRIDE" not in environment(contender("a", precision="tf32"))


def test_a_trace_tells_what_took_the_time(tmp_path):
    def named(kind, pid, name, tid=0):
        return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": name}}

    events = [
        named("process_name", 1, "/device:GPU:0"),
        named("process_name", 2, "/host:CPU"),
        named("thread_name", 1, "Stream #13(Compute)", 5),
        named("thread_name", 1, "XLA Modules", 6),
        {"ph": "X", "pid": 1, "tid": 5, "name": "conv", "dur": 30.0},
        {"ph": "X", "pid": 1, "tid": 5, "name": "copy", "dur": 20.0},
        {"ph": "X", "pid": 1, "tid": 5, "name": "conv", "dur": 50.0},
        {"ph": "X", "pid": 1, "tid": 6, "name": "jit_train_step", "dur": 100.0},
        {"ph": "X", "pid": 2, "tid": 1, "name": "python", "dur": 900.0},
    ]
    file = tmp_path / "plugins" / "profile" / "now" / "vm.trace.json.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress(json.dumps({"traceEvents": events}).encode()))
    assert gpu_profile.largest_of_trace(str(tmp_path)) == [("conv", 0.8), ("copy", 0.2)]
    without = [event for event in events if event["pid"] == 2]
    assert gpu_profile.device_times(without) == {"python": 900.0}
    with pytest.raises(FileNotFoundError, match=r"No trace in .*other; was anything"):
        gpu_profile.largest_of_trace(str(tmp_path / "plugins" / "other"))


def test_a_trace_of_tensorflow_is_read_too(tmp_path):
    protobuf = pytest.importorskip("tensorflow.tsl.profiler.protobuf.xplane_pb2")
    space = protobuf.XSpace()
    for plane_name, line_name, durations in [
        ("/device:GPU:0", "Stream #7", {1: 3000, 2: 1000}),
        ("/device:GPU:0", "XLA Modules", {1: 9000}),
        ("/host:CPU", "python", {2: 9000}),
    ]:
        plane = space.planes.add(name=plane_name)
        plane.event_metadata[1].name, plane.event_metadata[2].name = "conv", "copy"
        line = plane.lines.add(name=line_name)
        for number, duration in durations.items():
            line.events.add(metadata_id=number, duration_ps=duration)
    (tmp_path / "vm.xplane.pb").write_bytes(space.SerializeToString())
    assert gpu_profile.largest_of_trace(str(tmp_path)) == [("conv", 0.75), ("copy", 0.25)]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    def command(*arguments: str) -> str:
        arguments = ("--output", str(tmp_path / "gpu.json"), *arguments)
        monkeypatch.setattr(sys, "argv", ["gpu.py", *arguments])
        gpu.main()
        return capsys.readouterr().out

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return command


def test_the_script_runs_on_the_cpu_and_goes_on_where_it_was(run, tmp_path):
    pytest.importorskip("jax")
    pytest.importorskip("torch")
    arguments = ("--backend", "jax", "--cpu", "--quick", "--repeats", "2", "--only", "check")
    printed = run(*arguments)
    assert "torch fp32: batch 2, note " in printed
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert [row["contender"] for row in record["rows"]] == [
        "keras-jax fp32",
        "torch fp32",
    ]
    assert all(row["correct"] and row["difference"] < 1e-4 for row in record["rows"])
    assert record["machine"]["cores"]
    again = run(*arguments)  # nothing but the table
    assert "check\n" not in again
    assert json.loads((tmp_path / "gpu.json").read_text()) == record


def test_the_script_times_tensorflow_on_the_cpu(run, tmp_path):
    printed = run(
        "--backend", "tensorflow", "--cpu", "--quick", "--without-torch", "--only", "infer"
    )
    [row] = json.loads((tmp_path / "gpu.json").read_text())["rows"][:1]
    assert row["case"] == "infer bf16, batch 2"
    assert row["clips/s"] > 1
    assert row["first step s"] > 0
    assert len(row["seconds a clip"]) == 5
    assert "keras-tensorflow: batch 2, clips/s" in printed


def test_what_ran_out_of_time_runs_again_and_failures_do_not(run, tmp_path, monkeypatch):
    rows = [
        {"case": "check", "contender": "a", "batch": 2, "error": "no answer within 300 s"},
        {"case": "check", "contender": "b", "batch": 2, "difference": 0.0},
        {"case": "fit bf16, batch 2", "contender": "a", "batch": 2, "error": OUT_OF_MEMORY},
    ]
    (tmp_path / "gpu.json").write_text(json.dumps({"rows": rows}))
    assert gpu.read_rows(tmp_path / "gpu.json") == rows[2:]
    asked = []
    monkeypatch.setattr(Runner, "run", lambda self, case: asked.append(case.name) or [])
    run("--cpu", "--quick")
    assert asked[0] == "check"
    assert "fit bf16, batch 2" not in asked


def test_wrong_outputs_end_in_an_error(run, tmp_path):
    row = {"case": "check", "contender": "keras-jax fp32", "batch": 2, "difference": 0.1}
    (tmp_path / "gpu.json").write_text(json.dumps({"rows": [row | {"correct": False}]}))
    with pytest.raises(SystemExit, match=r"more than 0\.001: keras-jax fp32"):
        run("--cpu", "--only", "nothing")


def test_a_loss_that_is_no_number_is_said():
    row = {"case": "a", "contender": "b", "batch": 2, "loss": float("nan")}
    assert gpu.note(row) == "the loss became nan"


@pytest.mark.parametrize("content", ["", "[]", '{"other": 1}', '{"rows": [1]}'])
def test_a_file_of_another_kind_is_left_alone(run, tmp_path, content):
    (tmp_path / "gpu.json").write_text(content)
    with pytest.raises(SystemExit, match="holds no results of this script"):
        run("--cpu")
    assert (tmp_path / "gpu.json").read_text() == content


def test_a_peak_has_three_numbers(run, capsys):
    with pytest.raises(SystemExit):
        run("--peak", "67,494")
    assert "--peak takes three numbers" in capsys.readouterr().err


def test_both_contenders_start_from_the_same_kind_of_weights():
    import gpu_keras

    model = gpu_keras.build(contender("a", cpu=True, tiny=True, precision="fp32"))
    gammas = [ops.convert_to_numpy(v) for v in model.weights if v.name == "gamma"]
    assert min(gamma.min() for gamma in gammas) >= 0.3
    assert max(gamma.max() for gamma in gammas) <= 0.7
    kernel = model.streams.get_layer("slow_res4_0_c_conv").kernel
    expected = (2 / kernel.shape[-1]) ** 0.5
    assert ops.convert_to_numpy(kernel).std() == pytest.approx(expected, rel=0.1)
