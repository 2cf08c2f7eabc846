"""UCF101, from the lists that its authors publish."""

from pathlib import Path

from keras_acl.data.video_list import VideoList, checked_labels, only_present
from keras_acl.video.files import checked_folder
from keras_acl.video.video import Video


def read_ucf101(
    folder: str | Path, splits: str | Path, split: int = 1, subset: str = "train"
) -> VideoList:
    """Read one side of an official split of UCF101.

    The class order is that of classInd.txt. Clips g01 to g25 of a class were each cut from one
    recording; the number and the class are the `group` ("Archery_g01").

    Reference: Soomro, Zamir, Shah, UCF101, CRCV-TR-12-01, 2012.

    Args:
        folder: Folder of the videos, <class>/v_<class>_gNN_cNN.avi.
        splits: Folder of classInd.txt, trainlist0N.txt and testlist0N.txt.
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


def _lines(file: Path) -> list[tuple[int, str]]:
    """Numbered lines of a text file, without the empty ones."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
