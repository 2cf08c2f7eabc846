import csv
import dataclasses
import itertools
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from harness import to_numpy
from hypothesis import given
from hypothesis import strategies as st
from tiny_network import CLIP, LABELS, two_stream
from video_files import numbered_frames, write_video

from keras_acl.data import DecodingError, read_frames
from keras_acl.inference.timeline import Segment, Timeline, predict_timeline
from keras_acl.video.crop import centre_crop
from keras_acl.video.sampling import frame_offsets


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    frames = np.random.default_rng(0).integers(0, 256, (70, 40, 64, 3), dtype=np.uint8)
    return write_video(tmp_path_factory.mktemp("videos") / "noise.mp4", frames)


def timeline(scores, start=0.0, stride=1.0, length=2.0, labels=("a", "b", "c")) -> Timeline:
    starts = start + stride * np.arange(len(scores))
    times = np.stack([starts, starts + length], axis=1)
    scores = np.array(scores, np.float32)
    return Timeline("v.mp4", times, scores, labels[: scores.shape[1]])


# predict_timeline


def test_windows_equal_read_frames_and_the_model(model, video):
    seen = []
    result = predict_timeline(model, video, progress=lambda *done: seen.append(done))
    # 70 frames, windows of 16 every 8: 0, 8, ..., 48, and the last at 54
    expected = np.array([0, 8, 16, 24, 32, 40, 48, 54]) / 30
    np.testing.assert_allclose(result.times[:, 0], expected)
    np.testing.assert_allclose(result.times[:, 1], expected + 16 / 30)
    assert (result.path, result.labels, result.problem) == (str(video), LABELS, None)
    assert result.scores.shape == (8, 3)
    for window in (0, 3, 7):
        times = result.times[window, 0] + frame_offsets(CLIP) / CLIP.fps
        clip = centre_crop(read_frames(video, times, CLIP.test_size), CLIP.size)
        logits = to_numpy(model(clip[None], training=False))[0]
        softmax = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(result.scores[window], softmax, rtol=1e-4)
    assert [done for done, _ in seen] == [40 / 30, 70 / 30]
    assert seen[0][1] == pytest.approx(70 / 30, abs=0.01)


def test_of_several_labels_a_clip_scores_are_the_sigmoid_of_each(model, video):
    softmax = predict_timeline(model, video).scores
    found = predict_timeline(model.copy_with(multi_label=True), video)
    assert found.multi_label
    sigmoid = found.scores
    odds = sigmoid / (1 - sigmoid)
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), softmax, rtol=1e-4)
    assert np.abs(sigmoid.sum(axis=1) - 1).min() > 0.1


def test_batches_change_nothing(model, video):
    whole = predict_timeline(model, video, stride=0.1, batch_size=4)
    np.testing.assert_allclose(
        predict_timeline(model, video, stride=0.1, batch_size=7).scores, whole.scores, rtol=1e-4
    )
    assert len(whole.times) == 19  # every 3 frames from 0 to 54


def test_one_frame_is_one_window(model, tmp_path):
    result = predict_timeline(model, write_video(tmp_path / "v.mp4", numbered_frames(1)))
    assert result.scores.shape == (1, 3)
    [segment] = result.segments(threshold=0)
    assert (segment.start, segment.end) == (0, pytest.approx(1 / 30))


def test_a_file_cut_short_keeps_what_was_read(model, tmp_path):
    path = write_video(tmp_path / "v.mkv", numbered_frames(80, 40, 64))
    whole = predict_timeline(model, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    cut = predict_timeline(model, path)
    assert "far from its stated end" in cut.problem
    assert 2 <= len(cut.times) < len(whole.times)
    np.testing.assert_allclose(cut.scores[0], whole.scores[0], rtol=1e-4)


@pytest.mark.parametrize("content", [None, b"", b"not a video"])
def test_what_is_no_video_is_an_error(model, tmp_path, content):
    path = tmp_path / "v.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DecodingError, match=r"^Cannot decode .*v\.mp4: (No such|Invalid data)"):
        predict_timeline(model, path)


def test_mistakes_are_told(model, video):
    with pytest.raises(ValueError, match="batch_size=0"):
        predict_timeline(model, video, batch_size=0)
    with pytest.raises(ValueError, match="stride=9"):
        predict_timeline(model, video, stride=9)


def test_classes_without_names_are_numbered(video):
    result = predict_timeline(two_stream(labels=None), video)
    assert result.labels == ("class 0", "class 1", "class 2")


def test_an_interrupt_stops_the_reading(video):
    class Interrupted(keras.Model):
        clip, labels, num_classes = CLIP, None, 2

        def predict_on_batch(self, x):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_timeline(Interrupted(), video)


# Moments and segments


def test_a_moment_is_the_mean_of_the_windows_that_cover_it():
    # windows 0-2, 1-3, 2-4: from 1 to 2 the first two cover it
    edges, scores = timeline([[1, 0], [0.5, 0.5], [0, 1]]).moments()
    np.testing.assert_allclose(edges, [0, 1, 2, 3, 4])
    np.testing.assert_allclose(scores[:, 0], [1, 0.75, 0.25, 0])


def test_smoothing_takes_neighbouring_windows():
    _, scores = timeline([[1, 0], [1, 0], [0, 1], [0, 1]], length=1.0).moments(smoothing=3)
    np.testing.assert_allclose(scores[:, 0], [1, 2 / 3, 1 / 3, 0], atol=1e-7)
    for smoothing in (0, 2, -1):
        with pytest.raises(ValueError, match=f"smoothing={smoothing}"):
            timeline([[1, 0]]).moments(smoothing)


def test_segments_of_several_labels_may_overlap():
    scores = [[0.9, 0.1, 0], [0.7, 0.6, 0], [0.2, 0.8, 0], [0.9, 0.1, 0.4]]
    several = dataclasses.replace(timeline(scores, length=1.0), multi_label=True)
    found = several.segments(smoothing=1)
    assert [(s.label, s.start, s.end) for s in found] == [
        ("a", 0, 2),
        ("b", 1, 3),
        ("a", 3, 4),
    ]
    assert [s.score for s in found] == pytest.approx([0.8, 0.7, 0.9])
    found = several.segments(smoothing=1, threshold=0.4, minimum=1.0)
    assert ("c", 3, 4) in [(s.label, s.start, s.end) for s in found]
    assert several.segments(threshold=1.0) == []


def test_segments_by_hand():
    result = timeline([[0.9, 0.1, 0], [0.7, 0.3, 0], [0.2, 0.8, 0]], length=1.0)
    first, second = result.segments(smoothing=1)
    assert first == Segment(0, 2, "a", pytest.approx(0.8))
    assert second == Segment(2, 3, "b", pytest.approx(0.8))
    # over three: .8, .6, .45 for a; .2, .4, .55 for b
    first, second = result.segments(smoothing=3)
    assert first == Segment(0, 2, "a", pytest.approx(0.7))
    assert second == Segment(2, 3, "b", pytest.approx(0.55))


def test_the_score_of_a_segment_counts_every_second_once():
    times = np.array([[0.0, 2.0], [1.0, 3.0], [1.5, 3.5]])
    result = Timeline("v", times, np.array([[1, 0], [0.8, 0.2], [0.6, 0.4]]), ("a", "b"))
    # edges 0, 1, 1.5, 2, 3, 3.5: 1, .9, .8, .7, .6
    [segment] = result.segments(smoothing=1)
    assert segment.score == pytest.approx((1 + 0.45 + 0.4 + 0.7 + 0.3) / 3.5)


def test_below_the_threshold_there_is_no_segment():
    result = timeline([[0.9, 0.1], [0.45, 0.55], [0.9, 0.1]], length=1.0)
    found = result.segments(smoothing=1, threshold=0.6)
    assert [(segment.start, segment.end, segment.label) for segment in found] == [
        (0, 1, "a"),
        (2, 3, "a"),
    ]
    assert result.segments(smoothing=1, threshold=0.95) == []


def test_short_segments_can_be_left_out():
    result = timeline([[0, 1], [0, 1], [1, 0], [0, 1]], length=1.0)
    assert [s.end - s.start for s in result.segments(smoothing=1, minimum=2)] == [2]
    assert len(result.segments(smoothing=1, minimum=1)) == 3


@given(
    scores=st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=30),
    stride=st.integers(1, 10),
    smoothing=st.sampled_from([1, 3, 5]),
)
def test_segments_cover_every_moment_once_and_in_order(scores, stride, smoothing):
    scores = np.array(scores) / np.sum(scores, axis=1, keepdims=True)
    result = timeline(scores, stride=stride / 10, length=1.0)
    found = result.segments(smoothing, threshold=0)
    assert found[0].start == 0
    assert found[-1].end == result.times[-1, 1]
    for one, following in itertools.pairwise(found):
        assert one.end == following.start
        assert one.label != following.label
    assert all(1 / 3 - 1e-6 <= segment.score <= 1 + 1e-6 for segment in found)


# Files


def test_files_hold_what_was_found(tmp_path):
    result = timeline([[0.9, 0.1], [0.2, 0.8]], length=1.0, labels=("a, b", "ü"))
    segments = result.segments(smoothing=1)
    result.to_csv(tmp_path / "new" / "v.csv", segments)
    lines = (tmp_path / "new" / "v.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(lines))
    assert rows == [
        {"start": "0.0", "end": "1.0", "label": "a, b", "score": "0.9"},
        {"start": "1.0", "end": "2.0", "label": "ü", "score": "0.8"},
    ]
    result.to_json(tmp_path / "v.json", segments)
    content = json.loads((tmp_path / "v.json").read_text(encoding="utf-8"))
    assert content == {
        "path": "v.mp4",
        "problem": None,
        "seconds": 2.0,
        "segments": [
            {"start": 0.0, "end": 1.0, "label": "a, b", "score": 0.9},
            {"start": 1.0, "end": 2.0, "label": "ü", "score": 0.8},
        ],
        "labels": ["a, b", "ü"],
        "times": [[0, 1], [1, 2]],
        "scores": [[0.9, 0.1], [0.2, 0.8]],
    }
    assert "scores" not in result.to_dict(windows=False)


def test_files_hold_the_usual_segments_by_default(tmp_path):
    result = timeline([[0.9, 0.1], [0.2, 0.8]], length=1.0)
    result.to_csv(tmp_path / "v.csv")
    assert len((tmp_path / "v.csv").read_text().splitlines()) == 1 + len(result.segments())
