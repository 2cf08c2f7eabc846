"""Moving figures do what their label says, and the files on disk say the same as the arrays."""

import errno
import json
import os
import re
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_acl.data.sources import read_directory
from keras_acl.moving_figures.dataset import HEADS, MovingFigures, read_mask
from keras_acl.moving_figures.drawing import DISTRACTORS, MOTIONS

ALONE = MovingFigures(distractors=0)
CROWD = MovingFigures(distractors=3)
LOOKS = MovingFigures("appearance_motion", distractors=3)
TINY = MovingFigures(distractors=1, frames=8, size=32)
LUMA = np.array([0.299, 0.587, 0.114])


def alone(motion, seed):
    return ALONE.draw(ALONE.labels.index(motion), seed)


def centroids(mask) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the mask's centre in every frame."""
    pixels = np.arange(mask.shape[1]) + 0.5
    area = mask.sum((1, 2))
    return mask.sum(1) @ pixels / area, mask.sum(2) @ pixels / area


def head_directions(clip, figure) -> np.ndarray:
    """Clockwise angle in every frame from the mask's centre to the pixels of the head's colour."""
    to_head = np.abs(clip.frames - figure.head).sum(-1)
    to_torso = np.abs(clip.frames - figure.colour).sum(-1)
    x, y = centroids(clip.mask)
    head_x, head_y = centroids(clip.mask & (to_head < to_torso))
    return np.unwrap(np.arctan2(head_x - x, y - head_y))


def decode(path) -> tuple[np.ndarray, list[float]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    images = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
    return images, [frame.time for frame in frames]


def contents(folder: Path) -> dict[str, bytes]:
    """Names and bytes of what a reader of folders sees: nothing that is hidden."""
    files = [path for path in folder.rglob("[!.]*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


# What is drawn


def test_labels():
    assert set(CROWD.labels) == set(MOTIONS)
    assert len(CROWD.labels) == 8
    assert len(LOOKS.labels) == 16
    assert {"cyan_left", "pink_pulsing", "white_right", "yellow_clockwise"} < set(LOOKS.labels)
    for figures in (CROWD, LOOKS):  # the order of a folder of class folders
        assert list(figures.labels) == sorted(figures.labels)


def test_the_same_label_and_seed_give_the_same_clip():
    one, again, other = CROWD.draw(2, 5), CROWD.draw(2, 5), CROWD.draw(2, 6)
    np.testing.assert_array_equal(one.frames, again.frames)
    np.testing.assert_array_equal(one.mask, again.mask)
    assert one.label == 2
    assert np.mean(one.frames != other.frames) > 0.9
    assert np.any(one.mask != other.mask)
    assert np.mean(one.frames != CROWD.draw(3, 5).frames) > 0.9
    assert np.mean(one.frames != CROWD.draw(2, (5, 1)).frames) > 0.9


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize(
    ("motion", "axis", "sign"), [("left", 0, -1), ("right", 0, 1), ("up", 1, -1), ("down", 1, 1)]
)
def test_straight_motions(motion, axis, sign, size):
    figures = MovingFigures(distractors=0, size=size)
    for seed in range(4):
        mask = figures.draw(figures.labels.index(motion), seed).mask
        centre = centroids(mask)
        way = sign * (centre[axis][-1] - centre[axis][0]) * 64 / size
        assert 14 < way < 30
        assert np.ptp(centre[1 - axis]) < 2 * size / 64
        assert np.all(sign * np.diff(centre[axis][::8]) > 0)


@pytest.mark.parametrize(("motion", "sign"), [("clockwise", 1), ("counterclockwise", -1)])
def test_turning(motion, sign):
    for seed in range(6):
        clip = alone(motion, seed)
        (figure,) = ALONE.plan(clip.label, seed)
        angles = head_directions(clip, figure)
        assert 2.0 < sign * (angles[-1] - angles[0]) < 4.4
        np.testing.assert_allclose(np.cos(angles), np.cos(figure.angle), atol=0.3)
        assert max(np.ptp(centre) for centre in centroids(clip.mask)) < 3


def test_shaking():
    for seed in range(6):
        x, y = centroids(alone("shaking", seed).mask)
        assert 7 < np.ptp(x) < 16
        assert np.ptp(y) < 2
        spectrum = np.abs(np.fft.rfft(x - x.mean()))
        assert np.argmax(spectrum) in (2, 3)


def test_pulsing():
    for seed in range(6):
        mask = alone("pulsing", seed).mask
        area = mask.sum((1, 2))
        assert 3 < area.max() / area.min() < 8.5  # (1.3 / .7)² = 3.4, (1.45 / .55)² = 7
        assert np.argmax(np.abs(np.fft.rfft(area - area.mean()))) in (2, 3)
        assert max(np.ptp(centre) for centre in centroids(mask)) < 3


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 15), st.integers(0, 10**9), st.sampled_from([0, 3, 8]))
def test_the_actor_is_always_seen_and_inside_the_frame(label, seed, distractors):
    figures = MovingFigures("appearance_motion", distractors)
    mask = figures.draw(label, seed).mask
    (actor,) = (figure for figure in figures.plan(label, seed) if figure.shape == "actor")
    area = 1.288 * actor.radius**2  # of head and torso
    assert np.all(mask.sum((1, 2)) > 0.2 * area)
    assert np.all(mask.sum((1, 2)) < 1.25 * area)
    assert not mask[:, [0, -1]].any()
    assert not mask[:, :, [0, -1]].any()


@pytest.mark.parametrize("figures", [CROWD, LOOKS])
def test_no_distractor_performs_the_actors_motion(figures):
    motions = {name.split("_")[-1] for name in figures.labels}
    shapes, others, depths = Counter(), Counter(), Counter()
    for label, name in enumerate(figures.labels):
        for seed in range(25):
            plan = figures.plan(label, seed)
            (depth,) = (place for place, figure in enumerate(plan) if figure.shape == "actor")
            rest = plan[:depth] + plan[depth + 1 :]
            assert plan[depth].motion == name.split("_")[-1]
            assert len(rest) == 3
            assert all(figure.motion != plan[depth].motion for figure in rest)
            assert all(figure.head is None for figure in rest)
            shapes.update(figure.shape for figure in rest)
            others.update(figure.motion for figure in rest)
            depths[depth] += 1
    assert set(shapes) == set(DISTRACTORS)
    assert set(others) == motions
    assert set(depths) == {0, 1, 2, 3}
    for counter in (shapes, others, depths):  # even: none less than half as frequent as another
        assert min(counter.values()) > max(counter.values()) / 2


def test_no_distractors_leave_the_actor_alone():
    (figure,) = ALONE.plan(0, 0)
    assert figure.shape == "actor"


@pytest.mark.parametrize("name", ["cyan_left", "pink_right", "white_pulsing", "yellow_clockwise"])
def test_the_heads_colour_is_the_labels(name):
    figures = MovingFigures("appearance_motion", distractors=0)
    means = []
    for seed in range(8):
        clip = figures.draw(figures.labels.index(name), seed)
        (figure,) = figures.plan(clip.label, seed)
        x = (figure.x + 0.6 * figure.radius * np.sin(figure.angle)).astype(int)
        y = (figure.y - 0.6 * figure.radius * np.cos(figure.angle)).astype(int)
        means.append(clip.frames[np.arange(32), y, x].mean(0))
    expected = np.array(HEADS[name.split("_")[0]], float)
    assert np.all(np.abs(means - expected) < 25 + 6)
    np.testing.assert_allclose(np.mean(means, 0), np.minimum(expected, 240), atol=20)
    assert np.std(means, 0).max() > 5  # it varies


def test_arrays_are_balanced_and_of_the_drawn_clips():
    clips, labels, masks = TINY.arrays(18, seed=4)
    assert clips.shape == (18, 8, 32, 32, 3)
    assert clips.dtype == np.uint8
    assert masks.shape == (18, 8, 32, 32)
    assert masks.dtype == bool
    assert Counter(labels.tolist()) == {**dict.fromkeys(range(8), 2), 0: 3, 1: 3}
    for number, seed in {3: (4, 0), 11: (4, 1), 17: (4, 2)}.items():
        clip = TINY.draw(int(labels[number]), seed)
        np.testing.assert_array_equal(clips[number], clip.frames)
        np.testing.assert_array_equal(masks[number], clip.mask)


def test_arrays_of_different_seeds_have_no_clip_in_common():
    drawn = [clip.tobytes() for seed in (0, 1, 2) for clip in TINY.arrays(24, seed)[0]]
    assert len(set(drawn)) == 3 * 24


# What is written


def test_videos_and_masks_decode_to_what_was_drawn(tmp_path):
    figures = MovingFigures("appearance_motion")
    seen = []
    figures.write(tmp_path, 1, seed=7, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 16) for done in range(1, 17)]
    assert read_directory(tmp_path).labels == figures.labels
    assert len(read_directory(tmp_path)) == 16
    for label in (0, 6, 15):
        video = tmp_path / figures.labels[label] / "0000.mp4"
        images, times = decode(video)
        clip = figures.draw(label, (7, 0))
        assert images.shape == (32, 64, 64, 3)
        np.testing.assert_allclose(times, np.arange(32) / 30, atol=1e-6)
        error = images.astype(float) - clip.frames
        assert 10 * np.log10(255**2 / np.square(error @ LUMA).mean()) > 34
        assert 10 * np.log10(255**2 / np.square(error).mean()) > 26  # 4:2:0 without loss: 30
        np.testing.assert_array_equal(read_mask(video), clip.mask)


def test_the_record_names_the_settings(tmp_path):
    TINY.write(tmp_path, 0, seed=3)
    assert json.loads((tmp_path / "figures.json").read_text()) == {
        "task": "motion",
        "distractors": 1,
        "frames": 8,
        "size": 32,
        "seed": 3,
    }


def test_writing_again_adds_only_what_is_missing(tmp_path):
    TINY.write(tmp_path, 1)
    before = contents(tmp_path)
    assert len(before) == 1 + 2 * 8
    kept = (tmp_path / "up" / "0000.mp4").stat().st_mtime_ns
    (tmp_path / "left" / "0000.mp4").unlink()
    (tmp_path / "down" / "0000.mask.npz").unlink()
    TINY.write(tmp_path, 1)
    assert contents(tmp_path) == before
    assert (tmp_path / "up" / "0000.mp4").stat().st_mtime_ns == kept
    TINY.write(tmp_path, 2)
    after = contents(tmp_path)
    assert len(after) == 1 + 4 * 8
    assert before.items() < after.items()


def test_an_interrupted_set_is_completed(tmp_path):
    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TINY.write(tmp_path / "set", 1, progress=interrupt)
    assert len(contents(tmp_path / "set")) == 1 + 2 * 3
    (tmp_path / "set" / "left").mkdir()
    (tmp_path / "set" / "left" / ".saving-1-00000000-0000.mp4").write_bytes(b"killed here")
    TINY.write(tmp_path / "set", 1)
    TINY.write(tmp_path / "whole", 1)
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


@pytest.mark.parametrize("files", [0, 1, 2, 5])
def test_a_full_disk_leaves_whole_files_only(tmp_path, monkeypatch, files):
    replace, replaced = os.replace, []

    def fill_up(source, target):
        if len(replaced) == files:
            raise OSError(errno.ENOSPC, "No space left on device")
        replaced.append(target)
        replace(source, target)

    with monkeypatch.context() as full:
        full.setattr("keras_acl.system.atomic_write.os.replace", fill_up)
        with pytest.raises(OSError, match="No space left"):
            TINY.write(tmp_path / "set", 1)
    assert not list((tmp_path / "set").rglob("*saving-*"))
    left = contents(tmp_path / "set")
    assert len(left) == files
    TINY.write(tmp_path / "set", 1)
    assert left.items() <= contents(tmp_path / "set").items()
    assert len(contents(tmp_path / "set")) == 17


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        TINY.write(tmp_path / "file" / "set", 1)


# What is refused


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"task": "motions"}, r"one of \['appearance_motion', .*, 'motion'\].*task='motions'"),
        ({"distractors": -1}, "distractors must be at least 0.*distractors=-1"),
        ({"frames": 4}, "frames must be at least 8.*frames=4"),
        ({"size": 16}, "size must be at least 32.*size=16"),
        ({"size": 65}, "size must be even.*size=65"),
    ],
)
def test_settings_that_make_no_sense(settings, text):
    with pytest.raises(ValueError, match=text):
        MovingFigures(**settings)


@pytest.mark.parametrize("label", [-1, 8])
def test_an_unknown_label(label):
    with pytest.raises(ValueError, match=rf"labels 0 to 7. Received: label={label}"):
        CROWD.plan(label, 0)
    with pytest.raises(ValueError, match=rf"labels 0 to 7. Received: label={label}"):
        CROWD.draw(label, 0)


def test_a_negative_seed(tmp_path):
    with pytest.raises(ValueError, match=r"seed must be at least 0.*seed=-1"):
        TINY.write(tmp_path / "set", 1, seed=-1)
    assert not (tmp_path / "set").exists()


def test_a_folder_of_other_settings(tmp_path):
    TINY.write(tmp_path, 0, seed=0)
    with pytest.raises(ValueError, match=r"drawn with .*'seed': 0.*Received: .*'seed': 1"):
        TINY.write(tmp_path, 0, seed=1)
    other = MovingFigures(distractors=2, frames=8, size=32)
    with pytest.raises(ValueError, match=r"'distractors': 1.*Received: .*'distractors': 2"):
        other.write(tmp_path, 0)


def test_a_folder_of_other_files(tmp_path):
    (tmp_path / "left").mkdir()
    with pytest.raises(ValueError, match=r"holds files, but no figures.json"):
        TINY.write(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["left"]


def test_a_video_without_a_mask(tmp_path):
    expected = re.escape(str(tmp_path / "clip.mask.npz"))
    with pytest.raises(FileNotFoundError, match=rf"no mask beside .*clip.mp4: expected {expected}"):
        read_mask(tmp_path / "clip.mp4")
