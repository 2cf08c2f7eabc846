"""Your own videos: a folder, a split folder, a CSV, or any files -> VideoList.

Class order is explicit: sorted names, or the order of the `labels` that are handed in.
"""

import logging
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from keras_acl.data.split_folders import (
    Splits,
    class_folders,
    find_splits,
    warn_of_split_names,
)
from keras_acl.data.tables import (
    MOST_DIGITS,
    SEPARATOR,
    Row,
    class_index,
    read_table,
    split_cell,
)
from keras_acl.data.video_list import VideoList, checked_labels, only_present
from keras_acl.video.files import checked_folder, find_videos, is_url, list_files
from keras_acl.video.video import Video

logger = logging.getLogger("keras_acl")
SPARSEST = 10  # classes for each index that occurs: more, and the numbers are names


def read_directory(folder: str | Path, labels: Sequence[str] | None = None) -> VideoList:
    """Read a folder of class folders: folder/<class>/.../<video>.

    Videos are known by their suffix. Hidden files and folders are left out, and so are folders
    without videos, and videos beside the class folders, of which a warning tells.

    Args:
        folder: Folder that holds the class folders.
        labels: Class names in the wanted order, such as `model.labels`; sorted folder names by
            default. A class may be without a folder, but not a folder without a class.

    Returns:
        The videos, sorted by class and path.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no folder in it holds videos, one that does is not among `labels`, or two
            labels are the same.
    """
    folder = checked_folder(folder)
    # Folder by folder: a class folder may be a link.
    inside = {path.name: find_videos(path) for path in class_folders(folder)}
    found = {name: videos for name, videos in inside.items() if videos}
    beside = [path for path in find_videos(folder) if Path(path).parent == folder]
    if not found:
        raise ValueError(
            f"Expected one folder for each class in {folder}, with its videos inside. Received "
            f"{len(inside)} folders without videos and {len(beside)} videos beside "
            f"them{f', such as {Path(beside[0]).name}' if beside else ''}."
        )
    if beside:
        warnings.warn(
            f"Videos beside the class folders are of no class, and left out: {len(beside)} in "
            f"{folder}, such as {Path(beside[0]).name}. Move them into the folder of their class.",
            stacklevel=2,
        )
    if labels is None:
        labels = sorted(found)
        warn_of_split_names(labels, folder)
        _say_what_is_no_class(folder, labels)
    labels = checked_labels(labels)
    _check_known(folder, found, labels)
    videos = [
        Video(path, label) for label, name in enumerate(labels) for path in found.get(name, ())
    ]
    return VideoList(videos, labels)


def read_splits(folder: str | Path, labels: Sequence[str] | None = None) -> Splits:
    """Read a folder with train/, val/ and test/ below, each a folder of class folders.

    The names may also be training, valid, validation and testing. One of val and test may be
    missing; the classes of all sides are those of the training side, in one order.

    Args:
        folder: Folder that holds the sides.
        labels: Class names in the wanted order, as in `read_directory`.

    Returns:
        Training, validation and test videos; None for a side that is not there.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it is not split, or a side cannot be read, see `read_directory`.

    Example:
        >>> train, validation, _ = keras_acl.data.read_splits("dataset")
        >>> train = keras_acl.data.VideoDataset(train, model.clip)
    """
    found = find_splits(folder)
    if not found:
        raise ValueError(
            f"Expected folders train and val or test in {folder}, with the same class folders in "
            f"each. Received: {', '.join(path.name for path in class_folders(folder)) or 'none'}"
        )
    train = read_directory(found.pop("train"), labels)
    return Splits(train, **{side: read_directory(at, train.labels) for side, at in found.items()})


def read_csv(
    file: str | Path,
    labels: Sequence[str] | None = None,
    root: str | Path | None = None,
    subset: str | None = None,
    multi_label: bool = False,
) -> VideoList:
    """Read a CSV with the columns path, label and, where wanted, start, end, group, fps.

    Start and end are seconds; fps is that of a folder of numbered pictures, see `Video`.
    A label is a class name or a class index. Without `labels`, the class names are the sorted
    names of the file or, where every label is an index, "0", "1", ... up to the largest one.
    (Numbers are indices where at least one in ten of those up to the largest occurs, and names
    elsewhere, such as 20240101.)

    With `multi_label` a cell holds any number of labels, such as `left|red`, as
    `Series.str.get_dummies` of pandas reads them and `groupby("path").label.agg("|".join)` makes
    them of a row for each label. An empty cell says that the video has none of the classes.

    Args:
        file: CSV with a header line.
        labels: Class names in the wanted order, such as `model.labels`; see above for the default.
        root: Folder that the paths are relative to; the CSV's own by default.
        subset: Only rows with this in the column subset, as `"validation"` in a run's `split.csv`.
        multi_label: Whether a video may have several labels, or none.

    Returns:
        The videos in the order of the file; `missing` names those that are not on disk.

    Raises:
        FileNotFoundError: If there is no such file, or none of its videos is on disk.
        ValueError: If a column or the subset is missing, or a row has an unknown class or wrong
            times, or several labels one of which is empty or stands twice, or another row has other
            labels for the same video.
    """
    file = Path(file)
    root = file.parent if root is None else checked_folder(root)
    rows = read_table(file, ("path", "label", *(() if subset is None else ("subset",))))
    cells = [_label_names(row, multi_label) for row in rows]
    labels = labels_of(cells) if labels is None else checked_labels(labels)
    if multi_label:
        _check_several(labels, rows)
    elif joined := [name for name in labels if SEPARATOR in name]:
        logger.warning(
            "%s: %r is one class here; multi_label=True, or train --multi-label, reads several.",
            file,
            joined[0],
        )
    indices = {name: index for index, name in enumerate(labels)}
    if subset is not None:
        present = {row.cells["subset"]: None for row in rows}
        if subset not in present:
            raise ValueError(f"{file} has no subset {subset!r}. Received: {', '.join(present)}")
        rows = [row for row in rows if row.cells["subset"] == subset]
    listed = [_csv_video(row, root, indices, multi_label) for row in rows]
    return only_present(listed, labels, file)


def list_videos(sources: Sequence[str | Path]) -> VideoList:
    """List the videos of a folder of class folders, of a CSV, or of files and other folders.

    Args:
        sources: One folder or one `.csv` file, or any number of video files, folders of them, and
            URLs.

    Raises:
        FileNotFoundError: If a folder or CSV is not there.
        ValueError: If there is no video, or a CSV stands beside other sources.
    """
    paths = [Path(source) for source in sources if not is_url(source)]
    if len(sources) == len(paths) == 1 and paths[0].suffix.lower() == ".csv":
        return read_csv(paths[0])
    if any(path.suffix.lower() == ".csv" for path in paths):
        raise ValueError("A CSV stands alone: expected one CSV, or videos and folders")
    if len(sources) == len(paths) == 1 and paths[0].is_dir():
        found = find_videos(paths[0])
        if found and all(Path(path).parent != paths[0] for path in found):
            return read_directory(paths[0])
    return VideoList([Video(path) for path in list_files(sources)])


def _csv_video(row: Row, root: Path, indices: dict[str, int], multi_label: bool) -> Video:
    cells = row.cells
    if not cells["path"]:
        raise ValueError(f"{row.where}: the path is empty.")
    names = _label_names(row, multi_label)
    found = tuple(sorted(class_index(name, indices, row.where) for name in names))
    label = found if multi_label else found[0]
    try:
        start, end, fps = (
            float(cells[name]) if cells.get(name) else None for name in ("start", "end", "fps")
        )
        return Video(str(root / cells["path"]), label, start, end, cells.get("group") or None, fps)
    except ValueError as error:
        raise ValueError(f"{row.where}: {error}") from error


def _label_names(row: Row, multi_label: bool) -> list[str]:
    cell = row.cells["label"]
    return split_cell(cell, row.where) if multi_label else [cell]


def _check_several(labels: Sequence[str], rows: Sequence[Row]) -> None:
    """Refuse what several labels in a cell cannot say."""
    for name in labels:
        if SEPARATOR in name:
            raise ValueError(
                f"{SEPARATOR!r} stands between labels; a class name cannot have it. Received: "
                f"{name!r}"
            )
    seen: dict[tuple, Row] = {}
    for row in rows:
        part = tuple(row.cells.get(name) for name in ("path", "start", "end"))
        first = seen.setdefault(part, row)
        if set(_label_names(first, True)) != set(_label_names(row, True)):
            raise ValueError(
                f"{row.where}: {part[0]} has other labels than in {first.where}. Expected one row "
                f"with all of them: {SEPARATOR.join((first.cells['label'], row.cells['label']))}"
            )


def labels_of(cells: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Class names of the labels of each video: indices up to the largest, or sorted names."""
    names = {name for cell in cells for name in cell} - {""}
    if names and all(name.isdecimal() and len(name) < MOST_DIGITS for name in names):
        count = max(map(int, names)) + 1
        if count <= SPARSEST * len(names):
            return tuple(str(index) for index in range(count))
    return tuple(sorted(names))


def _check_known(folder: Path, found: Iterable[str], labels: Sequence[str]) -> None:
    for name in found:
        if name not in labels:
            raise ValueError(
                f"Class folder {folder / name} is not among the {len(labels)} labels: "
                f"{', '.join(labels[:5])}{', ...' if len(labels) > 5 else ''}"
            )


def _say_what_is_no_class(folder: Path, labels: Sequence[str]) -> None:
    others = [path.name for path in class_folders(folder) if path.name not in labels]
    if others:
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        logger.info("Folders without videos in %s are no classes: %s", folder, shown)
