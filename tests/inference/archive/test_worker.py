import contextlib
import os

import fsspec
import numpy as np
import pytest
from tiny_network import LABELS, slow
from video_files import numbered_frames, write_video

from keras_acl.engines import InferenceModel
from keras_acl.inference import load
from keras_acl.inference.archive.manifest import Item
from keras_acl.inference.archive.options import ArchiveOptions
from keras_acl.inference.archive.worker import ArchiveWorker, best, computing, model_digest
from keras_acl.inference.feature_extraction import features
from keras_acl.inference.predict import predict_videos
from keras_acl.system.devices import tensorflow
from keras_acl.video.video import Video

EVERYTHING = ArchiveOptions(clips=2, features=True, per_stream=True)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return [
        str(write_video(folder / f"{length}.mp4", numbered_frames(length, 40, 64)))
        for length in (30, 40, 50)
    ]


@pytest.fixture
def worker(monkeypatch, model, saved):
    """Makes workers of the network, which is loaded, and compiled, once."""
    monkeypatch.setattr(load, "load_for_inference", lambda *arguments: model)
    return lambda options=EVERYTHING: ArchiveWorker(str(saved), options, 2, {})


def items(paths):
    return [Item(os.path.basename(path), Video(path)) for path in paths]


@pytest.mark.backends
def test_rows_say_what_predict_and_features_say(worker, model, videos):
    one = worker()
    rows = one.classify(items(videos))
    assert [row["path"] for row in rows] == ["30.mp4", "40.mp4", "50.mp4"]
    for row, expected in zip(rows, predict_videos(model, videos, clips=2), strict=True):
        top = expected.top(3)
        assert row["labels"] == [LABELS[index] for index, _ in top]
        assert (row["label"], row["score"]) == (row["labels"][0], row["scores"][0])
        np.testing.assert_allclose(row["scores"], [score for _, score in top], rtol=1e-5)
    expected = features(model, videos, clips=2).features
    np.testing.assert_allclose([row["features"] for row in rows], expected, rtol=1e-4, atol=1e-6)


def test_each_stream_says_what_it_says_alone(worker, model, videos):
    kernel = np.zeros(model.classifier.kernel.shape, np.float32)
    channels = kernel.shape[0] - len(model.class_weights[1])
    kernel[:channels, 0] = 1  # the spatial stream says left, the temporal one up
    kernel[channels:, 2] = 1
    before = model.classifier.get_weights()
    model.classifier.set_weights([kernel, np.zeros(3)])
    try:
        [row] = worker().classify(items(videos[:1]))
    finally:
        model.classifier.set_weights(before)
    assert (row["spatial_label"], row["temporal_label"]) == ("left", "up")


def test_bad_videos_are_rows_too(worker, videos, tmp_path, monkeypatch):
    broken = tmp_path / "broken\n.mp4"
    broken.write_text("no video")
    part = Item("late", Video(videos[0], start=9, end=10))
    asked = [*items([str(broken), videos[0], str(tmp_path / "gone.mp4")]), part]
    rows = worker(ArchiveOptions(clips=1)).classify(asked)
    assert [row["path"] for row in rows] == [r"broken\n.mp4", "30.mp4", "gone.mp4", "late"]
    assert [row.get("problem") for row in rows[:3]] == [
        *("Invalid data found when processing input", None, "No such file or directory")
    ]
    assert rows[3]["problem"].startswith("it ends after 1.00 s")
    assert (rows[3]["start"], rows[3]["end"]) == (9, 10)
    assert set(rows[1]) == {"path", "start", "end", "label", "score", "labels", "scores"}


def test_whatever_goes_wrong_in_reading_is_that_video_s(worker, videos, monkeypatch):
    from keras_acl.inference.archive import worker as module

    honest = module.read_uniform_clips

    def read(video, *more):
        if "40" in video.path:
            raise ZeroDivisionError("a bug")
        return honest(video, *more)

    monkeypatch.setattr(module, "read_uniform_clips", read)
    rows = worker(ArchiveOptions(clips=1)).classify(items(videos))
    assert [row.get("problem") for row in rows] == [None, "ZeroDivisionError: a bug", None]


def test_videos_at_addresses(worker, videos):
    files = fsspec.filesystem("memory")
    with open(videos[0], "rb") as content, contextlib.ExitStack() as stack:
        stack.callback(files.rm, "/archive", recursive=True)
        files.pipe("/archive/a.mp4", content.read())
        there = Item("a.mp4", Video("memory://archive/a.mp4"))
        gone = Item("b.mp4", Video("memory://archive/b.mp4"))
        found, missing = worker(ArchiveOptions(clips=1)).classify([there, gone])
    [here] = worker(ArchiveOptions(clips=1)).classify(items(videos[:1]))
    np.testing.assert_allclose(found["scores"], here["scores"], rtol=1e-6)
    assert missing["problem"] == "No such file"


def test_the_best_five_in_order():
    found = best(np.array([0.1, 0.2, 0.2, 0.05, 0.3, 0.15]), list("abcdef"), "spatial_")
    assert found["spatial_labels"] == list("ebcfa")
    assert found["spatial_label"] == "e"
    assert found["spatial_score"] == 0.3


@pytest.mark.backends
def test_a_model_of_one_stream_has_none_alone():
    with pytest.raises(ValueError, match="SlowClassifier has no two streams"):
        computing(slow(), ("logits", "spatial_logits", "temporal_logits"))


def test_the_digest_is_that_of_the_files(saved, tmp_path):
    copy = tmp_path / "copy.keras"
    with open(saved, "rb") as content:
        copy.write_bytes(content.read())
    assert model_digest(str(copy)) == model_digest(str(saved))
    copy.write_bytes(b"other")
    assert model_digest(str(copy)) != model_digest(str(saved))
    assert model_digest("demo") == model_digest("demo")


def test_environment_is_set_before_the_model_is_loaded(saved, monkeypatch):
    seen = []
    monkeypatch.setenv("KERAS_ACL_TEST", "before")
    monkeypatch.setattr(
        load, "load_for_inference", lambda *a: seen.append(os.environ["KERAS_ACL_TEST"])
    )
    one = ArchiveWorker(str(saved), ArchiveOptions(), 1, {"KERAS_ACL_TEST": "set"})
    with contextlib.suppress(AttributeError):  # None is no model
        one.load()
    assert seen == ["set"]


@pytest.mark.skipif(tensorflow() is None, reason="TensorFlow has the exporters")
def test_exported_models_answer_too(model, videos, tmp_path):
    pytest.importorskip("openvino")
    from keras_acl.inference.export_model import export

    file = tmp_path / "model.xml"
    export(model, file, maps=True)
    rows = ArchiveWorker(str(file), EVERYTHING, 2, {}).classify(items(videos))
    for row, expected in zip(rows, predict_videos(model, videos, clips=2), strict=True):
        np.testing.assert_allclose(row["scores"], np.sort(expected.scores)[::-1], atol=1e-4)
    assert len(rows[0]["features"]) == model.classifier.kernel.shape[0]
    bare = tmp_path / "bare.xml"
    export(model, bare)
    with pytest.raises(ValueError, match=r"bare\.xml has no spatial_logits"):
        ArchiveWorker(str(bare), EVERYTHING, 2, {}).load()
    (file.with_suffix(".bin")).write_bytes(b"")
    assert model_digest(str(file)) != model_digest(str(bare))
    assert InferenceModel.load(bare).outputs == ("logits",)
