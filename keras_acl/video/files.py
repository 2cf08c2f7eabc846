"""Where videos are: files in folders, folders of numbered pictures, URLs."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

VIDEO_SUFFIXES = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg")
VIDEO_SUFFIXES += (".mts", ".ogv", ".ts", ".webm", ".wmv")
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
NUMBERED = re.compile(r"(.*?)([0-9]+)(\.\w+)", re.DOTALL)
FLOW = "flow"  # pictures of optical flow (flow_x_00001.jpg) often stand beside those of a video


class NumberedPictures(NamedTuple):
    """The pictures of a folder of them.

    Args:
        pattern: Name of the pictures with FFmpeg's %05d or %d for the number.
        first: Smallest number.
        missing: Name of the first picture that is not there; None if none is missing.
    """

    pattern: str
    first: int
    missing: str | None


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether text is a URL that videos are read from, http:// or https://; a `Path` never is."""
    return isinstance(path, str) and path.lower().startswith(("http://", "https://"))


def is_frame_folder(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is one video, kept as numbered pictures: img_00001.jpg, img_00002.jpg, ...

    It holds two of them at least, of one name and ending, and neither videos nor folders. Pictures
    of optical flow (flow_x_00001.jpg), hidden files and others may lie beside them.
    """
    return numbered_pictures(folder) is not None


def video_exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file, or a folder of numbered pictures."""
    return os.path.isfile(path) or is_frame_folder(path)


def numbered_pictures(folder: str | os.PathLike[str]) -> NumberedPictures | None:
    """The pictures of a folder that `is_frame_folder`, else None."""
    names: dict[tuple[str, str], list[str]] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir() or _has_suffix(entry.name, VIDEO_SUFFIXES):
                    return None
                match = NUMBERED.fullmatch(entry.name)
                if match and _has_suffix(entry.name, PICTURES) and match[1][:4].lower() != FLOW:
                    names.setdefault((match[1], match[3]), []).append(match[2])
    except OSError:
        return None
    if len(names) != 1:
        return None
    (((prefix, suffix), digits),) = names.items()
    width = min(map(len, digits)) if any(text.startswith("0") for text in digits) else 1
    numbers = {int(text) for text in digits}
    if len(digits) < 2:
        return None
    expected = ((number, f"{number:0{width}d}") for number in range(min(numbers), max(numbers) + 1))
    there = set(digits)
    missing = next((text for _, text in expected if text not in there), None)
    form = f"%0{width}d" if width > 1 else "%d"
    return NumberedPictures(
        prefix.replace("%", "%%") + form + suffix,
        min(numbers),
        None if missing is None else prefix + missing + suffix,
    )


def find_videos(folder: str | Path) -> list[str]:
    """List all videos at any depth below a folder, sorted, without hidden files and folders.

    A video is a regular file known by its suffix, such as .mp4 or .avi, or a folder of numbered
    pictures, see `is_frame_folder`. Links to folders are followed.

    Args:
        folder: Folder to search.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    return [str(path) for path in sorted(_walk(checked_folder(folder), ()), key=Path.as_posix)]


def list_files(sources: Sequence[str | Path]) -> list[str]:
    """List the given files and URLs, and the videos in the given folders.

    Args:
        sources: Paths of files and folders, and URLs. A folder of numbered pictures is one video.

    Raises:
        ValueError: If there is no video.
    """
    paths = []
    for source in sources:
        if not is_url(source) and os.path.isdir(source) and not is_frame_folder(source):
            paths += find_videos(source)
        else:
            paths.append(str(source) if is_url(source) else str(Path(source)))
    if not paths:
        raise ValueError(f"There is no video file in {', '.join(map(str, sources))}")
    return paths


def checked_folder(folder: str | Path) -> Path:
    """Return the folder as a `Path`.

    Raises:
        FileNotFoundError: If it does not exist or is a file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "It is a file." if folder.exists() else "Check the path."
        raise FileNotFoundError(f"There is no folder {folder}. {what}")
    return folder


def _walk(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """The videos below a folder.

    Args:
        folder: Folder to search.
        above: Device and number of the folders on the way here: a link to one would never end.
    """
    try:
        status, entries = folder.stat(), list(os.scandir(folder))
    except PermissionError:  # lost+found at the top of a disk
        return
    here = status.st_dev, status.st_ino
    if here in above:
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            if _has_suffix(entry.name, VIDEO_SUFFIXES) and entry.is_file():
                yield path
        elif is_frame_folder(path):
            yield path
        else:
            yield from _walk(path, (*above, here))


def _has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes
