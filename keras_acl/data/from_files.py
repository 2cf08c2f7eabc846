"""From files on disk to a `VideoDataset` in one call.

Each function is a reader of `keras_acl.data.sources` and a `VideoDataset` of what it read; for
rarer wishes, call these two.
"""

from collections.abc import Sequence
from pathlib import Path

from keras_acl.clip import ClipSpec
from keras_acl.data.augmentation import Augmentation
from keras_acl.data.kinetics import read_kinetics
from keras_acl.data.sources import read_csv, read_directory
from keras_acl.data.stream import LoadingOptions
from keras_acl.data.ucf101 import read_ucf101
from keras_acl.data.video_dataset import VideoDataset
from keras_acl.data.video_list import split


def from_directory(
    folder: str | Path,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    labels: Sequence[str] | None = None,
    training: bool = True,
    validation_split: float | None = None,
    subset: str | None = None,
    augmentation: Augmentation | None = None,
    seed: int = 0,
    loading: LoadingOptions | None = None,
) -> VideoDataset:
    """Read a folder that holds a folder of videos for each class.

    Takes the arguments of `keras.utils.image_dataset_from_directory` that make sense for videos.

    Args:
        folder: The folder. Its folders' names are the class names, in sorted order.
        clip: What the model eats: `model.clip`.
        batch_size: Clips a batch.
        labels: Class names in the order of their indices, so that sets agree: `train.labels`.
        training: Whether to shuffle, draw random clips and augment.
        validation_split: Share of the videos to keep for validation, between 0 and 1.
        subset: "training" or "validation"; needed with `validation_split`. Read with the same seed,
            the two have no video in common. The validation set is not shuffled or augmented.
        augmentation: What varies in training; `Augmentation()` by default.
        seed: Seed of the split and of everything random.
        loading: Threads, processes, shards, and what happens to bad files.

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
    subsets = ("training", "validation")
    if (validation_split is None) != (subset is None) or subset not in (None, *subsets):
        raise ValueError(
            f"Expected validation_split together with subset, one of {subsets}. "
            f"Received: validation_split={validation_split}, subset={subset!r}"
        )
    videos = read_directory(folder, labels)
    if validation_split is not None and subset is not None:
        videos = split(videos, validation_split, seed)[subsets.index(subset)]
        training = training and subset == "training"
    return VideoDataset(
        videos,
        clip,
        batch_size,
        training=training,
        augmentation=augmentation,
        seed=seed,
        loading=loading,
    )


def from_csv(
    file: str | Path,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    labels: Sequence[str] | None = None,
    root: str | Path | None = None,
    training: bool = True,
    augmentation: Augmentation | None = None,
    seed: int = 0,
    loading: LoadingOptions | None = None,
) -> VideoDataset:
    """Read a table with the columns `path` and `label`; see `read_csv`.

    Args:
        file: The table.
        clip: What the model eats: `model.clip`.
        batch_size: Clips a batch.
        labels: Class names in the order of their indices, so that sets agree: `train.labels`.
        root: Folder that the paths are relative to; the table's own by default.
        training: Whether to shuffle, draw random clips and augment.
        augmentation: What varies in training; `Augmentation()` by default.
        seed: Seed of everything random.
        loading: Threads, processes, shards, and what happens to bad files.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the table cannot be understood.
    """
    videos = read_csv(file, labels, root)
    return VideoDataset(
        videos,
        clip,
        batch_size,
        training=training,
        augmentation=augmentation,
        seed=seed,
        loading=loading,
    )


def from_ucf101(
    folder: str | Path,
    splits: str | Path,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    split: int = 1,
    subset: str = "train",
    augmentation: Augmentation | None = None,
    seed: int = 0,
    loading: LoadingOptions | None = None,
) -> VideoDataset:
    """Read one side of an official split of UCF101; see `read_ucf101`.

    Args:
        folder: Where the videos are.
        splits: Where `classInd.txt`, `trainlist01.txt`, `testlist01.txt`, ... are.
        clip: What the model eats: `model.clip`.
        batch_size: Clips a batch.
        split: 1, 2 or 3.
        subset: "train", which is shuffled and augmented, or "test", which is not.
        augmentation: What varies in training; `Augmentation()` by default.
        seed: Seed of everything random.
        loading: Threads, processes, shards, and what happens to bad files.

    Raises:
        FileNotFoundError: If a folder or a list is not there.
        ValueError: If there is no such split or subset.
    """
    videos = read_ucf101(folder, splits, split, subset)
    return VideoDataset(
        videos,
        clip,
        batch_size,
        training=subset == "train",
        augmentation=augmentation,
        seed=seed,
        loading=loading,
    )


def from_kinetics(
    folder: str | Path,
    file: str | Path,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    labels: Sequence[str] | None = None,
    training: bool = True,
    augmentation: Augmentation | None = None,
    seed: int = 0,
    loading: LoadingOptions | None = None,
) -> VideoDataset:
    """Read the videos of a public Kinetics table that are on disk; see `read_kinetics`.

    Args:
        folder: Where the videos are.
        file: The table: label, youtube_id, time_start, time_end, split.
        clip: What the model eats: `model.clip`.
        batch_size: Clips a batch.
        labels: Class names in the order of their indices, so that sets agree: `train.labels`.
        training: Whether to shuffle, draw random clips and augment.
        augmentation: What varies in training; `Augmentation()` by default.
        seed: Seed of everything random.
        loading: Threads, processes, shards, and what happens to bad files.

    Raises:
        FileNotFoundError: If the folder, the table or every video is missing.
        ValueError: If the table cannot be understood.
    """
    videos = read_kinetics(folder, file, labels)
    return VideoDataset(
        videos,
        clip,
        batch_size,
        training=training,
        augmentation=augmentation,
        seed=seed,
        loading=loading,
    )
