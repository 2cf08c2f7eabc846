"""What the readers of `sources` share: folders, CSV rows, class names, holes in a data set."""

import csv
import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_acl.data.videos import Video, VideoList

VIDEO_SUFFIXES = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg")
VIDEO_SUFFIXES += (".mts", ".ogv", ".ts", ".webm", ".wmv")


class MissingVideosWarning(UserWarning):
    """Some of the videos that a list names are not on disk; every copy of Kinetics has holes."""


class Row(NamedTuple):
    """A row of a table and where it stands, "file.csv, line 7"."""

    where: str
    cells: dict[str, str]


def find_videos(folder: str | Path) -> list[str]:
    """All video files at any depth below a folder, sorted; hidden files and folders are left out.

    A video is known by its suffix, such as .mp4 or .avi.

    Args:
        folder: Where to look.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    folder = checked_folder(folder)
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    return [str(path) for path in sorted(found, key=Path.as_posix)]


def list_files(sources: Sequence[str | Path]) -> list[str]:
    """The files among the sources, and the video files in the folders among them.

    Args:
        sources: Files and folders.

    Raises:
        ValueError: If there is none.
    """
    paths = [
        path
        for source in map(Path, sources)
        for path in (find_videos(source) if source.is_dir() else [str(source)])
    ]
    if not paths:
        raise ValueError(f"There is no video file in {', '.join(map(str, sources))}")
    return paths


def checked_folder(folder: str | Path) -> Path:
    """The folder as a Path.

    Raises:
        FileNotFoundError: If it is not there, or a file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "It is a file." if folder.exists() else "Check the path."
        raise FileNotFoundError(f"There is no folder {folder}. {what}")
    return folder


def read_table(file: str | Path, columns: Iterable[str]) -> list[Row]:
    """Rows of a comma-separated file with a header line; empty lines are left out.

    Args:
        file: The CSV, UTF-8.
        columns: Those it must have; others are handed over too.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing, a row has more or fewer cells than the header, or
            there is no row.
    """
    file = Path(file)
    rows = []
    # utf-8-sig: spreadsheets put a byte order mark in front of the header.
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text: {error.reason}. Save it as UTF-8.") from error
    with io.StringIO(text, newline="") as lines:
        reader = csv.reader(lines)
        header = [name.strip() for name in next(reader, [])]
        lacking = [name for name in columns if name not in header]
        if lacking:
            raise ValueError(
                f"{file}, line 1: expected a header with the column(s) {', '.join(lacking)}. "
                f"Received: {','.join(header)!r}"
            )
        for cells in reader:
            where = f"{file}, line {reader.line_num}"
            if cells and len(cells) != len(header):
                raise ValueError(
                    f"{where}: expected {len(header)} cells, as in the header. "
                    f"Received {len(cells)}: {','.join(cells)!r}"
                )
            if cells:
                row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
                rows.append(Row(where, row))
    if not rows:
        raise ValueError(f"{file} has a header and no rows. Expected one row for each video.")
    return rows


def class_index(value: str, indices: Mapping[str, int], where: str) -> int:
    """Index of a class that is given by its name or, in digits, by its index.

    Args:
        value: What a file says.
        indices: Index of every class name.
        where: File and line, for the error.

    Raises:
        ValueError: If there is no such class.
    """
    if value in indices:
        return indices[value]
    if value.isdecimal() and int(value) < len(indices):
        return int(value)
    names = [repr(name) for name in indices]
    known = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise ValueError(
        f"{where}: unknown class {value!r}. Expected an index below {len(names)} or one of {known}"
    )


def only_present(listed: Iterable[Video], labels: Sequence[str], source: str | Path) -> VideoList:
    """The listed videos that are on disk; the others become `missing`.

    Raises:
        FileNotFoundError: If none is on disk.
    """
    videos, missing = [], []
    for video in listed:
        if Path(video.path).is_file():
            videos.append(video)
        else:
            missing.append(video.path)
    if not videos:
        raise FileNotFoundError(
            f"None of the {len(missing)} videos that {source} lists is on disk. "
            f"Looked for {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}"
        )
    if missing:
        warnings.warn(
            f"{len(missing)} of {len(videos) + len(missing)} videos that {source} lists are not on "
            f"disk, such as {missing[0]}. The others are used; `.missing` names all.",
            MissingVideosWarning,
            stacklevel=3,
        )
    return VideoList(videos, labels, missing)
