"""From files on disk to a `VideoDataset` in one call.

Each function is a reader of videos and a `VideoDataset` of what it read; for rarer wishes, call
these two.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from keras_acl.clip import ClipSpec
from keras_acl.data.augmentation import Augmentation
from keras_acl.data.kinetics import read_kinetics
from keras_acl.data.sources import read_csv, read_directory
from keras_acl.data.stream import LoadingOptions
from keras_acl.data.ucf101 import read_ucf101
from keras_acl.data.video_dataset import VideoDataset
from keras_acl.data.video_list import split

SUBSETS = ("training", "validation")


class DatasetOptions(TypedDict, total=False):
    """What these functions hand on to `VideoDataset`.

    Args:
        augmentation: What varies in training; `Augmentation()` by default.
        seed: Seed of everything random, 0 by default.
        loading: Threads, processes, shards, and what happens to bad files.
    """

    augmentation: Augmentation | None
    seed: int
    loading: LoadingOptions | None


def from_directory(
    folder: str | Path,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    labels: Sequence[str] | None = None,
    training: bool = True,
    validation_split: float | None = None,
    subset: str | None = None,
    **options: Unpack[DatasetOptions],
) -> VideoDataset:
    """Read a folder that holds a folder of videos for each class.

    Takes the arguments of `keras.utils.image_dataset_from_directory` that make sense for videos.

    Args:
        folder: Folder of class folders. Their names are the class names, in sorted order.
        clip: Clip that the model takes: `model.clip`.
        batch_size: Clips per batch.
        labels: Class names in the order of their indices, so that sets agree: `train.labels`.
        training: Whether to shuffle, draw random clips and augment.
        validation_split: Share of the videos to keep for validation, between 0 and 1.
        subset: "training" or "validation"; needed with `validation_split`. Read with the same seed,
            the two have no video in common. The validation set is not shuffled or augmented.
        **options: `augmentation`, `seed` (of the split, too) and `loading`, see `DatasetOptions`.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no videos, or only one of `validation_split` and `subset` is given.

    Example:
    ```python
    train = keras_acl.data.from_directory("ucf101/train", model.clip)
    test = keras_acl.data.from_directory(
        "ucf101/test", model.clip, labels=train.labels, training=False
    )
    ```
    """
    if (validation_split is None) != (subset is None) or subset not in (None, *SUBSETS):
        raise ValueError(
            f"Expected validation_split together with subset, one of {SUBSETS}. "
            f"Received: validation_split={validation_split}, subset={subset!r}"
        )
    videos = read_directory(folder, labels)
    if validation_split is not None and subset is not None:
        sides = split(videos, validation_split, options.get("seed", 0))
        videos, training = sides[SUBSETS.index(subset)], training and subset == "training"
    return VideoDataset(videos, clip, batch_size, training=training, **options)


def from_csv(
    file: str | Path,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    labels: Sequence[str] | None = None,
    root: str | Path | None = None,
    training: bool = True,
    **options: Unpack[DatasetOptions],
) -> VideoDataset:
    """Read a table with the columns `path` and `label`; see `read_csv`.

    Args:
        file: CSV file.
        clip: Clip that the model takes: `model.clip`.
        batch_size: Clips per batch.
        labels: Class names in the order of their indices, so that sets agree: `train.labels`.
        root: Folder that the paths are relative to; the table's own by default.
        training: Whether to shuffle, draw random clips and augment.
        **options: `augmentation`, `seed` and `loading`, see `DatasetOptions`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the table cannot be understood.
    """
    videos = read_csv(file, labels, root)
    return VideoDataset(videos, clip, batch_size, training=training, **options)


def from_ucf101(
    folder: str | Path,
    splits: str | Path,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    split: int = 1,
    subset: str = "train",
    **options: Unpack[DatasetOptions],
) -> VideoDataset:
    """Read one side of an official split of UCF101; see `read_ucf101`.

    Args:
        folder: Folder of the videos.
        splits: Folder of `classInd.txt`, `trainlist01.txt`, `testlist01.txt`, ...
        clip: Clip that the model takes: `model.clip`.
        batch_size: Clips per batch.
        split: 1, 2 or 3.
        subset: "train", which is shuffled and augmented, or "test", which is not.
        **options: `augmentation`, `seed` and `loading`, see `DatasetOptions`.

    Raises:
        FileNotFoundError: If a folder or a list is not there.
        ValueError: If there is no such split or subset.
    """
    videos = read_ucf101(folder, splits, split, subset)
    return VideoDataset(videos, clip, batch_size, training=subset == "train", **options)


def from_kinetics(
    folder: str | Path,
    file: str | Path,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    labels: Sequence[str] | None = None,
    training: bool = True,
    **options: Unpack[DatasetOptions],
) -> VideoDataset:
    """Read the videos of a public Kinetics table that are on disk; see `read_kinetics`.

    Args:
        folder: Folder of the videos.
        file: CSV file: label, youtube_id, time_start, time_end, split.
        clip: Clip that the model takes: `model.clip`.
        batch_size: Clips per batch.
        labels: Class names in the order of their indices, so that sets agree: `train.labels`.
        training: Whether to shuffle, draw random clips and augment.
        **options: `augmentation`, `seed` and `loading`, see `DatasetOptions`.

    Raises:
        FileNotFoundError: If the folder, the table or every video is missing.
        ValueError: If the table cannot be understood.
    """
    videos = read_kinetics(folder, file, labels)
    return VideoDataset(videos, clip, batch_size, training=training, **options)
