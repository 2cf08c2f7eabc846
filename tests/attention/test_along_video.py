import numpy as np
import pytest
from tiny_network import CLIP
from video_files import numbered_frames, write_video

from keras_acl import predict_videos
from keras_acl.attention import attention_maps
from keras_acl.attention.along_video import VideoAttention, lay_clips, parts_of
from keras_acl.data import Video, read_test_clip


def test_clips_are_laid_end_to_end_and_the_last_one_ends_with_the_video():
    windows = lay_clips(0, 40, 40, CLIP)  # spans of 16
    assert [(window.begin, window.end) for window in windows] == [(0, 16), (16, 32), (32, 40)]
    assert [window.numbers[0] for window in windows] == [0, 16, 24]
    assert windows[2].numbers.tolist() == [24, 26, 28, 30, 32, 34, 36, 39]


def test_a_short_video_has_one_clip_that_repeats_its_end():
    [window] = lay_clips(0, 5, 5, CLIP)
    assert (window.begin, window.end) == (0, 5)
    assert window.numbers.tolist() == [0, 2, 4, 4, 4, 4, 4, 4]


def test_parts_of_a_video():
    seconds = 160 / 30
    assert parts_of(seconds, CLIP, None) == [(0, seconds)]
    # uniform clips of 160 numbers: they start at 0, 48, 96
    parts = np.array(parts_of(seconds, CLIP, 3)) * 30
    np.testing.assert_allclose(parts, [[0, 16], [48, 64], [96, 112]])
    assert parts_of(seconds, CLIP, 10) == [(0, seconds)]  # all of it, no frame twice
    with pytest.raises(ValueError, match="clips=0"):
        parts_of(seconds, CLIP, 0)


def test_maps_are_those_of_the_clip_that_answers_for_the_moment(model, tmp_path):
    rng = np.random.default_rng(0)
    frames = np.repeat(rng.integers(0, 256, (48, 10, 10, 3), dtype=np.uint8), 4, axis=1)
    video = write_video(tmp_path / "a.mp4", np.repeat(frames, 4, axis=2))
    followed = VideoAttention(model, video, parts_of(1.6, CLIP, None), 1, 32)
    assert [round(second * 30) for second in followed.seconds()][:9] == [
        0,
        2,
        4,
        6,
        8,
        10,
        12,
        15,
        16,
    ]
    [prediction] = predict_videos(model, [str(video)])
    np.testing.assert_allclose(followed.scores, prediction.scores, atol=1e-5)
    assert followed.predicted == prediction.scores.argmax()

    middle = read_test_clip(Video(str(video)), CLIP)[None]  # numbers 16, 18, ..., 31
    expected = attention_maps(model, middle, [1])
    followed.at(0.0)
    for number, frame in ((16, 0), (17, 0), (18, 1), (31, 7)):
        moment = followed.at(number / 30)
        np.testing.assert_allclose(moment.spatial, expected.spatial[0], atol=1e-4)
        np.testing.assert_allclose(moment.temporal, expected.temporal[0, frame], atol=1e-4)
    assert np.abs(followed.at(40 / 30).spatial - expected.spatial[0]).max() > 0.01


def test_every_moment_of_the_video_is_shown_once(model, tmp_path):
    video = write_video(tmp_path / "a.mp4", numbered_frames(37, 32, 48))
    followed = VideoAttention(model, video, parts_of(37 / 30, CLIP, None), None, 32)
    numbers = [round(second * 30) for second in followed.seconds()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 0
    assert numbers[-1] == 36
    assert max(np.diff(numbers)) <= 3
