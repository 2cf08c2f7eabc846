"""Copies of folders of videos that decode fast: smaller, two key frames per second, no sound."""

import contextlib
import dataclasses
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from keras_acl.system.atomic_write import written_whole
from keras_acl.system.unfinished import tidy
from keras_acl.video.encode import CODECS, encode_anew
from keras_acl.video.files import find_videos
from keras_acl.video.read_ahead import read_ahead
from keras_acl.video.video import VideoProblem

SETTINGS = ".shrink.json"
LISTS = (".csv", ".txt")


@dataclasses.dataclass(frozen=True)
class ShrinkReport:
    """What `shrink_videos` did.

    Args:
        written: Number of files written by this call.
        finished: Number of files that existed already.
        bytes_before: Size of the originals of all these files.
        bytes_after: Size of the copies.
        problems: Files that cannot be read, with the reason; they have no copy.
    """

    written: int
    finished: int
    bytes_before: int
    bytes_after: int
    problems: tuple[VideoProblem, ...]


def shrink_videos(
    folder: str | Path,
    output: str | Path,
    short_side: int = 320,
    quality: int | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], object] | None = None,
    codec: str | None = None,
) -> ShrinkReport:
    """Copy every video of a folder so that it decodes fast.

    Folders and names stay the same, so class folders and lists of files remain valid; CSV and text
    files are copied along. A copy is MP4 whatever its suffix (FFmpeg goes by content), upright,
    without sound, and shows the same frames at the same times. A folder of pictures becomes
    FOLDER.mp4 (25 fps). Newer copies are kept: a second call resumes.

    Args:
        folder: Folder to search at any depth; hidden files and folders are left out.
        output: Folder of the copies. Neither inside `folder` nor around it.
        short_side: Pixels of the shorter side; smaller videos keep their size (made even).
        quality: `mpeg4`: the quantiser, 1 (best) to 31; `h264`: the constant rate factor, 0 to 51.
            None: that of the copies in `output`, or 3 and 20.
        workers: Files copied at a time. None: as many as CPU cores.
        progress: Called as `progress(done, total)` after each file, in the calling thread.
        codec: `mpeg4` (MPEG-4 part 2) decodes fastest; `h264` is smaller, and browsers play it.
            None: that of the copies in `output`, or `mpeg4`.

    Returns:
        A report of numbers, sizes, and files that cannot be read.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no video, the folders overlap, a value is out of range, or `output`
            was made with other values.
        OSError: If a copy cannot be written, for example to a full disk.
    """
    folder, output = Path(folder), Path(output)
    names = [Path(path).relative_to(folder) for path in find_videos(folder)]
    _check_folders(folder, output, names)
    codec, quality = _check_settings(output, short_side, codec, quality)
    _tidy(folder, output)
    copies_of = _copies(folder, output, names)
    todo = [name for name in names if not _is_finished(folder / name, copies_of[name])]
    reasons: dict[Path, str] = {}
    stop = threading.Event()  # an error or Ctrl-C ends what is being written, and leaves none of it

    def encode(name: Path) -> list[None]:
        return [encode_anew(folder / name, copies_of[name], short_side, codec, quality, stop)]

    copies = read_ahead(todo, encode, workers or os.cpu_count(), stop=stop)
    with contextlib.closing(copies):
        for done, (place, result) in enumerate(copies, len(names) - len(todo) + 1):
            if result is not None:
                reasons[todo[place]] = result.reason
            if progress is not None:
                progress(done, len(names))
    problems = tuple(VideoProblem(str(folder / n), reasons[n]) for n in names if n in reasons)
    copied = {folder / name: copies_of[name] for name in names if name not in reasons}
    before, after = sum(map(_size, copied)), sum(map(_size, copied.values()))
    return ShrinkReport(len(todo) - len(reasons), len(names) - len(todo), before, after, problems)


def _check_settings(
    output: Path, short_side: int, codec: str | None, quality: int | None
) -> tuple[str, int]:
    """The codec and its quality. Settings out of range or unlike earlier copies' are refused."""
    file = output / SETTINGS
    before: dict = {}
    if file.exists():  # without a codec in it, they are of a version that wrote H.264 alone
        before = {"codec": "h264"} | json.loads(file.read_text(encoding="utf-8"))
    codec = codec or str(before.get("codec", "mpeg4"))
    if codec not in CODECS:
        raise ValueError(f"Expected a codec of {', '.join(CODECS)}. Received: codec={codec!r}")
    scale = CODECS[codec]
    if quality is None:
        quality = int(before["quality"]) if before.get("codec") == codec else scale.usual
    if short_side < 16 or not scale.best <= quality <= scale.worst:
        raise ValueError(
            f"Expected a short side of at least 16 pixels and, with {codec}, a quality from "
            f"{scale.best} (best) to {scale.worst}. "
            f"Received: short_side={short_side}, quality={quality}"
        )
    settings = {"codec": codec, "short_side": short_side, "quality": quality}
    if before and before != settings:
        raise ValueError(
            f"{output} was made with other settings: {before}. Received: {settings}. "
            "Use those, or another folder."
        )
    if not before:
        with written_whole(file) as beside:
            beside.write_text(json.dumps(settings), encoding="utf-8")
    return codec, quality


def _check_folders(folder: Path, output: Path, names: list[Path]) -> None:
    inner, outer = output.resolve(), folder.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise ValueError(
            f"Originals and copies must not mix: {output} and {folder} are the same folder, or one "
            "is inside the other. Choose a folder beside it."
        )
    if not names:
        raise ValueError(f"There is no video file in {folder}")


def _tidy(folder: Path, output: Path) -> None:
    """Copy lists, and remove files that a killed process left half-written."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        target = output / path.relative_to(folder)
        is_list = path.suffix.lower() in LISTS and not hidden and path.is_file()
        if is_list and not _is_finished(path, target):
            with written_whole(target) as beside:
                shutil.copyfile(path, beside)
    for place, _, _ in os.walk(output):
        tidy(place)


def _copies(folder: Path, output: Path, names: list[Path]) -> dict[Path, Path]:
    """The copy of each video; a folder of pictures and a video must not have the same."""
    copies: dict[Path, Path] = {}
    taken: set[Path] = set()
    for name in names:
        is_folder = (folder / name).is_dir()
        copy = output / (name.with_name(f"{name.name}.mp4") if is_folder else name)
        if copy in taken:
            raise ValueError(f"{folder / name}: the copy of another video would be {copy}, too")
        copies[name] = copy
        taken.add(copy)
    return copies


def _size(path: Path) -> int:
    """Bytes of a file, or of the pictures of a folder."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def _is_finished(source: Path, target: Path) -> bool:
    return target.is_file() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns
