import os
from pathlib import Path

import pytest

from keras_acl.video.files import find_videos, is_frame_folder, is_url, list_files


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


def test_folders_of_numbered_pictures_are_videos(tmp_path):
    touch(tmp_path, "jump/v1/img_00001.jpg", "jump/v1/img_00002.jpg", "jump/v2.mp4")
    touch(tmp_path, "run/deep/v3/1.png", "run/deep/v3/2.png", "run/deep/v3/.10.jpg")
    touch(tmp_path, "one/1.png", "two/a1.png", "two/b1.png", "two/b2.png", "names/a.png")
    touch(tmp_path, "mixed/1.png", "mixed/2.png", "mixed/v.mp4", "above/1.png", "above/2.png")
    (tmp_path / "above" / "folder").mkdir()
    names = ["jump/v1", "jump/v2.mp4", "mixed/v.mp4", "run/deep/v3"]
    assert find_videos(tmp_path) == [str(tmp_path / name) for name in names]
    assert is_frame_folder(tmp_path / "jump" / "v1")
    assert not is_frame_folder(tmp_path / "jump" / "v2.mp4")
    assert not is_frame_folder(tmp_path / "nowhere")
    assert list_files([tmp_path / "jump", tmp_path / "run" / "deep" / "v3"]) == [
        str(tmp_path / name) for name in ("jump/v1", "jump/v2.mp4", "run/deep/v3")
    ]


def test_links_to_folders_are_followed_once(tmp_path):
    touch(tmp_path, "real/a.mp4", "videos/jump/b.mp4")
    (tmp_path / "videos" / "run").symlink_to(tmp_path / "real")
    (tmp_path / "videos" / "jump" / "again").symlink_to(tmp_path / "videos")
    names = ["jump/b.mp4", "run/a.mp4"]
    assert find_videos(tmp_path / "videos") == [str(tmp_path / "videos" / name) for name in names]


def test_only_regular_files_are_videos(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    assert find_videos(tmp_path) == []


def test_urls_stay_as_they_are_written(tmp_path):
    urls = ["http://a/b//c.mp4?d=1", "HTTPS://a/b.mp4"]
    assert all(map(is_url, urls))
    assert not any(map(is_url, ["http:/a/b.mp4", Path("http://a/b.mp4"), "rtsp://a", "ftp://a"]))
    assert list_files(urls) == urls
    assert list_files(["./a//b.mp4"]) == ["a/b.mp4"]
