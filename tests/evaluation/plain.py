"""Evaluation as a plain loop, and a network whose every softmax shows a difference."""

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tiny_network as tiny
from harness import to_numpy
from video_files import write_video

from keras_acl.clip import ClipSpec
from keras_acl.data import Video
from keras_acl.video.clips import part_of
from keras_acl.video.frame_table import probe
from keras_acl.video.read import read_frames
from keras_acl.video.sampling import grid_length, uniform_clips
from keras_acl.video.views import ViewGrid, crop_corners


def plain_views(video: Video, clip: ClipSpec, grid: ViewGrid) -> list[np.ndarray]:
    """Every clip read by itself, then every crop."""
    start, seconds = part_of(video, probe(video.path))
    found = []
    for numbers in uniform_clips(grid_length(seconds, clip), clip, grid.clips):
        frames = read_frames(video.path, start + numbers / clip.fps, clip.test_size)
        size = clip.size if grid.crops == "ten" else clip.test_size
        if isinstance(grid.crops, int):
            corners = crop_corners(*frames.shape[1:3], size, grid.crops)
        else:
            bottom, right = (side - size for side in frames.shape[1:3])
            middle = math.ceil(bottom / 2), math.ceil(right / 2)
            corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), middle]
        crops = [frames[:, top : top + size, left : left + size] for top, left in corners]
        found += crops
        if grid.crops == "ten":
            found += [crop[:, :, ::-1] for crop in crops]
    return found


def softmax(logits) -> np.ndarray:
    return to_numpy(keras.ops.softmax(logits))


def plain_scores(model, videos: Sequence[Video], grid: ViewGrid) -> np.ndarray:
    """Softmax of every view by itself, then the mean: (N, L)."""
    rows = []
    for video in videos:
        views = plain_views(video, model.clip, grid)
        logits = [model.predict_on_batch(view[None])[0] for view in views]
        rows.append(softmax(np.array(logits)).mean(axis=0))
    return np.array(rows)


def pictures(side: int = 37, count: int = 2, frames: int = 8) -> np.ndarray:
    """Clips (count, frames, side, side, 3) of coarse blocks: they and their places differ."""
    rng = np.random.default_rng(side)
    coarse = rng.integers(0, 256, (count, frames, 5, 5, 3), dtype="uint8")
    coarse[::2] //= 4  # dark and bright ones
    cell = -(-side // 5)
    return coarse.repeat(cell, axis=2).repeat(cell, axis=3)[:, :, :side, :side]


def unsure(model):
    """Give a network weights with which its softmax differs from picture to picture."""
    tiny.randomize(model)
    logits = model.predict_on_batch(pictures())
    scale = 1 / logits.std(axis=0).max()
    kernel, bias = model.classifier.get_weights()
    model.classifier.set_weights([kernel * scale, (bias - logits.mean(axis=0)) * scale])
    return model


def write_pictures(folder: Path, lengths: Sequence[int]) -> list[Video]:
    """Videos of 40 x 56 of the three tiny classes in turn, so many frames long."""
    folder.mkdir(parents=True, exist_ok=True)
    videos = []
    for number, length in enumerate(lengths):
        frames = pictures(56, 2, length)[number % 2, :, :40] // (1 + number // 2)
        path = write_video(folder / f"{number}.mp4", frames)
        videos.append(Video(str(path), number % 3))
    return videos
