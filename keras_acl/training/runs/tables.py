"""What a run notes of its videos: which side each is on, and what the model says of it."""

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_acl.data import VideoDataset, VideoList
from keras_acl.system.atomic_write import written_whole


def write_split(file: Path, subsets: Mapping[str, VideoList]) -> None:
    """Write which videos a run trains on and which it holds out: path, label, subset.

    `read_csv(file, subset="validation")` reads a side. Where a video is a part of its file or has a
    group, there are columns for these, too.

    Args:
        file: CSV to write.
        subsets: Videos by the name of their side.
    """
    records = [(video, name, videos.labels) for name, videos in subsets.items() for video in videos]
    extra = [
        name
        for name in ("start", "end", "group")
        if any(getattr(video, name) is not None for video, _, _ in records)
    ]
    rows = (
        [_path(video.path), labels[video.label or 0], name, *(getattr(video, key) for key in extra)]
        for video, name, labels in records
    )
    _write(file, ["path", "label", "subset", *extra], rows)


def write_predictions(file: Path, test: VideoDataset, scores: np.ndarray) -> float:
    """Write one line per video and return the accuracy over those that could be read."""
    rows, hits = [], []
    for video, row in zip(test.videos, scores, strict=True):
        about = [_path(video.path), test.labels[video.label or 0]]
        if video.path in test.bad_files:
            rows.append([*about, "", ""])
            continue
        best = int(row.argmax())
        hits.append(best == video.label)
        rows.append([*about, test.labels[best], f"{row[best]:.4f}"])
    _write(file, ["path", "label", "predicted", "score"], rows)
    return float(np.mean(hits)) if hits else math.nan


def _path(path: str) -> str:
    """Absolute: a table is found from any folder, and is not in that of its videos."""
    return os.path.abspath(path)


def _write(file: Path, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    with (
        written_whole(file) as beside,
        # File names that are no UTF-8 go as they came.
        open(beside, "w", newline="", encoding="utf-8", errors="surrogateescape") as lines,
    ):
        writer = csv.writer(lines)
        writer.writerow(header)
        writer.writerows(rows)
