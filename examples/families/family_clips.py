"""The clips of both tasks: the same ones, in the same order, for every family and seed.

Each shows a video from its first frame to its last, as TSN and ECO want it; so all see the same.
"""

import dataclasses
from pathlib import Path

from keras_acl.data import MovingFigures
from keras_acl.system.atomic_write import written_whole

import floors
import numpy as np
from family_networks import CLIP
from lips import README, Lips, centred, lips, shrunk

FIGURES, WORDS = "motion", "words"
TASKS = {FIGURES: "moving figures", WORDS: "mouths"}
TRAIN, TEST = 1200, 400  # clips of drawn figures; of the words there are 1200 and 300
DRAWN = 32  # frames of a drawn video, of which a clip has every other
DISTRACTORS = 0
SHIFT = 2  # pixels, at most, by which a training clip is moved
LIGHT, OFFSET = 0.2, 20.0  # factor and grey levels, at most, by which it is lit


@dataclasses.dataclass(frozen=True)
class Sides:
    """What is learned from and what is measured on.

    Args:
        names: Names of the classes.
        clips: To learn from, uint8 (N, T, H, W, 3), in random order.
        labels: Their classes, (N,).
        test_clips: To measure on, uint8 (M, T, H, W, 3).
        test_labels: Their classes, (M,).
    """

    names: np.ndarray
    clips: np.ndarray
    labels: np.ndarray
    test_clips: np.ndarray
    test_labels: np.ndarray


class VariedClips:
    """Clips that are moved a little and lit otherwise each time that they are taken.

    None is mirrored, as left and right are classes of the figures.

    Args:
        clips: uint8 (N, T, H, W, C).
        seed: Of the variations, which follow from it and from what was taken before.
    """

    def __init__(self, clips: np.ndarray, seed: int):
        self.clips = clips
        self.rng = np.random.default_rng([seed, 1])

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index) -> np.ndarray:
        """Vary the clips (B, T, H, W, C) of an index array or a slice."""
        return np.stack([self._varied(clip) for clip in self.clips[index]])

    def _varied(self, clip: np.ndarray) -> np.ndarray:
        rows, columns = (
            np.clip(np.arange(side) + self.rng.integers(-SHIFT, SHIFT + 1), 0, side - 1)
            for side in clip.shape[1:3]
        )
        light, offset = self.rng.uniform(-LIGHT, LIGHT), self.rng.uniform(-OFFSET, OFFSET)
        levels = np.clip(np.round(np.arange(256) * (1 + light) + offset), 0, 255).astype(np.uint8)
        return levels[clip[:, rows[:, None], columns]]


def sides(task: str, mouths: Path, cache: Path) -> Sides:
    """Clips of one of `TASKS`; `mouths` holds mouth crops, `cache` keeps all packed."""
    if task == WORDS:
        return lip_sides(lips(mouths, WORDS, cache))
    file = cache / f"families-{FIGURES}-{DISTRACTORS}-{TRAIN}-{TEST}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as beside, open(beside, "wb") as out:
            np.savez(out, **vars(figure_sides()))
    with np.load(file) as arrays:
        return Sides(**arrays)


def figure_sides() -> Sides:
    """Draw moving figures."""
    figures = MovingFigures(FIGURES, DISTRACTORS, DRAWN, CLIP.size)
    every = DRAWN // CLIP.frames
    clips, labels, _ = figures.arrays(TRAIN, seed=0)
    test_clips, test_labels, _ = figures.arrays(TEST, seed=1)
    names = np.array(figures.labels)
    return shuffled(Sides(names, clips[:, ::every], labels, test_clips[:, ::every], test_labels))


def lip_sides(data: Lips) -> Sides:
    """What moves in each utterance, squeezed into a square; test speakers are the README's."""
    size = (CLIP.size, CLIP.size)
    small = np.stack([[shrunk(picture, size) for picture in clip] for clip in data.clips])
    clips = centred(small[..., None]).repeat(3, axis=-1)
    test = data.tested(README)
    return shuffled(
        Sides(data.names, clips[~test], data.labels[~test], clips[test], data.labels[test])
    )


def shuffled(found: Sides) -> Sides:
    """The same in an order in which any few training clips are of all classes."""
    order = np.random.default_rng(0).permutation(len(found.labels))
    return dataclasses.replace(found, clips=found.clips[order], labels=found.labels[order])


def ridge_floor(task: str, mouths: Path, cache: Path) -> float:
    """Accuracy of ridge regression on the differences of neighbouring frames, without a network.

    Of the mouths in their own resolution; of the figures the grey pictures, without a pixel at each
    edge, so that squares of `floors.POOLED` pixels fit.
    """
    if task == WORDS:
        return floors.floors(lips(mouths, WORDS, cache), README)["differences, ridge"]
    found = sides(task, mouths, cache)
    known, asked = (
        floors.differences(floors.pooled(clips[:, :, 1:-1, 1:-1].mean(axis=-1)))
        for clips in (found.clips, found.test_clips)
    )
    return float((floors.ridge(known, found.labels, asked) == found.test_labels).mean())
