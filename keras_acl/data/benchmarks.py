"""UCF101 and Kinetics, from the files that their authors publish."""

from collections.abc import Sequence
from pathlib import Path

from keras_acl.data.files import (
    Row,
    checked_folder,
    class_index,
    find_videos,
    only_present,
    read_table,
)
from keras_acl.data.videos import Video, VideoList, checked_labels


def read_ucf101(
    folder: str | Path, splits: str | Path, split: int = 1, subset: str = "train"
) -> VideoList:
    """Read one side of an official split of UCF101.

    The class order is that of classInd.txt. Clips g01 to g25 of a class were each cut from one
    recording; the number and the class are the `group` ("Archery_g01").

    Reference: Soomro, Zamir, Shah, UCF101, CRCV-TR-12-01, 2012.

    Args:
        folder: The videos, <class>/v_<class>_gNN_cNN.avi.
        splits: The folder of classInd.txt, trainlist0N.txt and testlist0N.txt.
        split: 1, 2 or 3.
        subset: "train" or "test".

    Returns:
        The videos in the order of the file; `missing` names those that are not on disk.

    Raises:
        FileNotFoundError: If a folder or file is not there, or none of the videos.
        ValueError: If the split or subset is unknown, or a line cannot be read.
    """
    if split not in (1, 2, 3) or subset not in ("train", "test"):
        raise ValueError(
            "UCF101 has splits 1, 2 and 3 with a 'train' and a 'test' side. "
            f"Received: split={split!r}, subset={subset!r}"
        )
    folder = checked_folder(folder)
    labels = _ucf101_labels(Path(splits) / "classInd.txt")
    indices = {name: index for index, name in enumerate(labels)}
    file = Path(splits) / f"{subset}list0{split}.txt"
    videos = [
        _ucf101_video(line, folder, indices, f"{file}, line {number}")
        for number, line in _lines(file)
    ]
    return only_present(videos, labels, file)


def read_kinetics(
    folder: str | Path,
    file: str | Path,
    labels: Sequence[str] | None = None,
    subset: str | None = None,
) -> VideoList:
    """Read Kinetics (400, 600 or 700) by its public CSV.

    The CSV has the columns label, youtube_id, time_start, time_end and split; the one of the test
    side may lack label. A clip is <id>_<start>_<end> with six digits each, or just <id>, at any
    depth below `folder` and with any video suffix, so that <folder>/<label>/ as well as
    <folder>/<label_with_underscores>/ and <folder>/ itself are found. It is taken to be cut
    already. The clips of one YouTube video are one `group`.

    Args:
        folder: The videos.
        file: The CSV.
        labels: Class names in the wanted order; the sorted names in the CSV by default.
        subset: Only the rows whose split is this ("train", "validate", "test").

    Returns:
        The videos in the order of the file; `missing` names the rest, as every copy of Kinetics
        has holes.

    Raises:
        FileNotFoundError: If a folder or file is not there, or none of the videos.
        ValueError: If a column is missing, or a row has an unknown class or wrong times.
    """
    folder = checked_folder(folder)
    rows = read_table(file, ("youtube_id", "time_start", "time_end"))
    if labels is None:
        labels = sorted({row.cells["label"] for row in rows if row.cells.get("label")})
    labels = checked_labels(labels)
    indices = {name: index for index, name in enumerate(labels)}
    if subset is not None:
        rows = _subset(rows, subset, file)
    on_disk = {Path(path).stem: path for path in reversed(find_videos(folder))}
    return only_present(
        [_kinetics_video(row, folder, indices, on_disk) for row in rows], labels, file
    )


def _ucf101_labels(file: Path) -> tuple[str, ...]:
    names = []
    for number, line in _lines(file):
        index, _, name = line.partition(" ")
        if index != str(len(names) + 1) or not name:
            raise ValueError(
                f"{file}, line {number}: expected '{len(names) + 1} <class>'. Received: {line!r}"
            )
        names.append(name)
    return checked_labels(names)


def _ucf101_video(line: str, folder: Path, indices: dict[str, int], where: str) -> Video:
    """A record from "Archery/v_Archery_g01_c02.avi" and, in a training list, its class number."""
    path, _, number = line.partition(" ")
    name, _, file = path.partition("/")
    parts = Path(file).stem.split("_")  # v, Archery, g01, c02
    if name not in indices or len(parts) != 4:
        raise ValueError(
            f"{where}: expected '<class>/v_<class>_gNN_cNN.avi' with a class of classInd.txt. "
            f"Received: {line!r}"
        )
    label = indices[name]
    if number and number != str(label + 1):
        raise ValueError(f"{where}: {name} is class {label + 1} in classInd.txt, not {number!r}.")
    return Video(str(folder / path), label, group=f"{name}_{parts[2]}")


def _kinetics_video(
    row: Row, folder: Path, indices: dict[str, int], on_disk: dict[str, str]
) -> Video:
    cells = row.cells
    name, clip = cells.get("label", ""), cells["youtube_id"]
    label = class_index(name, indices, row.where) if name else None
    try:
        start, end = (int(float(cells[column])) for column in ("time_start", "time_end"))
    except ValueError as error:
        raise ValueError(f"{row.where}: expected two times in seconds. {error}") from error
    stem = f"{clip}_{start:06d}_{end:06d}"
    usual = folder / name / f"{stem}.mp4"
    path = on_disk.get(stem) or on_disk.get(clip) or str(usual)
    return Video(path, label, group=clip)


def _subset(rows: list[Row], subset: str, file: str | Path) -> list[Row]:
    kept = [row for row in rows if row.cells.get("split") == subset]
    if not kept:
        there = sorted({row.cells.get("split", "") for row in rows})
        raise ValueError(f"{file} has no split {subset!r}. It has: {', '.join(map(repr, there))}")
    return kept


def _lines(file: Path) -> list[tuple[int, str]]:
    """Numbered lines of a text file, without the empty ones."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
