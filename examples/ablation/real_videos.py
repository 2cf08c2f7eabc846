"""Clips of a folder of real videos for the ablation, split by recording."""

import dataclasses
from pathlib import Path

from keras_acl import ClipSpec
from keras_acl.data import (
    Augmentation,
    VideoList,
    read_directory,
    read_test_clip,
    read_training_clip,
    record_rng,
    split,
)
from keras_acl.system.atomic_write import written_whole

import numpy as np

DRAWS = 8  # training clips a video
HELD_BACK = 0.3  # share of the videos for measuring
ALIKE = 0.6  # correlation of two videos' mean pictures from which they are of one recording


@dataclasses.dataclass(frozen=True)
class FolderClips:
    """Clips of both sides, uint8 (N, T, H, W, 3), their classes, and how they were split."""

    labels: np.ndarray  # names
    clips: np.ndarray
    classes: np.ndarray
    test_clips: np.ndarray
    test_classes: np.ndarray
    recordings: np.ndarray  # how many are on the training side and on the other


def folder_clips(folder: Path, clip: ClipSpec, seed: int, cache: Path) -> FolderClips:
    """Random clips of some recordings to train on, and the middle clip of the others."""
    file = cache / f"{folder.name}-{clip.size}-{clip.frames}-{seed}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as beside, open(beside, "wb") as out:
            np.savez(out, **vars(_read(folder, clip, seed)))
    with np.load(file) as arrays:
        return FolderClips(**arrays)


def _read(folder: Path, clip: ClipSpec, seed: int) -> FolderClips:
    videos = by_recording(read_directory(folder))
    train, test = split(videos, HELD_BACK, seed)
    drawn = [
        read_training_clip(video, clip, Augmentation(), record_rng(seed, draw, index))
        for draw in range(DRAWS)
        for index, video in enumerate(train)
    ]
    return FolderClips(
        np.array(videos.labels),
        np.stack(drawn),
        np.array([video.label for video in train] * DRAWS),
        np.stack([read_test_clip(video, clip) for video in test]),
        np.array([video.label for video in test]),
        np.array([len({video.group for video in side}) for side in (train, test)]),
    )


def by_recording(videos: VideoList) -> VideoList:
    """Group the videos of one camera at one place: those whose mean pictures are alike.

    A chain of alike videos is one group, whatever their classes: else a network could tell the
    class by the room. (Shots that zoom in on a room can still pass for another one.)
    """
    small = ClipSpec(frames=8, span=32, size=32)
    pictures = [read_test_clip(video, small).mean(axis=(0, 3)).ravel() for video in videos]
    groups = np.arange(len(videos))
    for first, second in np.argwhere(np.triu(np.corrcoef(pictures) > ALIKE, k=1)):
        groups[groups == groups[second]] = groups[first]
    named = [
        dataclasses.replace(video, group=f"recording {group}")
        for video, group in zip(videos, groups, strict=True)
    ]
    return VideoList(named, videos.labels)
