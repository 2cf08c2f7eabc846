import pytest

from keras_acl.video.files import find_videos


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_find_videos_knows_them_by_suffix_at_any_depth(tmp_path):
    touch(tmp_path, "b.MP4", "a/x.avi", "a/deep/y.webm", "notes.txt", "a/x.csv")
    touch(tmp_path, ".hidden.mp4", ".cache/z.mp4", "a/.trash/z.mp4", "c.mkv")
    (tmp_path / "folder.mp4").mkdir()
    names = ["a/deep/y.webm", "a/x.avi", "b.MP4", "c.mkv"]
    assert find_videos(tmp_path) == [str(tmp_path / name) for name in names]


def test_find_videos_needs_a_folder(tmp_path):
    touch(tmp_path, "a.mp4")
    with pytest.raises(FileNotFoundError, match=r"no folder .*gone. Check the path"):
        find_videos(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"no folder .*a.mp4. It is a file"):
        find_videos(tmp_path / "a.mp4")
