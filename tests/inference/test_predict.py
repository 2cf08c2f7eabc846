import base64
import io
import os
import threading
import time

import av
import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image
from tiny_network import CLIP, LABELS
from video_files import gray_to_number, gray_to_numbers, numbered_frames, write_video

from keras_acl.data import Video, read_test_clip
from keras_acl.inference import predict
from keras_acl.inference.predict import Prediction, Predictions, predict_videos
from keras_acl.system import html
from keras_acl.video.clips import read_uniform_clips
from keras_acl.video.video import DecodingError


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    frames = numbered_frames(48, 40, 64)
    return write_video(tmp_path_factory.mktemp("videos") / "numbered.mp4", frames)


def test_clips_are_spread_over_the_video_and_cropped(video):
    # 48 frames, spans of 16: starts 0, 32/3 and 64/3, eight frames each, 15/7 apart, truncated
    clips = read_uniform_clips(Video(str(video)), CLIP, 3)
    assert clips.shape == (3, 8, 32, 32, 3)
    assert gray_to_numbers(clips[0]) == [0, 2, 4, 6, 8, 10, 12, 15]
    assert gray_to_numbers(clips[1]) == [10, 12, 14, 17, 19, 21, 23, 25]
    assert gray_to_numbers(clips[2]) == [21, 23, 25, 27, 29, 32, 34, 36]


def test_one_clip_is_what_validation_sees(video):
    record = Video(str(video))
    np.testing.assert_array_equal(
        read_uniform_clips(record, CLIP, 1)[0], read_test_clip(record, CLIP)
    )


def test_scores_are_the_mean_softmax_of_the_clips(model, video):
    [prediction] = predict_videos(model, [str(video)], clips=3)
    logits = model.predict(read_uniform_clips(Video(str(video)), CLIP, 3), verbose=0)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(prediction.scores, expected.mean(axis=0), rtol=1e-5)
    assert prediction.problem is None


def test_of_several_labels_a_clip_they_are_the_mean_sigmoid(model, video):
    several = model.copy_with(multi_label=True)
    [prediction] = predict_videos(several, [str(video)], clips=3)
    logits = model.predict(read_uniform_clips(Video(str(video)), CLIP, 3), verbose=0)
    np.testing.assert_allclose(prediction.scores, (1 / (1 + np.exp(-logits))).mean(0), rtol=1e-5)


def test_labels_above_a_threshold_best_first():
    one = Prediction("a.mp4", np.array([0.5, 0.1, 0.75, 0.4]))
    assert one.above() == [(2, 0.75), (0, 0.5)]
    assert [index for index, _ in one.above(0.4)] == [2, 0, 3]
    assert Prediction("a.mp4", problem="broken").above() == []


def test_an_unreadable_file_is_a_problem_and_the_others_are_not(model, video, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    seen = []
    predictions = predict_videos(
        model, [str(broken), str(video)], clips=1, progress=lambda *done: seen.append(done)
    )
    assert predictions[0].scores is None
    assert predictions[0].problem
    assert predictions[0].top(3) == []
    assert predictions[1].scores.sum() == pytest.approx(1, abs=1e-5)
    assert seen == [(1, 2), (2, 2)]


def test_as_many_videos_are_decoded_at_a_time_as_there_are_workers(model, video, monkeypatch):
    together = threading.Barrier(3, timeout=10)

    def in_step(record, clip, count):
        together.wait()
        time.sleep(0.05 * ("a" in record.path))  # the first one is read last
        return np.full((count, 8, 32, 32, 3), 255 * ("a" in record.path), np.uint8)

    monkeypatch.setattr(predict, "read_uniform_clips", in_step)
    found = predict_videos(model, ["a.mp4", "b.mp4", "c.mp4"], clips=1, workers=3)
    assert [prediction.path for prediction in found] == ["a.mp4", "b.mp4", "c.mp4"]
    np.testing.assert_array_equal(found[1].scores, found[2].scores)
    assert np.abs(found[0].scores - found[1].scores).max() > 0
    assert found[0].labels == LABELS


def test_a_notebook_shows_frames_and_bars(video):
    scores = np.array([0.2, 0.5, 0.2, 0.1])
    names = ("a", "<b>", "c", "d")
    found = Predictions(
        [Prediction(str(video), scores, labels=names), Prediction("gone.mp4", problem="no <file>")]
    )
    shown = found._repr_html_()
    frame = imread(io.BytesIO(base64.b64decode(shown.split("base64,")[1].split('"')[0])), "jpeg")
    assert gray_to_number(frame) == 24  # the middle of 48 frames
    assert shown.index("width:60px") < shown.index("&lt;b&gt; 50%") < shown.index("width:24px")
    assert "cannot be read: no &lt;file&gt;" in shown
    assert "class 1 50%" in Prediction("gone.mp4", scores)._repr_html_()
    many = Predictions([found[1]] * (html.MOST_ROWS + 7))._repr_html_()
    assert many.count("gone.mp4") == html.MOST_ROWS
    assert "and 7 more" in many


def test_top_sorts_and_keeps_the_order_of_ties():
    prediction = Prediction("a.mp4", scores=np.array([0.2, 0.5, 0.2, 0.1]))
    assert prediction.top(3) == [(1, 0.5), (0, 0.2), (2, 0.2)]
    assert len(prediction.top(9)) == 4


def test_no_clip_is_an_error(model, video):
    with pytest.raises(ValueError, match="count=0"):
        predict_videos(model, [str(video)], clips=0)


def test_a_part_beyond_the_end_is_an_error(video):
    with pytest.raises(DecodingError, match=r"5\.00 s"):
        read_uniform_clips(Video(str(video), start=5.0), CLIP, 1)


def save_pictures(folder, count):
    folder.mkdir()
    for number, image in enumerate(numbered_frames(count, 40, 64), 1):
        Image.fromarray(image).save(folder / f"img_{number:05d}.png")
    return folder


def test_bytes_file_objects_and_pictures_are_classified_like_files(model, video, tmp_path):
    pictures = Video(str(save_pictures(tmp_path / "v", 48)), fps=30)
    with open(video, "rb") as file:
        sources = [video, video.read_bytes(), file, pictures, b"no video"]
        found = predict_videos(model, sources, clips=2)
    assert [one.path for one in found] == [
        *(str(video), "video", str(video), str(tmp_path / "v"), "video")
    ]
    for one in found[1:3]:
        np.testing.assert_allclose(one.scores, found[0].scores, rtol=1e-5)
    np.testing.assert_allclose(found[3].scores, found[0].scores, atol=0.02)
    assert found[4].problem == "Invalid data found when processing input"


def test_good_videos_keep_their_results_beside_impossible_ones(model, video, tmp_path):
    strip = tmp_path / "strip.nut"
    with av.open(str(strip), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 30000, 1, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(30000, 1, "yuv420p")))
    tiny = write_video(tmp_path / "tiny.mp4", numbered_frames(20, 2, 2))
    os.mkfifo(tmp_path / "pipe.mp4")
    bad, small, good, pipe = predict_videos(model, [strip, tiny, video, tmp_path / "pipe.mp4"])
    assert bad.problem.startswith("frames of 30000x1 are larger than the limits")
    assert pipe.problem == "it is no regular file"
    assert good.problem is small.problem is None
    assert good.scores.sum() == pytest.approx(1, abs=1e-5)
