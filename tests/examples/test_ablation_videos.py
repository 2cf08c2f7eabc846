"""The ablation's clips of real videos: split by recording."""

import numpy as np
import one_group
import plan
import pytest
import real_videos
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
    for video in real_videos.by_recording(read_directory(folder)):
        groups.setdefault(video.group, set()).add(video.path.rsplit("-", 1)[0])
    assert len(groups) == 8
    assert all(len(places) == 1 for places in groups.values())


def test_clips_have_the_class_of_their_video(folder, tmp_path):
    data = real_videos.folder_clips(folder, CLIP, 0, tmp_path)
    assert data.labels.tolist() == ["dark", "light"]
    assert len(data.clips) == real_videos.DRAWS * (16 - len(data.test_clips))
    for clips, classes in ((data.clips, data.classes), (data.test_clips, data.test_classes)):
        assert set(classes.tolist()) == {0, 1}
        np.testing.assert_array_equal(clips.mean(axis=(1, 2, 3, 4)) > 110, classes == 1)


def test_the_second_time_they_come_from_the_disk(folder, tmp_path, monkeypatch):
    first = real_videos.folder_clips(folder, CLIP, 1, tmp_path)
    monkeypatch.setattr(real_videos, "_read", None)
    second = real_videos.folder_clips(folder, CLIP, 1, tmp_path)
    for name, value in vars(first).items():
        np.testing.assert_array_equal(getattr(second, name), value)


def test_a_run_trains_on_some_recordings_and_is_measured_on_others(folder, tmp_path):
    folders = one_group.Folders(tmp_path, videos=folder)
    budget = plan.Budget(size=32, frames=4)
    run = plan.Run("sup", plan.FOLDER, "folder", seed=0)
    assert one_group.class_names(plan.FOLDER, budget, folders) == ["dark", "light"]
    sides = one_group.clips_of(run, budget, folders)
    assert set(sides) == {"train", "test"}
    for side in sides.values():
        assert side.clips.shape[1:] == (4, 32, 32, 3)
        np.testing.assert_array_equal(side.clips.mean(axis=(1, 2, 3, 4)) > 110, side.labels == 1)
