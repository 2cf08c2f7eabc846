import contextlib
import importlib.util
import sys
import threading

import numpy as np
import pytest
from harness import to_numpy
from tiny_network import CLIP, randomize, slow, slowfast, two_stream
from video_files import write_video

from keras_acl.data import Video, VideoList
from keras_acl.inference import feature_extraction as extraction
from keras_acl.inference import predict
from keras_acl.inference.feature_extraction import Features, features, save_features
from keras_acl.video.clips import read_uniform_clips


@pytest.fixture(scope="module")
def model():
    """Its features differ more from video to video than those of a new network."""
    return randomize(two_stream())


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(0)
    return [
        str(write_video(folder / f"{n}.mp4", rng.integers(0, 256, (20, 40, 48, 3), dtype=np.uint8)))
        for n in range(3)
    ]


@pytest.mark.backends
def test_features_times_the_dense_weights_are_the_logits(model, paths):
    found = features(model, paths, clips=2, average=False, batch_size=4)
    assert found.features.shape == (3, 2, model.classifier.kernel.shape[0])
    assert found.features.dtype == np.float32
    kernel, bias = to_numpy(model.classifier.kernel), to_numpy(model.classifier.bias)
    for path, rows in zip(paths, found.features, strict=True):
        clips = read_uniform_clips(Video(path), CLIP, 2)
        logits = to_numpy(model(clips, training=False))
        np.testing.assert_allclose(rows @ kernel + bias, logits, atol=1e-5)


@pytest.mark.parametrize("build", [slowfast, slow])
def test_baselines_have_features_too(build, paths):
    network = randomize(build())
    found = features(network, paths[:1])
    kernel, bias = to_numpy(network.classifier.kernel), to_numpy(network.classifier.bias)
    logits = to_numpy(network(read_uniform_clips(Video(paths[0]), CLIP, 1), training=False))
    np.testing.assert_allclose(found.features @ kernel + bias, logits, atol=1e-5)


@pytest.fixture(scope="module")
def plain(model, paths) -> np.ndarray:
    """Features of one clip of each video."""
    clips = np.concatenate([read_uniform_clips(Video(path), CLIP, 1) for path in paths])
    return to_numpy(model.pool(*model.features(clips)))


def test_the_average_is_over_clips_and_batches_change_nothing(model, paths):
    kept = features(model, paths, clips=3, average=False, batch_size=2)
    mean = features(model, paths, clips=3, batch_size=8)
    np.testing.assert_allclose(mean.features, kept.features.mean(axis=1), rtol=1e-4, atol=1e-6)
    assert mean.features.shape == (3, model.classifier.kernel.shape[0])


def test_as_many_videos_are_decoded_at_a_time_as_there_are_workers(
    model, paths, plain, monkeypatch
):
    together = threading.Barrier(3, timeout=10)

    def in_step(*arguments):
        together.wait()
        return read_uniform_clips(*arguments)

    monkeypatch.setattr(predict, "read_uniform_clips", in_step)
    found = features(model, paths, workers=3)
    np.testing.assert_allclose(found.features, plain, rtol=1e-4, atol=1e-6)


def test_what_cannot_be_read_is_named(model, paths, plain, tmp_path):
    (tmp_path / "text.mp4").write_text("not a video")
    videos = [str(tmp_path / "none.mp4"), paths[0], tmp_path / "text.mp4"]
    seen = []
    found = features(model, videos, batch_size=2, progress=lambda *done: seen.append(done))
    assert found.paths == tuple(map(str, videos))
    assert "No such file" in found.problems[0]
    assert found.problems[1] is None
    assert "Invalid data" in found.problems[2]
    assert np.isnan(found.features).all(axis=1).tolist() == [True, False, True]
    np.testing.assert_allclose(found.features[1], plain[0], rtol=1e-4, atol=1e-6)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_records_bring_their_part_and_their_class(model, paths):
    videos = VideoList([Video(paths[0], 1, start=0.2), Video(paths[0])], ("calm", "wild"))
    found = features(model, videos)
    assert found.labels == ("wild", "")
    assert np.abs(found.features[0] - found.features[1]).max() > 1e-3
    missing = [Video("none.mp4", 7)]  # nothing is computed
    assert features(model, missing).labels == ("7",)


@pytest.mark.parametrize(
    "change", [{"videos": []}, {"clips": 0}, {"batch_size": 0}, {"workers": 0}]
)
def test_nothing_to_do_is_an_error(model, paths, change):
    with pytest.raises(ValueError, match=r"=0|0 videos"):
        features(model, **{"videos": paths, **change})


def test_an_interrupted_run_goes_on(model, paths, plain, tmp_path, monkeypatch):
    file, read = tmp_path / "unfinished.npz", []

    def reading(video, *arguments):
        read.append(video.path)
        if len(read) == 3:
            raise KeyboardInterrupt
        return read_uniform_clips(video, *arguments)

    monkeypatch.setattr(predict, "read_uniform_clips", reading)
    with pytest.raises(KeyboardInterrupt):
        features(model, paths, batch_size=1, resume=file, workers=1)
    assert file.exists()
    seen = []
    progress = lambda *done: seen.append(done)  # noqa: E731
    found = features(model, paths, batch_size=1, resume=file, progress=progress)
    assert read == [*paths, paths[2]]
    assert seen == [(3, 3)]
    assert not file.exists()
    np.testing.assert_allclose(found.features, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("content", [None, b"PK no archive", b"text"])
def test_what_another_run_left_is_not_used(model, paths, plain, tmp_path, content):
    file = tmp_path / "unfinished.npz"
    if content is None:
        rows = np.zeros((1, 1, plain.shape[1]), np.float32)
        np.savez(file, rows=rows, about="another model")
    else:
        file.write_bytes(content)
    found = features(model, paths[:1], resume=file)
    np.testing.assert_allclose(found.features, plain[:1], rtol=1e-4, atol=1e-6)


def test_what_is_done_is_kept_now_and_then(model, paths, tmp_path, monkeypatch):
    """A killed process has no chance to write."""
    file, sizes = tmp_path / "unfinished.npz", []
    kept = extraction._kept

    @contextlib.contextmanager
    def watched(*arguments):
        with kept(*arguments) as keep:

            def keep_and_look():
                keep(0.0)
                with np.load(file) as found:
                    sizes.append(int(np.isfinite(found["rows"]).all(axis=(1, 2)).sum()))

            yield keep_and_look

    monkeypatch.setattr(extraction, "_kept", watched)
    features(model, paths, batch_size=1, resume=file)
    assert sizes == [1, 2, 3]
    assert not file.exists()


# Files


def two_rows() -> Features:
    rows = np.array([[1.5, 2.5], [np.nan, np.nan]], np.float32)
    return Features(("a.mp4", "b.mp4"), ("run", ""), rows, (None, "it is broken"))


def test_npz_holds_all_without_a_pickle(tmp_path):
    save_features(two_rows(), tmp_path / "new" / "f.npz")
    with np.load(tmp_path / "new" / "f.npz", allow_pickle=False) as file:
        assert sorted(file) == ["features", "labels", "paths", "problems"]
        assert file["paths"].tolist() == ["a.mp4", "b.mp4"]
        assert file["labels"].tolist() == ["run", ""]
        assert file["problems"].tolist() == ["", "it is broken"]
        assert file["features"].dtype == np.float32
        np.testing.assert_array_equal(file["features"], two_rows().features)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["f.npz"]


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"f\.csv"):
        save_features(two_rows(), tmp_path / "f.csv")


def test_parquet_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"keras-acl\[parquet\]"):
        save_features(two_rows(), tmp_path / "f.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("by_clip", [False, True])
def test_parquet_holds_a_row_a_video(tmp_path, by_clip):
    rows = two_rows()
    if by_clip:
        rows = Features(rows.paths, rows.labels, rows.features[:, None], rows.problems)
    save_features(rows, tmp_path / "f.parquet")
    table = importlib.import_module("pyarrow.parquet").read_table(tmp_path / "f.parquet")
    content = table.to_pydict()
    assert content["path"] == ["a.mp4", "b.mp4"]
    assert content["label"] == ["run", ""]
    assert content["problem"] == ["", "it is broken"]
    np.testing.assert_array_equal(np.array(content["features"], np.float32), rows.features)


def test_a_notebook_shows_the_beginning_of_each_row():
    shown = two_rows()._repr_html_()
    for part in ("a.mp4", "run", "1.500, 2.500 (of 2)", "b.mp4", "it is broken"):
        assert part in shown
    assert "nan" not in shown
