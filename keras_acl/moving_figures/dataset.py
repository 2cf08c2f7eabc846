"""Moving figures: a labelled data set of any size, with masks, that needs no download.

An actor of varying appearance performs a motion in front of a textured, noisy, panning background,
among distractors of other shapes that perform other motions. The actor's mask is where a network
should look.
"""

import dataclasses
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_acl.moving_figures.drawing import DISTRACTORS, MOTIONS, Figure, paint, plan_figure
from keras_acl.system.atomic_write import written_whole
from keras_acl.video.encode import video_writer

FPS = 30
HEADS = {
    "cyan": (90, 240, 255),
    "pink": (255, 110, 240),
    "white": (250, 250, 250),
    "yellow": (255, 225, 120),
}
HEAD_SPREAD = 25


def _looks_and_motions(*motions: str) -> dict[str, tuple[str, str]]:
    return {
        f"{look}_{motion}": (look, motion) for look, motion in itertools.product(HEADS, motions)
    }


# The actor's head colour and motion of each label. Labels are in alphabetical order, in which a
# folder of class folders is read.
TASKS = {
    "motion": {motion: ("yellow", motion) for motion in MOTIONS},
    "appearance_motion": _looks_and_motions("clockwise", "left", "pulsing", "right"),
    # New motions for a network that learned the task above.
    "appearance_other_motion": _looks_and_motions("counterclockwise", "down", "shaking", "up"),
}
RECORD = "figures.json"
# A constant quantiser, as x264's rate control does not always write the same bytes. 20 loses less
# than yuv420p loses by halving the resolution of colours.
ENCODING = {"qp": "20", "preset": "veryfast"}


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class FigureClip:
    """One drawn clip.

    Args:
        frames: Frames, uint8 RGB, (T, H, W, 3).
        mask: Pixels in which the actor is visible, bool (T, H, W).
        label: Index of the class.
    """

    frames: np.ndarray
    mask: np.ndarray
    label: int


@dataclasses.dataclass(frozen=True)
class MovingFigures:
    """Draw labelled clips of moving figures, in memory or as video files.

    The actor is the only figure with a round head on a tapered torso. It stays inside the frame
    and at least a quarter of it is visible in every frame, whatever is in front of it. No
    distractor performs the actor's motion, and each performs one of the task's motions.

    The same settings, label and seed give the same clip.

    Args:
        task: Name of the task. "motion": eight classes, the actor's motion (`left`, `right`, `up`,
            `down`, `clockwise`, `counterclockwise`, `shaking`, `pulsing`). "appearance_motion":
            sixteen classes, the actor's appearance and motion: four head colours times `left`,
            `right`, `clockwise`, `pulsing`. "appearance_other_motion": the same four head colours
            times the other four motions.
        distractors: Number of other figures in the scene, at least 0.
        frames: Frames per clip, at least 8.
        size: Height and width of a frame in pixels, even, at least 32. Everything but noise and
            grain grows with it.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> figures = MovingFigures(distractors=3)
        >>> clips, labels, masks = figures.arrays(800, seed=1)
        >>> figures.write("figures/train", count_per_class=40)
    """

    task: str = "motion"
    distractors: int = 3
    frames: int = 32
    size: int = 64

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task must be one of {sorted(TASKS)}. Received: task={self.task!r}")
        for name, least in {"distractors": 0, "frames": 8, "size": 32}.items():
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} must be at least {least}. Received: {name}={value!r}")
        if self.size % 2:
            raise ValueError(f"size must be even, as video is. Received: size={self.size!r}")

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in alphabetical order."""
        return tuple(TASKS[self.task])

    def plan(self, label: int, seed: int | tuple[int, ...]) -> tuple[Figure, ...]:
        """Plan the figures of a clip from back to front, with their shapes, colours and paths.

        Args:
            label: Index of the class.
            seed: One or several non-negative numbers.

        Raises:
            ValueError: If there is no such label.
        """
        return self._plan(label, self._rng(label, seed))

    def draw(self, label: int, seed: int | tuple[int, ...]) -> FigureClip:
        """Draw one clip.

        Args:
            label: Index of the class.
            seed: One or several non-negative numbers.

        Raises:
            ValueError: If there is no such label.
        """
        rng = self._rng(label, seed)
        frames, mask = paint(self._plan(label, rng), self.size, rng)
        return FigureClip(frames, mask, label)

    def arrays(self, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw a set of clips in memory, the classes in turn (0, 1, 2, ..., 0, 1, 2, ...).

        Args:
            count: Number of clips. A clip of 32 frames of 64 x 64 takes 0.5 MB.
            seed: Seed of the set; sets of different seeds have no clip in common.

        Returns:
            Clips, uint8 (N, T, H, W, 3); labels, int (N,); masks, bool (N, T, H, W).
        """
        labels = np.arange(count) % len(self.labels)
        masks = np.empty((count, self.frames, self.size, self.size), bool)
        clips = np.empty((*masks.shape, 3), np.uint8)
        for number, label in enumerate(labels.tolist()):
            clip = self.draw(label, (seed, number // len(self.labels)))
            clips[number], masks[number] = clip.frames, clip.mask
        return clips, labels, masks

    def write(
        self,
        folder: str | os.PathLike,
        count_per_class: int,
        seed: int = 0,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        """Write a folder of class folders: `left/0000.mp4`, beside it `left/0000.mask.npz`, ...

        An interrupted call leaves complete files only; the next call adds what is missing. With a
        larger count the set grows. The clips are those that `arrays` draws from the same seed.

        Args:
            folder: Folder to write to, created if missing. Its `figures.json` records the settings.
            count_per_class: Videos per class.
            seed: Seed of the set; folders of different seeds have no clip in common.
            progress: Called as `progress(done, total)` after each video.

        Raises:
            ValueError: If `folder` holds figures of other settings, or other files; or if `seed`
                is negative.
            OSError: If the disk is full or the folder cannot be written to.
        """
        if seed < 0:
            raise ValueError(f"seed must be at least 0. Received: seed={seed}")
        folder = Path(folder)
        self._claim(folder, seed)
        total = count_per_class * len(self.labels)
        tasks = itertools.product(range(count_per_class), enumerate(self.labels))
        for done, (number, (label, name)) in enumerate(tasks, start=1):
            video = folder / name / f"{number:04d}.mp4"
            if not (video.exists() and _mask_path(video).exists()):
                clip = self.draw(label, (seed, number))
                _write_mask(_mask_path(video), clip.mask)
                _write_video(video, clip.frames)
            if progress is not None:
                progress(done, total)

    def _rng(self, label: int, seed: int | tuple[int, ...]) -> np.random.Generator:
        if not 0 <= label < len(self.labels):
            raise ValueError(
                f"The {self.task!r} task has labels 0 to {len(self.labels) - 1}. "
                f"Received: label={label!r}"
            )
        return np.random.default_rng([label, *np.atleast_1d(seed).tolist()])

    def _plan(self, label: int, rng: np.random.Generator) -> tuple[Figure, ...]:
        names = TASKS[self.task]
        colour, motion = names[self.labels[label]]
        head = np.clip(HEADS[colour] + rng.uniform(-HEAD_SPREAD, HEAD_SPREAD, 3), 0, 255)
        others = sorted({other for _, other in names.values()} - {motion})
        figures = [plan_figure("actor", motion, head, self.frames, self.size, rng)]
        for _ in range(self.distractors):
            shape, other = rng.choice(list(DISTRACTORS)), rng.choice(others)
            figures.append(plan_figure(str(shape), str(other), None, self.frames, self.size, rng))
        return tuple(figures[place] for place in rng.permutation(len(figures)))

    def _claim(self, folder: Path, seed: int) -> None:
        """Record the settings in a new folder, or compare them with the recorded ones."""
        record = {**dataclasses.asdict(self), "seed": seed}
        file = folder / RECORD
        folder.mkdir(parents=True, exist_ok=True)
        if file.exists():
            found = json.loads(file.read_text(encoding="utf-8"))
            if found != record:
                raise ValueError(
                    f"{folder} holds moving figures drawn with {found}. Choose another folder, or "
                    f"the same settings. Received: {record}"
                )
        elif any(not path.name.startswith(".") for path in folder.iterdir()):
            raise ValueError(
                f"{folder} holds files, but no {RECORD}: they were not drawn here. "
                "Choose an empty or a new folder for moving figures"
            )
        else:
            with written_whole(file) as beside:
                beside.write_text(json.dumps(record, indent=2), encoding="utf-8")


def read_mask(video: str | os.PathLike) -> np.ndarray:
    """Read the actor's mask of a video of moving figures.

    Args:
        video: Path of the video, `left/0000.mp4`; the mask is in `left/0000.mask.npz`.

    Returns:
        bool (T, H, W), true where the actor is visible.

    Raises:
        FileNotFoundError: If there is no mask beside the video.
    """
    path = _mask_path(Path(video))
    if not path.exists():
        raise FileNotFoundError(
            f"There is no mask beside {os.fspath(video)}: expected {path}. "
            "Videos that MovingFigures.write wrote have one"
        )
    with np.load(path) as file:
        shape = file["shape"]
        return np.unpackbits(file["bits"], count=int(np.prod(shape))).astype(bool).reshape(shape)


def _mask_path(video: Path) -> Path:
    return video.with_suffix(".mask.npz")


def _write_mask(file: Path, mask: np.ndarray) -> None:
    with written_whole(file) as beside:
        np.savez_compressed(beside, bits=np.packbits(mask), shape=mask.shape)


def _write_video(file: Path, frames: np.ndarray) -> None:
    with (
        written_whole(file) as beside,
        video_writer(beside, FPS, ENCODING, threads=1) as add,
    ):
        for frame in frames:
            add(frame)
