"""Kinetics, from the tables that its authors publish."""

from collections.abc import Sequence
from pathlib import Path

from keras_acl.data.tables import Row, class_index, read_table
from keras_acl.data.video_list import VideoList, checked_labels, only_present
from keras_acl.video.files import checked_folder, find_videos
from keras_acl.video.video import Video


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
        folder: Folder of the videos.
        file: CSV with these columns.
        labels: Class names in the wanted order; the sorted names in the CSV by default.
        subset: Value of the column split to read ("train", "validate", "test"); all by default.

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
