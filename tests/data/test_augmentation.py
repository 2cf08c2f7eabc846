import math

import numpy as np
import pytest
from video_files import gray_to_numbers, numbered_frames, write_video

from keras_acl.clip import ClipSpec
from keras_acl.data.augmentation import (
    Augmentation,
    draw_corner,
    draw_short_side,
    read_test_clip,
    read_training_clip,
)
from keras_acl.video.crop import centre_crop
from keras_acl.video.sampling import record_rng
from keras_acl.video.video import Video


def coordinates(frames: int, height: int, width: int) -> np.ndarray:
    """Frames (T, H, W, 3) whose channels tell frame, row and column."""
    grid = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    return np.stack(grid, axis=-1).astype(np.uint8)


def ramp_video(path, frames=12, height=32, width=64):
    """A video that brightens from left to right, from 0 to 252."""
    ramp = np.broadcast_to(4 * np.arange(width, dtype=np.uint8)[:, None], (width, 3))
    return write_video(path, np.broadcast_to(ramp, (frames, height, width, 3)).copy())


def test_random_crops_reach_every_place():
    places = {draw_corner(10, 11, 8, np.random.default_rng(seed)) for seed in range(200)}
    assert places == {(top, left) for top in range(3) for left in range(4)}
    assert draw_corner(8, 8, 8, np.random.default_rng(0)) == (0, 0)


def test_the_centre_crop_rounds_up():
    # (11 - 8) / 2 = 1.5 -> 2 and (13 - 8) / 2 = 2.5 -> 3
    assert centre_crop(coordinates(1, 11, 13), 8)[0, 0, 0].tolist() == [0, 2, 3]
    assert centre_crop(coordinates(1, 8, 8), 8)[0, 0, 0].tolist() == [0, 0, 0]


def test_half_of_the_clips_are_flipped(tmp_path):
    video = Video(str(ramp_video(tmp_path / "a.mp4")))
    clip, flips = ClipSpec(frames=2, span=4, size=16), 0
    for seed in range(100):
        row = read_training_clip(video, clip, Augmentation(), record_rng(seed, 0, 0))[0, 8, :, 0]
        flips += bool(row[0] > row[-1])
    assert flips == pytest.approx(50, abs=15)


def test_the_short_side_is_uniform_in_256_to_320():
    rng = np.random.default_rng(0)
    drawn = np.array([draw_short_side(224, Augmentation().scale, rng) for _ in range(6500)])
    assert drawn.min() == 256
    assert drawn.max() == 320
    assert drawn.mean() == pytest.approx(288, abs=1)
    assert np.bincount(drawn)[256:].min() > 60  # 100 expected for each of 65 sizes


def test_a_training_clip_has_the_frames_the_index_arithmetic_says(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered_frames(60))
    clip = ClipSpec(frames=4, span=8, size=32)
    starts = set()
    for seed in range(20):
        frames = read_training_clip(Video(str(path)), clip, Augmentation(), record_rng(seed, 0, 0))
        assert frames.shape == (4, 32, 32, 3)
        assert frames.dtype == np.uint8
        assert frames.flags.c_contiguous
        numbers = gray_to_numbers(frames)
        assert [n - numbers[0] for n in numbers] == [0, 2, 4, 7]
        starts.add(numbers[0])
    assert len(starts) > 10
    assert max(starts) <= 52


def test_the_same_chance_gives_the_same_clip(tmp_path):
    video = Video(str(ramp_video(tmp_path / "a.mp4")))
    clip = ClipSpec(frames=2, span=4, size=16)
    once, again, other = (
        read_training_clip(video, clip, Augmentation(), record_rng(1, 2, index))
        for index in (3, 3, 4)
    )
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)


def test_scale_and_flip_are_obeyed(tmp_path):
    """On a ramp of 64 columns x 4 gray levels, one pixel of a 16-pixel crop spans 4 * 32/short."""
    video = Video(str(ramp_video(tmp_path / "a.mp4")))
    clip = ClipSpec(frames=2, span=4, size=16)
    for scale, step in ((1.0, 8.0), (2.0, 4.0)):
        for flip, sign in ((0.0, 1), (1.0, -1)):
            augmentation = Augmentation(scale=(scale, scale), flip=flip)
            row = read_training_clip(video, clip, augmentation, record_rng(0, 0, 0))[0, 8, 2:14, 0]
            slope = np.polyfit(np.arange(12), row.astype(float), 1)[0]
            assert slope == pytest.approx(sign * step, abs=0.5)


def test_the_test_clip_is_the_centre_of_the_centre(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered_frames(60))
    clip = ClipSpec(frames=4, span=8, size=28)
    frames = read_test_clip(Video(str(path)), clip)
    assert frames.shape == (4, 28, 28, 3)
    assert gray_to_numbers(frames) == [26, 28, 30, 33]  # floor((60 - 8) / 2) + [0, 2, 4, 7]


def test_the_test_crop_is_scaled_to_the_test_size(tmp_path):
    # 64 x 32 pixels -> short side 16 (size 14): 32 columns of 8 levels; columns 9 to 22 remain
    video = Video(str(ramp_video(tmp_path / "a.mp4")))
    row = read_test_clip(video, ClipSpec(frames=2, span=4, size=14))[0, 7, :, 0].astype(float)
    assert np.polyfit(np.arange(14), row, 1)[0] == pytest.approx(8, abs=0.3)
    assert row.mean() == pytest.approx(8 * (9 + 6.5) + 2, abs=3)


@pytest.mark.parametrize("scale", [(0.9, 1.2), (1.3, 1.2), (math.nan, 1.2)])
def test_a_scale_that_no_crop_fits_is_refused(scale):
    with pytest.raises(
        ValueError, match=r"expected 1 <= scale\[0\] <= scale\[1\]. Received: scale="
    ):
        Augmentation(scale=scale)


@pytest.mark.parametrize("name", ["flip", "randaugment", "mixup"])
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_shares_are_from_0_to_1(name, value):
    with pytest.raises(ValueError, match=f"Augmentation.{name} is from 0 to 1. Received: {name}="):
        Augmentation(**{name: value})
