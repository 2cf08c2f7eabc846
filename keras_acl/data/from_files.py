"""From files to a `VideoDataset` in one call.

Each function reads a list of videos and makes a `VideoDataset` of it; for rarer wishes, such as a
part of the list, call these two yourself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from keras_acl.clip import ClipSpec
from keras_acl.data.augmentation import Augmentation
from keras_acl.data.huggingface import read_huggingface
from keras_acl.data.kinetics import read_kinetics
from keras_acl.data.sources import read_csv, read_directory
from keras_acl.data.stream import LoadingOptions
from keras_acl.data.ucf101 import read_ucf101
from keras_acl.data.video_dataset import VideoDataset
from keras_acl.data.video_list import split
from keras_acl.data.webdataset import read_webdataset


class DatasetOptions(TypedDict, total=False):
    """Keywords of `VideoDataset` that every function here takes as well.

    Attributes:
        training: Whether to shuffle, draw random clips and augment; True by default.
        augmentation: What varies in training; `Augmentation()` by default.
        seed: Seed of everything random; 0 by default.
        loading: Threads, processes, shards, and what happens to bad files.
    """

    training: bool
    augmentation: Augmentation | None
    seed: int
    loading: LoadingOptions | None


def from_directory(
    folder: str | Path,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    labels: Sequence[str] | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    **options: Unpack[DatasetOptions],
) -> VideoDataset:
    """Read a folder that holds a folder of videos for each class.

    Takes the arguments of `keras.utils.image_dataset_from_directory` that make sense for videos.

    Args:
        folder: Folder of class folders. Their names, sorted, are the class names.
        clip: Clip that the model takes: `model.clip`.
        batch_size: Clips per batch.
        labels: Class names in the order of their indices, so that sets agree: `train.labels`.
        validation_split: Share of the videos to keep for validation, between 0 and 1.
        subset: "training" or "validation"; needed with `validation_split`. Read with the same seed,
            the two have no video in common. The validation set is not shuffled or augmented.
        **options: `training`, `augmentation`, `seed` (also of the split) and `loading`, see
            `DatasetOptions`.

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
        sides = split(videos, validation_split, options.get("seed", 0))
        videos = sides[subsets.index(subset)]
        options["training"] = options.get("training", True) and subset == "training"
    return VideoDataset(videos, clip, batch_size, **options)


def from_csv(
    file: str | Path,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    labels: Sequence[str] | None = None,
    root: str | Path | None = None,
    multi_label: bool = False,
    **options: Unpack[DatasetOptions],
) -> VideoDataset:
    """Read a table with the columns `path` and `label`; see `read_csv`.

    Args:
        file: Table with a header line.
        clip: Clip that the model takes: `model.clip`.
        batch_size: Clips per batch.
        labels: Class names in the order of their indices, so that sets agree: `train.labels`.
        root: Folder that the paths are relative to; the table's own by default.
        multi_label: Whether a video may have several labels, as in `left|red`, or none.
        **options: `training`, `augmentation`, `seed` and `loading`, see `DatasetOptions`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the table cannot be understood.
    """
    videos = read_csv(file, labels, root, multi_label=multi_label)
    return VideoDataset(videos, clip, batch_size, **options)


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
        subset: "train" or "test". Only "train" is shuffled and augmented, unless `training` says
            otherwise.
        **options: `training`, `augmentation`, `seed` and `loading`, see `DatasetOptions`.

    Raises:
        FileNotFoundError: If a folder or a list is not there.
        ValueError: If there is no such split or subset.
    """
    options.setdefault("training", subset == "train")
    return VideoDataset(read_ucf101(folder, splits, split, subset), clip, batch_size, **options)


def from_kinetics(
    folder: str | Path,
    file: str | Path,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    labels: Sequence[str] | None = None,
    **options: Unpack[DatasetOptions],
) -> VideoDataset:
    """Read the videos of a public Kinetics table that are on disk; see `read_kinetics`.

    Args:
        folder: Folder of the videos.
        file: Table with the columns label, youtube_id, time_start, time_end and split.
        clip: Clip that the model takes: `model.clip`.
        batch_size: Clips per batch.
        labels: Class names in the order of their indices, so that sets agree: `train.labels`.
        **options: `training`, `augmentation`, `seed` and `loading`, see `DatasetOptions`.

    Raises:
        FileNotFoundError: If the folder, the table or every video is missing.
        ValueError: If the table cannot be understood.
    """
    return VideoDataset(read_kinetics(folder, file, labels), clip, batch_size, **options)


def from_webdataset(
    shards: str | Path | Sequence[str | Path],
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    labels: Sequence[str] | None = None,
    label: str | None = None,
    **options: Unpack[DatasetOptions],
) -> VideoDataset:
    """Read the videos in tar files, each beside its label, as WebDataset has it.

    They are read from their place in any order, so that shuffling, sharding and resuming are those
    of files in folders; nothing is unpacked.

    Args:
        shards: Tar files, not compressed: one, a list, a folder, a pattern such as
            `train-{000..127}.tar`, or addresses, see `read_webdataset`.
        clip: Clip that the model takes: `model.clip`.
        batch_size: Clips per batch.
        labels: Class names in the order of their indices, so that sets agree: `train.labels`.
        label: Ending of the files that hold the class: `"cls"`, `"txt"` or `"json:field"`; by
            default whichever there is.
        **options: `training`, `augmentation`, `seed` and `loading`, see `DatasetOptions`.

    Raises:
        FileNotFoundError: If there is no such shard.
        ValueError: If a shard cannot be understood.

    Example:
        >>> train = keras_acl.data.from_webdataset("train-{000..127}.tar", model.clip)
    """
    return VideoDataset(read_webdataset(shards, labels, label), clip, batch_size, **options)


def from_huggingface(
    dataset: Any,
    clip: ClipSpec,
    batch_size: int = 8,
    *,
    labels: Sequence[str] | None = None,
    video: str = "video",
    label: str | None = "label",
    **options: Unpack[DatasetOptions],
) -> VideoDataset:
    """Read a `datasets.Dataset` of Hugging Face with a column of videos.

    They are decoded here, as all others are, whatever the column's own decoder is.

    Args:
        dataset: One split: `load_dataset("user/repo", split="train")`.
        clip: Clip that the model takes: `model.clip`.
        batch_size: Clips per batch.
        labels: Class names in the order of their indices, so that sets agree: `train.labels`.
        video: Name of the column of videos.
        label: Name of the column of labels: `ClassLabel`, numbers or text. None: there is none.
        **options: `training`, `augmentation`, `seed` and `loading`, see `DatasetOptions`.

    Raises:
        TypeError: If it is a stream, or several splits.
        ValueError: If the columns cannot be understood.
    """
    return VideoDataset(
        read_huggingface(dataset, labels, video, label), clip, batch_size, **options
    )
