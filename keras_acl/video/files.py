"""What the readers of `sources` share: folders, CSV rows, class names, holes in a data set."""

from collections.abc import Sequence
from pathlib import Path

VIDEO_SUFFIXES = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg")
VIDEO_SUFFIXES += (".mts", ".ogv", ".ts", ".webm", ".wmv")


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
