"""Adapting to few videos: the split by speaker, and every way once on tiny input."""

import json

import few_videos
import numpy as np
import pytest
from tiny_network import write_figures

from keras_acl.data import read_directory


@pytest.fixture
def videos(tmp_path):
    return write_figures(tmp_path / "videos", 4)


def test_speakers_are_on_one_side_and_few_is_few(videos):
    train, test = few_videos.by_speaker(read_directory(videos), ["0003"])
    assert (len(train), len(test)) == (9, 3)
    assert {video.path[-8:] for video in test} == {"0003.mp4"}
    few = few_videos.few(train, 2, seed=0)
    assert set(few.counts.values()) == {2}
    assert few != few_videos.few(train, 2, seed=1)


def test_clips_are_shifted_and_shuffled_in_training_alone(videos):
    listed = read_directory(videos)
    side = few_videos.READ.size
    clips = {v.path: np.full((8, side, side, 3), i, np.uint8) for i, v in enumerate(listed)}
    for clip in clips.values():
        clip[:, 0] = 255  # a row that only some crops have
    still, moving = few_videos.Clips(listed, clips, 5), few_videos.Clips(listed, clips, 5, seed=0)
    batches = [still[index] for index in range(len(still))]
    assert [len(labels) for _, labels in batches] == [5, 5, 2]
    assert [c.max() for x, _ in batches for c in x] == list(range(12))
    x, labels = moving[0]
    assert x.shape == (5, 8, few_videos.CLIP.size, few_videos.CLIP.size, 3)
    assert labels.tolist() == [listed[int(c.min())].label for c in x]
    assert [int(c.min()) for c in x] != [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_every_way_is_run_once_and_kept(videos, tmp_path, run_example, eager):
    arguments = [videos, videos, "--held-out", "0003", "--output", tmp_path / "out"]
    arguments += [
        "--clips",
        "2",
        "--rates",
        "0.4",
        "--seeds",
        "0",
        "--epochs",
        "1",
        "--steps",
        "1",
        "--least-epochs",
        "1",
    ]
    printed = run_example("few_videos", *arguments)
    runs = json.loads((tmp_path / "out" / "result.json").read_text())
    assert {run["way"] for run in runs} == set(few_videos.WAYS)
    assert all(0 <= run["accuracy"] <= 1 for run in runs)
    table = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(few_videos.WAYS)
    again = run_example("few_videos", *arguments)
    assert again.splitlines() == table
