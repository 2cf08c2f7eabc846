"""A data set that is split already: train/, val/ and test/ with the same class folders in each."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from keras_acl.data.video_list import VideoList
from keras_acl.video.files import checked_folder

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


class Splits(NamedTuple):
    """The sides of a data set.

    Attributes:
        train: Videos to train on.
        validation: Videos that are measured after each epoch; None where there is no such side.
        test: Videos that are measured once, at the end; None where there is no such side.
    """

    train: VideoList
    validation: VideoList | None = None
    test: VideoList | None = None


def find_splits(folder: str | Path) -> dict[str, Path]:
    """Folders of the sides of a data set that is split already.

    A folder is split if it holds a folder `train` (or `training`) and `val` (`valid`,
    `validation`) or `test` (`testing`), and the class folders in these have names in common.
    Upper case is no other name.

    Args:
        folder: Folder to look at.

    Returns:
        "train", "validation" and "test", as far as they are there, to their folders; empty where
        the folder is not split. A warning names a folder of such a name that holds other things.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there are two folders for one side, such as `val` and `validation`.
    """
    folder = checked_folder(folder)
    found = {
        side: [path for path in class_folders(folder) if path.name.casefold() in names]
        for side, names in SPLIT_NAMES.items()
    }
    classes = {path.name for train in found["train"] for path in class_folders(train)}
    unlike = []
    for side in ("validation", "test"):
        paths, found[side] = found[side], []
        for path in paths:
            alike = classes & {each.name for each in class_folders(path)}
            (found[side] if alike else unlike).append(path)
    if not (found["train"] and (found["validation"] or found["test"])):
        return {}
    for path in unlike:
        warnings.warn(
            f"{path} has no class folder of {found['train'][0]} inside, and is left out.",
            stacklevel=2,
        )
    for side, paths in found.items():
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths)
            raise ValueError(f"{folder} holds two folders for {side}: {names}. Keep one of them.")
    return {side: paths[0] for side, paths in found.items() if paths}


def class_folders(folder: str | Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones."""
    paths = (path for path in Path(folder).iterdir() if not path.name.startswith("."))
    return sorted(path for path in paths if path.is_dir())


def warn_of_split_names(names: Iterable[str], folder: str | Path) -> None:
    """Warn where class names are rather those of the sides of a data set."""
    by_name = {name: side for side, several in SPLIT_NAMES.items() for name in several}
    sides = {name: by_name[name.casefold()] for name in names if name.casefold() in by_name}
    if len(set(sides.values())) > 1:
        warnings.warn(
            f"The class names {' and '.join(map(repr, sides))} in {folder} look like the sides of "
            "a data set, not like classes. Sides have the same class folders inside, and are read "
            "by read_splits.",
            stacklevel=3,
        )
