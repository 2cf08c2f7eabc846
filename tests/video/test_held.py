import io

import numpy as np
import pytest
from video_files import gray_to_numbers, numbered_frames, write_video

from keras_acl.video.held import name_of, on_disk
from keras_acl.video.read import read_frames
from keras_acl.video.video import DecodingError, Video


class Stream(io.RawIOBase):
    """Cannot go back, as a socket."""

    def __init__(self, data):
        self.data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.data.readinto(buffer)


@pytest.mark.parametrize("hold", [bytes, bytearray, memoryview, io.BytesIO, Stream])
def test_bytes_and_file_objects_are_videos(tmp_path, hold):
    data = write_video(tmp_path / "v.mp4", numbered_frames(5)).read_bytes()
    assert gray_to_numbers(read_frames(hold(data), np.arange(5) / 30)) == [0, 1, 2, 3, 4]


def test_an_open_file_keeps_its_name_and_leaves_no_copy(tmp_path, monkeypatch):
    path = write_video(tmp_path / "v.mp4", numbered_frames(5))
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "copies"))
    with open(path, "rb") as file:
        with on_disk(file) as copy:
            assert (copy.name, copy.read_bytes()) == ("v.mp4", path.read_bytes())
        assert name_of(file) == str(path)
    assert list((tmp_path / "copies").iterdir()) == []
    assert [name_of(source) for source in (path, Video("a"), b"")] == [str(path), "a", "video"]


def test_errors_name_what_was_given(tmp_path):
    with pytest.raises(DecodingError, match=r"^Cannot decode video: Invalid data"):
        read_frames(b"no video", [0.0])
    with pytest.raises(TypeError, match="Expected a path, a `Video`, bytes or a file object"):
        read_frames(3, [0.0])
