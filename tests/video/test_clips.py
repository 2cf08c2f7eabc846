import numpy as np
import pytest
from video_files import gray_to_numbers

from keras_acl.clip import ClipSpec
from keras_acl.video.clips import part_of, read_clip
from keras_acl.video.frame_table import VideoInfo
from keras_acl.video.video import DecodingError, Video

CLIP = ClipSpec(frames=4, span=8, fps=30.0, size=16)


def test_read_clip_takes_the_centre(numbered_video):
    # 81 frames, a span of 8: it starts at 36.5, and the offsets are 0, 7/3, 14/3 and 7.
    clip = read_clip(Video(str(numbered_video)), CLIP, short_side=16)
    assert gray_to_numbers(clip) == [36, 38, 41, 43]
    assert clip.shape == (4, 16, 24, 3)


def test_read_clip_takes_random_clips(numbered_video):
    video = Video(str(numbered_video))
    starts = set()
    for seed in range(20):
        numbers = gray_to_numbers(read_clip(video, CLIP, np.random.default_rng(seed)))
        assert np.subtract(numbers, numbers[0]).tolist() == [0, 2, 4, 7]
        starts.add(numbers[0])
    assert len(starts) > 10
    assert max(starts) <= 81 - 8


def test_read_clip_stays_inside_the_part_that_counts(numbered_video):
    video = Video(str(numbered_video), start=1.0, end=1.5)  # frames 30 to 44
    seen = set()
    for seed in range(30):
        seen.update(gray_to_numbers(read_clip(video, CLIP, np.random.default_rng(seed))))
    assert seen == set(range(30, 45))


def test_read_clip_repeats_the_last_frame_of_a_short_part(numbered_video):
    video = Video(str(numbered_video), start=1.0, end=1.1)
    assert gray_to_numbers(read_clip(video, CLIP)) == [30, 32, 32, 32]


def test_a_part_is_cut_at_the_end_of_its_file():
    info = VideoInfo(seconds=10.0, frames=300, fps=30.0, width=48, height=32)
    assert part_of(Video("v.mp4"), info) == (0.0, 10.0)
    assert part_of(Video("v.mp4", start=2.0, end=5.0), info) == (2.0, 3.0)
    assert part_of(Video("v.mp4", start=8.0, end=12.0), info) == (8.0, 2.0)
    with pytest.raises(DecodingError, match=r"v.mp4: it ends after 10.00 s, .* begins at 10.50 s"):
        part_of(Video("v.mp4", start=10.5), info)
