import keras
import numpy as np
import pytest
from tiny_network import CLIP, LABELS, two_stream
from video_files import gray_to_numbers, numbered_frames, write_video

from keras_acl.data import Video, read_test_clip
from keras_acl.inference.predict import Prediction, predict_videos, read_uniform_clips
from keras_acl.pretrained.keras_file import load_model
from keras_acl.video.video import DecodingError


@pytest.fixture(scope="module")
def model():
    return two_stream(labels=LABELS)


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


def test_top_sorts_and_keeps_the_order_of_ties():
    prediction = Prediction("a.mp4", scores=np.array([0.2, 0.5, 0.2, 0.1]))
    assert prediction.top(3) == [(1, 0.5), (0, 0.2), (2, 0.2)]
    assert len(prediction.top(9)) == 4


def test_no_clip_is_an_error(model, video):
    with pytest.raises(ValueError, match="at least one clip"):
        predict_videos(model, [str(video)], clips=0)


def test_a_part_beyond_the_end_is_an_error(video):
    with pytest.raises(DecodingError, match="begins at 5"):
        read_uniform_clips(Video(str(video), start=5.0), CLIP, 1)


def test_models_load_from_file_and_run_folder(model, tmp_path):
    model.save(tmp_path / "model.keras")
    for path in (tmp_path, tmp_path / "model.keras"):
        loaded = load_model(path)
        assert (loaded.clip, loaded.labels) == (CLIP, LABELS)


def test_what_is_no_model_of_ours_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no model at .*\.keras"):
        load_model(tmp_path)
    (tmp_path / "text.keras").write_text("no zip")
    with pytest.raises(ValueError, match=r"not a \.keras file"):
        load_model(tmp_path / "text.keras")
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="holds a Sequential"):
        load_model(tmp_path / "other.keras")


def test_a_cut_model_file_is_refused(model, tmp_path):
    model.save(tmp_path / "whole.keras")
    whole = (tmp_path / "whole.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="Is it whole"):
        load_model(tmp_path / "cut.keras")
