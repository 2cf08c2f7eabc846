import numpy as np
import pytest
from ablation_videos import DRAWS, by_recording, folder_clips
from video_files import write_video

from keras_acl import ClipSpec
from keras_acl.data import read_directory

CLIP = ClipSpec(frames=4, span=8, size=24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight places, two videos of each with other noise; class "light" is brighter."""
    folder, rng = tmp_path_factory.mktemp("videos"), np.random.default_rng(0)
    for place in range(8):
        light = place % 2
        blocks = rng.integers(0, 80, (5, 6, 1)) + 120 * light
        picture = np.kron(blocks, np.ones((8, 8, 3)))[None]
        for number in range(2):
            noise = rng.integers(-9, 10, (20, 40, 48, 3))
            frames = np.clip(picture + noise, 0, 255).astype(np.uint8)
            file = folder / ("light" if light else "dark") / f"{place}-{number}.mp4"
            file.parent.mkdir(exist_ok=True)
            write_video(file, frames)
    return folder


def test_videos_of_one_place_are_one_recording(folder):
    groups: dict = {}
    for video in by_recording(read_directory(folder)):
        groups.setdefault(video.group, set()).add(video.path.rsplit("-", 1)[0])
    assert len(groups) == 8
    assert all(len(places) == 1 for places in groups.values())


def test_clips_have_the_class_of_their_video(folder, tmp_path):
    data = folder_clips(folder, CLIP, 0, tmp_path)
    assert data.labels.tolist() == ["dark", "light"]
    assert len(data.clips) == DRAWS * (16 - len(data.test_clips))
    for clips, classes in ((data.clips, data.classes), (data.test_clips, data.test_classes)):
        assert set(classes.tolist()) == {0, 1}
        np.testing.assert_array_equal(clips.mean(axis=(1, 2, 3, 4)) > 110, classes == 1)


def test_the_second_time_they_come_from_the_disk(folder, tmp_path, monkeypatch):
    first = folder_clips(folder, CLIP, 1, tmp_path)
    monkeypatch.setattr("ablation_videos._read", None)
    second = folder_clips(folder, CLIP, 1, tmp_path)
    for name, value in vars(first).items():
        np.testing.assert_array_equal(getattr(second, name), value)
