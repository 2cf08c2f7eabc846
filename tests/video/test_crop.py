import numpy as np
import pytest
from video_files import numbered_frames, write_video

from keras_acl.clip import ClipSpec
from keras_acl.data import read_frames
from keras_acl.video.clips import read_seen
from keras_acl.video.crop import centre_crop, resized, seen_corner


@pytest.mark.parametrize(("height", "width", "size"), [(48, 64, 32), (90, 50, 17), (20, 34, 28)])
def test_it_is_what_the_readers_do(tmp_path, height, width, size):
    clip = ClipSpec(frames=1, span=1, size=size)
    video = write_video(tmp_path / "a.mp4", numbered_frames(2, height, width))
    frames = read_frames(video, [0.0], clip.test_size)
    assert frames.shape[1:3] == resized(height, width, clip.test_size)
    top, left = seen_corner(height, width, clip)
    places = np.arange(frames.size).reshape(frames.shape)
    assert centre_crop(places, size)[0, 0, 0, 0] == places[0, top, left, 0]
    seen = read_seen(video, [0.0], clip)
    np.testing.assert_array_equal(seen, frames[:, top : top + size, left : left + size])
