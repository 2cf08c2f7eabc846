"""What a run notes of its videos: which side each is on, and what the model says of it."""

import csv
import hashlib
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_acl.data import VideoDataset, VideoList
from keras_acl.data.tables import SEPARATOR, join_cell
from keras_acl.evaluation.multi_label import THRESHOLD, mean_average_precision
from keras_acl.system.atomic_write import written_whole


def split_table(subsets: Mapping[str, VideoList]) -> str:
    """Which videos a run trains on and which it holds out, as a CSV of path, label, subset.

    `read_csv(file, subset="validation")` reads a side. Where a video is a part of its file, or has
    a group or a rate of its own, there are columns for these, too.
    """
    header = ["path", "label", "subset", "start", "end", "group", "fps"]
    rows = [
        [_path(v.path), join_cell(v.classes, videos.labels), name, v.start, v.end, v.group, v.fps]
        for name, videos in subsets.items()
        for v in videos
    ]
    used = [i for i in range(len(header)) if i < 3 or any(row[i] is not None for row in rows)]
    return _table([header[i] for i in used], ([row[i] for i in used] for row in rows))


def digest(subsets: Mapping[str, VideoList]) -> str:
    """A number that other videos, or other sides, do not have."""
    table = split_table(subsets).encode(errors="surrogateescape")
    return hashlib.sha256(table).hexdigest()


def write_predictions(
    file: Path, test: VideoDataset, scores: np.ndarray, all_scores: bool = False
) -> float:
    """Write one line per video and return the accuracy over those that could be read.

    Where videos may have several labels, those with a score of at least 0.5 are predicted, each
    with its score, and what is returned is the mean average precision.

    Args:
        file: CSV to write.
        test: The videos.
        scores: (N, L) scores of each, see `VideoClassifier.scores`.
        all_scores: Whether there is a column for the score of every class, too.
    """
    rows, hits, read = [], [], []
    names = [f"score of {label}" for label in test.labels] if all_scores else []
    for video, row in zip(test.videos, scores, strict=True):
        about = [_path(video.path), join_cell(video.classes, test.labels)]
        if video.path in test.bad_files:
            rows.append([*about, "", "", *[""] * len(names)])
            continue
        said = np.flatnonzero(row >= THRESHOLD) if test.multi_label else [int(row.argmax())]
        hits.append(tuple(said) == video.classes)
        read.append((np.isin(np.arange(len(row)), video.classes), row))
        others = [f"{score:.4f}" for score in row[: len(names)]]
        values = SEPARATOR.join(f"{row[index]:.4f}" for index in said)
        rows.append([*about, join_cell(said, test.labels), values, *others])
    write_table(file, _table(["path", "label", "predicted", "score", *names], rows))
    if not read:
        return math.nan
    if test.multi_label:
        return mean_average_precision(*map(np.stack, zip(*read, strict=True)))
    return float(np.mean(hits))


def write_table(file: Path, table: str) -> None:
    """Write a CSV; file names that are no UTF-8 go as they came."""
    with written_whole(file) as beside:
        beside.write_bytes(table.encode(errors="surrogateescape"))


def read_text(file: Path) -> str:
    """What `write_table` wrote."""
    return file.read_bytes().decode(errors="surrogateescape")


def _path(path: str) -> str:
    """Absolute: a table is found from any folder, and is not in that of its videos."""
    return os.path.abspath(path)


def _table(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return lines.getvalue()
