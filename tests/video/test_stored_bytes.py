import fsspec
import pytest
from video_files import gray_to_numbers, numbered_frames, write_video

from keras_acl.video.frame_table import probe
from keras_acl.video.read import read_frames
from keras_acl.video.stored_bytes import StoredBytes
from keras_acl.video.video import DecodingError, Video


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A file with two videos and other bytes; where each is."""
    folder = tmp_path_factory.mktemp("stored")
    parts = [
        write_video(folder / f"{count}.mp4", numbered_frames(count)).read_bytes()
        for count in (20, 40)
    ]
    file = folder / "store.bin"
    file.write_bytes(b"before" + parts[0] + b"between" + parts[1] + b"behind")
    first = 6 + len(parts[0])
    return (
        file,
        StoredBytes(str(file), 6, len(parts[0])),
        StoredBytes(str(file), first + 7, len(parts[1])),
    )


def test_videos_in_one_file_are_read_as_files_are(stored):
    _, first, second = stored
    videos = [Video("first", content=first), Video("second", content=second)]
    assert [probe(video).frames for video in videos] == [20, 40]
    assert gray_to_numbers(read_frames(videos[0], [0, 10 / 30])) == [0, 10]
    assert gray_to_numbers(read_frames(videos[1], [30 / 30, 39 / 30])) == [30, 39]
    assert len({*videos, Video("first", content=first)}) == 2


def test_bytes_at_an_address(stored):
    file, first, _ = stored
    files = fsspec.filesystem("memory")
    try:
        files.pipe("/stored/store.bin", file.read_bytes())
        there = StoredBytes("memory://stored/store.bin", first.start, first.size)
        assert there() == first()
        assert StoredBytes("memory://stored/store.bin")() == file.read_bytes()
    finally:
        files.rm("/stored", recursive=True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (StoredBytes("gone.bin"), "No such file or directory"),
        (StoredBytes("memory://gone/a.bin"), "No such file"),
        (StoredBytes("nosuch://a/b.bin"), "Protocol not known: nosuch"),
        (StoredBytes(__file__, 5, 10**9), r"ends at byte \d+, and the video at byte 1000000005"),
        (StoredBytes(__file__), "Invalid data found"),
    ],
)
def test_what_cannot_be_read_is_that_video_s_error(content, reason):
    with pytest.raises(DecodingError, match=f"^Cannot decode name: .*{reason}"):
        probe(Video("name", content=content))


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXTINF:1,\nfile:{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
    ],
)
def test_bytes_open_nothing_else(playlist, tmp_path):
    video = write_video(tmp_path / "a.mp4", numbered_frames(5))
    text = playlist.format(video).encode()
    with pytest.raises(DecodingError, match=r"Invalid (data|argument)"):
        probe(Video("list", content=lambda: text))
