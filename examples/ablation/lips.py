"""Utterances of a folder of mouth crops, whole and of one length, split by speaker.

The folder's clips.csv names the videos: path, label, part (words or phrases), speaker.
"""

import dataclasses
from pathlib import Path

from keras_acl.data import probe, read_frames
from keras_acl.data.tables import read_table
from keras_acl.system.atomic_write import written_whole

import numpy as np
from PIL import Image

PARTS = ("words", "phrases")
REGIME = "lips"  # of the runs on them
FLOOR = "floor_"  # begins the variants that are no networks
FRAMES = 16
SIZE = (48, 72)  # height and width; the crops are of this shape
STEP = 4  # between grey levels: packed, they take half the room, and the floors stay
CONTRAST = 40.0  # standard deviation of the grey levels of a centred clip
FOLDS = 5
README = "readme"  # the split of the folder's own README
README_SPEAKERS = ("F05", "F09", "M02")


@dataclasses.dataclass(frozen=True)
class Lips:
    """Utterances of several speakers.

    Args:
        clips: Grey pictures, uint8, shape (N, T, H, W).
        labels: Class of each, an index of `names`.
        speakers: Who says it.
        names: Names of the classes.
    """

    clips: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    names: np.ndarray

    def tested(self, fold: int | str) -> np.ndarray:
        """Which utterances test, shape (N,): those of `test_speakers(speakers, fold)`."""
        return np.isin(self.speakers, test_speakers(self.speakers, fold))


def test_speakers(speakers, fold: int | str) -> list[str]:
    """Every fifth speaker in the order of their names from `fold` on, 0 to 4, or the README's.

    So each speaker tests once, and women and men, whose names begin with F and M, are spread.
    """
    if fold == README:
        return list(README_SPEAKERS)
    if not isinstance(fold, int) or not 0 <= fold < FOLDS:
        raise ValueError(f"A fold is 0 to {FOLDS - 1} or {README!r}. Received: {fold!r}")
    return sorted(set(map(str, speakers)))[fold::FOLDS]


def lips(folder: Path, part: str, cache: Path) -> Lips:
    """The words or the phrases of a folder; `cache` keeps them packed."""
    file = cache / f"{part}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as beside, open(beside, "wb") as out:
            np.savez_compressed(out, **vars(read_lips(folder, part)))
    with np.load(file) as arrays:
        return Lips(**arrays)


def read_lips(folder: Path, part: str, frames: int = FRAMES, size=SIZE) -> Lips:
    """Read the videos of a part, each from its first frame to its last."""
    table = read_table(folder / "clips.csv", ["path", "label", "part", "speaker"])
    rows = [row.cells for row in table if row.cells["part"] == part]
    if not rows:
        raise ValueError(f"{folder / 'clips.csv'} has no row whose part is {part!r}.")
    names, labels = np.unique([row["label"] for row in rows], return_inverse=True)
    clips = np.stack([read_whole(folder / row["path"], frames, size) for row in rows])
    return Lips(clips, labels, np.array([row["speaker"] for row in rows]), names)


def read_whole(file: Path, frames: int, size: tuple[int, int]) -> np.ndarray:
    """A grey video from its first frame to its last, uint8, shape (frames, H, W)."""
    info = probe(file)
    middles = (np.arange(info.frames) + 0.5) / info.fps  # seconds
    grey = read_frames(file, middles, size=size)[..., 0]
    return of_length(grey, frames) // STEP * STEP


def of_length(pictures: np.ndarray, frames: int) -> np.ndarray:
    """Resample (T, H, W) evenly to `frames`, by blending the two pictures beside each time.

    Repeating the nearest one would make the motion jerk: it costs the floors up to a fifth.
    """
    times = np.linspace(0, len(pictures) - 1, frames)
    before = times.astype(int)
    after = np.minimum(before + 1, len(pictures) - 1)
    share = (times - before)[:, None, None]
    blended = pictures[before] * (1 - share) + pictures[after] * share
    return np.round(blended).astype(np.uint8)


def in_colour(clips: np.ndarray) -> np.ndarray:
    """Grey clips (N, T, H, W) as networks want them, (N, T, H, W, 3)."""
    return np.repeat(clips[..., None], 3, axis=-1)


def shrunk(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A grey picture (H, W) at another size."""
    return np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BOX))


def centred(clips: np.ndarray) -> np.ndarray:
    """What moves in each clip (N, T, H, W, C), on grey and of one contrast."""
    moving = clips - clips.mean(axis=1, keepdims=True)
    contrast = moving.std(axis=(1, 2, 3, 4), keepdims=True) + 1.0
    return np.clip(np.round(128 + CONTRAST * moving / contrast), 0, 255).astype(np.uint8)
