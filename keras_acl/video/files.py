"""Folders of video files."""

from collections.abc import Sequence
from pathlib import Path

VIDEO_SUFFIXES = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg")
VIDEO_SUFFIXES += (".mts", ".ogv", ".ts", ".webm", ".wmv")


def find_videos(folder: str | Path) -> list[str]:
    """List all video files at any depth below a folder, sorted, without hidden files and folders.

    A video is known by its suffix, such as .mp4 or .avi.

    Args:
        folder: Folder to search.

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
    """List the given files, and the video files in the given folders.

    Args:
        sources: Paths of files and folders.

    Raises:
        ValueError: If there is no file.
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
    """Return the folder as a `Path`.

    Raises:
        FileNotFoundError: If it does not exist or is a file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "It is a file." if folder.exists() else "Check the path."
        raise FileNotFoundError(f"There is no folder {folder}. {what}")
    return folder
