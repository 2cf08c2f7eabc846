import gc
import math
import types

import keras
import numpy as np
import pytest
from tiny_network import CLIP, slow
from video_files import write_video

from keras_acl.data import BadVideosError
from keras_acl.speed import throughput as benchmarking
from keras_acl.speed.throughput import (
    DATA,
    INFERENCE,
    LIMIT,
    TOGETHER,
    TRAINING,
    Rate,
    benchmark,
    matrix_products,
    verdict,
)


@pytest.fixture(scope="module")
def model():
    return slow()


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (12, 40, 48, 3), dtype=np.uint8)
    return [str(write_video(folder / f"{number}.mp4", frames)) for number in range(3)]


def test_each_part_has_its_rows(model, videos):
    before = model.get_weights()
    rates = list(benchmark(model, videos, [1, 2], seconds=0.01))
    kinds = [(rate.what, rate.batch_size) for rate in rates]
    assert kinds[:3] == [(LIMIT, 1), (INFERENCE, 1), (INFERENCE, 2)]
    assert kinds[3:5] == [(TRAINING, 1), (TRAINING, 2)]
    assert [what for what, _ in kinds[5:]] == [DATA, TOGETHER]
    assert all(rate.clips_per_second > 0 for rate in rates)
    assert verdict(rates).startswith(("The data are", "The network is"))
    for weight, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_a_pass_that_was_broken_off_leaves_no_iterator(model, videos):
    """Python would wait for it at its end, for ever."""
    ops = pytest.importorskip("tensorflow.python.data.ops.iterator_ops")

    def iterators():
        return sum(type(found) is ops.OwnedIterator for found in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = iterators()
        list(benchmark(model, videos, [1], seconds=0.01))
        assert iterators() == before
    finally:
        gc.enable()


def test_without_videos_there_is_no_verdict(model, monkeypatch):
    def quick(call, seconds):  # without compiling anything
        return 0.5

    monkeypatch.setattr(benchmarking, "_seconds_a_call", quick)
    rates = list(benchmark(model, batch_sizes=[1], seconds=0.01))
    assert [rate.what for rate in rates] == [LIMIT, INFERENCE, TRAINING]
    assert verdict(rates) == ""


def test_inference_is_that_of_what_is_given(model, monkeypatch):
    batches = []
    fast = types.SimpleNamespace(
        compute_dtype="float32", predict_on_batch=lambda clips: batches.append(clips.shape)
    )
    rates = benchmark(model, batch_sizes=[2], seconds=0.01, fast=fast)
    assert [next(rates).what for _ in range(2)] == [LIMIT, INFERENCE]
    assert set(batches) == {(2, CLIP.frames, CLIP.size, CLIP.size, 3)}


def sweep(step, sizes=(1, 2, 4, 8, 16)):
    return list(benchmarking._sweep(INFERENCE, step, CLIP, sizes, 0.01))


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: OOM"), RuntimeError("out of memory")]
)
def test_a_full_memory_ends_the_sweep(monkeypatch, error):
    monkeypatch.setattr(benchmarking, "_seconds_a_call", lambda call, seconds: call())

    def step(clips):
        if len(clips) > 2:
            raise error
        return 1.0

    rates = sweep(step)
    assert [rate.batch_size for rate in rates] == [1, 2, 4]
    assert rates[-1].note == "out of memory"
    assert math.isnan(rates[-1].clips_per_second)


def test_the_first_call_does_not_count_and_the_middle_one_does(monkeypatch):
    now, waits = [0.0], iter([9.0, 1.0, 5.0, 2.0])
    monkeypatch.setattr(benchmarking.time, "perf_counter", lambda: now[0])

    def call():
        now[0] += next(waits)

    assert benchmarking._seconds_a_call(call, seconds=4) == 2.0


def test_other_errors_are_not_hidden():
    def step(clips):
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        sweep(step)


def test_memory_that_would_not_suffice_is_not_tried(monkeypatch):
    used = iter([100.0, 200.0, 500.0])  # MiB at first and after each batch size
    monkeypatch.setattr(benchmarking, "peak_memory", lambda: next(used))
    monkeypatch.setattr(benchmarking, "available_memory", lambda: 550.0)
    monkeypatch.setattr(benchmarking, "_seconds_a_call", lambda call, seconds: call())
    rates = sweep(lambda clips: 1.0)
    assert [rate.batch_size for rate in rates] == [1, 2, 4]
    assert rates[-1].note.startswith("not tried")


def test_batches_that_bring_nothing_end_the_sweep(monkeypatch):
    monkeypatch.setattr(benchmarking, "_seconds_a_call", lambda call, seconds: call())
    rates = sweep(lambda clips: 1.0 * len(clips))  # a clip takes a second in any batch
    assert [rate.batch_size for rate in rates] == [1, 2, 4]
    assert {rate.clips_per_second for rate in rates} == {1.0}


@pytest.mark.parametrize(
    ("trained", "read", "together", "said"),
    [
        (10, 4, 4, "The data are the bottleneck: 4 clips/s can be read, 10 trained. Training from "
         "files is 60% slower than from memory."),
        (10, 40, 10.2, "The network is the bottleneck: 40 clips/s can be read, 10 trained. "
         "Training from files is 0% slower than from memory."),
        (10, 20, 5, "The network is the bottleneck: 20 clips/s can be read, 10 trained. Training "
         "from files is 50% slower than from memory, as both share the processor."),
    ],
)  # fmt: skip
def test_the_verdict(trained, read, together, said):
    rates = [
        Rate(TRAINING, 1, trained / 2),
        Rate(TRAINING, 2, trained),
        Rate(TRAINING, 4, float("nan"), "out of memory"),
        Rate(DATA, 2, read),
        Rate(TOGETHER, 2, together),
    ]
    assert verdict(rates) == said


def test_videos_that_cannot_be_read_end_it(model, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.mp4").write_bytes(b"no video")
    paths = [str(path) for path in sorted(tmp_path.iterdir())]
    with pytest.warns(UserWarning, match="cannot be read"), pytest.raises(BadVideosError):
        list(benchmark(model, paths, [1], seconds=0.01))


@pytest.mark.parametrize("change", [{"batch_sizes": [0]}, {"batch_sizes": []}, {"seconds": 0}])
def test_bad_arguments(model, change):
    with pytest.raises(ValueError, match=r"at least 1 and more than 0 seconds\. Received"):
        list(benchmark(model, **change))


@pytest.mark.backends
def test_a_product_of_matrices_has_the_work_it_is_asked_for(monkeypatch):
    shapes = []
    plain = keras.ops.matmul
    monkeypatch.setattr(keras.ops, "matmul", lambda a, b: shapes.append((a, b)) or plain(a, b))
    matrix_products(3 * 256**3, count=2)()
    matrix_products(2048**3 + 2048**2)()
    assert [a.shape[0] * b.shape[0] * b.shape[1] for a, b in shapes] == [
        3 * 256**3,
        3 * 256**3,
        2048**3 + 2048**2,
    ]
