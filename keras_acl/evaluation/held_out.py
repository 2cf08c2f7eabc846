"""Which videos a training run held out, and which it trained on: its `split.csv`."""

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from keras_acl.data.sources import read_csv
from keras_acl.data.tables import read_table
from keras_acl.data.video_list import VideoList
from keras_acl.video.video import Video

SPLIT = "split.csv"
TRAINED, VALIDATION, TEST = "train", "validation", "test"


def run_folder(model: str) -> Path | None:
    """The folder of the training run that a model is named by; `None` for other models."""
    path = Path(model)
    folder = path if path.is_dir() else path.parent
    return folder if (folder / SPLIT).is_file() and (folder / "model.keras").is_file() else None


def held_out_videos(
    folder: Path, labels: Sequence[str] | None, multi_label: bool = False
) -> tuple[VideoList, str]:
    """The test videos of a run, or those of its validation; and the name of that side."""
    present = {row.cells["subset"] for row in read_table(folder / SPLIT, ("subset",))}
    side = TEST if TEST in present else VALIDATION
    return read_csv(folder / SPLIT, labels, subset=side, multi_label=multi_label), side


def count_trained_on(folder: Path, videos: Iterable[Video]) -> int:
    """How many videos a run trained on, as a whole or in part, whatever their paths look like."""
    parts: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in read_table(folder / SPLIT, ("path", "subset")):
        if row.cells["subset"] == TRAINED:
            start, end = row.cells.get("start"), row.cells.get("end")
            seconds = float(start or 0), float(end or math.inf)
            parts[os.path.realpath(row.cells["path"])].append(seconds)
    return sum(
        any(
            (video.start or 0) < end and start < (video.end or math.inf)
            for start, end in parts.get(os.path.realpath(video.path), ())
        )
        for video in videos
    )
