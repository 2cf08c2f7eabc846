"""What a report says of one run, as data for its template: pure functions of scores."""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_acl.evaluation.calibration import CalibrationBin, calibration
from keras_acl.evaluation.metrics import (
    NOT_FOUND,
    ClassAccuracy,
    Summary,
    alone_on_the_same,
    class_table,
    confusion_matrix,
    mean_class_accuracy,
    summary,
    wilson_interval,
)
from keras_acl.evaluation.roc import RocCurve, mean_area, roc_curves
from keras_acl.evaluation.scores import Scores
from keras_acl.report import charts
from keras_acl.report.attention_strips import StripRow
from keras_acl.report.run import Run

ENDS = 10  # classes at each end of a table that is too long to be shown whole
PAIRS = 15  # most confused pairs


@dataclasses.dataclass(frozen=True)
class HardVideo:
    """A video whose labelled class has a small score.

    Args:
        index: Place of the video in the scores.
        truth: The labelled class.
        predicted: The class with the largest score.
        top: Names and scores of the best classes, best first.
        score: Score of the labelled class.
        rank: Its place among the classes, from 1.
    """

    index: int
    truth: int
    predicted: int
    top: tuple[tuple[str, float], ...]
    score: float
    rank: int


@dataclasses.dataclass(frozen=True)
class Strips:
    """Attention strips of videos.

    Args:
        rows: Rows of pictures of each video, by its place in the scores.
        notes: Why a video has none.
        note: Why none has.
    """

    rows: Mapping[int, Sequence[StripRow]] = dataclasses.field(default_factory=dict)
    notes: Mapping[int, str] = dataclasses.field(default_factory=dict)
    note: str = ""


def hardest_videos(scores: Scores, count: int) -> list[HardVideo]:
    """The wrong videos whose labelled class has the smallest scores, smallest first."""
    usable = np.flatnonzero(scores.done & (scores.truth >= 0))
    predicted = scores.probabilities[usable].argmax(axis=1)
    truth = scores.truth[usable]
    wrong = usable[predicted != truth]
    given = scores.probabilities[wrong, scores.truth[wrong]]
    return [_hard_video(scores, int(i)) for i in wrong[np.argsort(given, kind="stable")][:count]]


def run_context(
    run: Run,
    groups: Mapping[str, Sequence[str]],
    hardest: Sequence[HardVideo],
    strips: Strips,
    salt: str,
) -> dict[str, Any]:
    """Everything that is said of one run.

    Args:
        run: What is reported.
        groups: Names of groups and their classes.
        hardest: The videos shown.
        strips: Their attention.
        salt: Tells the ids of this run's charts from others in the page.
    """
    scores = run.scores
    values, matrix, bins = summary(scores), confusion_matrix(scores), calibration(scores)
    rows, curves = class_table(scores), roc_curves(scores)
    alone = [class_table(one) for one in alone_on_the_same(scores).values()]
    _, names = short_paths(scores)
    return {
        **common_context(run, salt),
        "summary": values,
        "streams": stream_rows(scores, values),
        "matrix": charts.matrix_chart(matrix, scores.labels, salt),
        "named": len(scores.labels) <= charts.NAMED_CLASSES,
        "pairs": confused_pairs(matrix, scores.labels),
        "table": _class_tables(rows, {curve.label: curve.area for curve in curves}, alone),
        "means": class_means(rows, curves),
        "roc": charts.roc_chart(curves, salt) if curves else "",
        "calibration": charts.calibration_chart(bins, values.calibration_error, salt),
        **_calibrated(bins),
        "groups": group_rows(rows, groups),
        "hardest": [_shown(video, names, scores.labels, strips) for video in hardest],
        "has_strips": bool(strips.rows),
        "strip_note": strips.note,
    }


def common_context(run: Run, salt: str) -> dict[str, Any]:
    """What is said of a run whatever its videos' labels are."""
    scores = run.scores
    folder, names = short_paths(scores)
    problems = [
        {"name": names[index], "reason": problem, "missing": problem == NOT_FOUND}
        for index, problem in enumerate(scores.problems)
        if problem is not None
    ]
    return {
        "run": run,
        "salt": salt,
        "classes": len(scores.labels),
        "folder": folder,
        "pending": int((~(scores.done | scores.failed)).sum()),
        "unlabelled": int((scores.done & ~scores.labelled).sum()),
        "missing": [problem for problem in problems if problem["missing"]],
        "failed": [problem for problem in problems if not problem["missing"]],
        "curves": _curves(run, salt),
    }


def _shown(
    video: HardVideo, names: Sequence[str], labels: Sequence[str], strips: Strips
) -> dict[str, Any]:
    return {
        "video": video,
        "name": names[video.index],
        "truth": labels[video.truth],
        "predicted": labels[video.predicted],
        "rows": strips.rows.get(video.index, ()),
        "note": strips.notes.get(video.index, ""),
    }


def stream_rows(scores: Scores, both: Summary) -> list[dict[str, Any]]:
    """Accuracies of both streams together and of each alone; none where they are not known."""
    means = {name: mean_class_accuracy(one) for name, one in alone_on_the_same(scores).items()}
    rows = [
        {"name": f"{name} alone", "accuracy": both.streams[name], "mean_class": mean}
        for name, mean in means.items()
    ]
    together = {"name": "both together", "accuracy": both, "mean_class": both.mean_class}
    return [together, *rows] if rows else []


def _calibrated(bins: Sequence[CalibrationBin]) -> dict[str, Any]:
    filled = [row for row in bins if row.videos]
    surer = sum(row.videos * (row.confidence - row.accuracy) for row in filled) > 0
    return {"bins": filled, "surer": surer}


def confused_pairs(matrix: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The PAIRS most frequent mistakes: truth, predicted, videos and their share of the class."""
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [divmod(int(place), len(labels)) for place in order]
    return [
        {
            "truth": labels[row],
            "predicted": labels[column],
            "videos": int(wrong[row, column]),
            "share": wrong[row, column] / matrix[row].sum(),
        }
        for row, column in pairs
        if wrong[row, column]
    ]


def group_rows(
    rows: Sequence[ClassAccuracy], groups: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Videos, accuracy and interval of each group; groups without videos have neither."""
    by_label = {row.label: row for row in rows}
    result = []
    for name, members in groups.items():
        inside = [by_label[label] for label in dict.fromkeys(members)]
        videos, correct = sum(row.videos for row in inside), sum(row.correct for row in inside)
        result.append(
            {
                "name": name,
                "members": [row.label for row in inside],
                "videos": videos,
                "accuracy": correct / videos if videos else None,
                "interval": wilson_interval(correct, videos) if videos else None,
            }
        )
    return result


def short_paths(scores: Scores) -> tuple[str, list[str]]:
    """The folder that all videos on disk are in, and each path without it."""
    found = [
        path
        for path, problem in zip(scores.paths, scores.problems, strict=True)
        if problem != NOT_FOUND
    ]
    try:
        folder = os.path.commonpath([os.path.dirname(path) for path in found])
    except ValueError:  # none, or absolute and relative ones
        folder = ""
    before = folder if folder.endswith(os.sep) else folder + os.sep
    return folder, [path.removeprefix(before) if folder else path for path in scores.paths]


def _hard_video(scores: Scores, index: int) -> HardVideo:
    values = scores.probabilities[index]
    order = np.argsort(-values, kind="stable")
    truth = int(scores.truth[index])
    return HardVideo(
        index=index,
        truth=truth,
        predicted=int(order[0]),
        top=tuple((scores.labels[i], float(values[i])) for i in order[:3].tolist()),
        score=float(values[truth]),
        rank=int(np.flatnonzero(order == truth)[0]) + 1,
    )


def _curves(run: Run, salt: str) -> list[str]:
    return charts.curve_charts(run.history, salt) if run.history.get("epoch") else []


def class_means(rows: Sequence[ClassAccuracy], curves: Sequence[RocCurve]) -> dict[str, float]:
    """Means over the classes that have videos; a class that is never said has precision 0."""
    seen = [row for row in rows if row.videos]
    return {
        "precision": float(np.mean([row.precision if row.said else 0.0 for row in seen])),
        "recall": float(np.mean([row.accuracy for row in seen])),
        "f1": float(np.mean([row.f1 for row in seen])),
        "area": mean_area(list(curves)),
    }


def _class_tables(
    rows: Sequence[ClassAccuracy],
    areas: Mapping[str, float],
    alone: Sequence[Sequence[ClassAccuracy]],
) -> dict[str, Any]:
    """Rows with interval, worst first: all, and both ends where they are too many.

    `alone` has the rows of each stream.
    """
    by_stream = {each[0].label: [row.accuracy for row in each] for each in zip(*alone, strict=True)}
    seen = [
        {
            "row": row,
            "interval": wilson_interval(row.correct, row.videos),
            "area": areas.get(row.label, math.nan),
            "alone": by_stream.get(row.label, []),
        }
        for row in sorted(
            (row for row in rows if row.videos),
            key=lambda row: (row.accuracy, -row.videos, row.label),
        )
    ]
    return with_ends(seen, [row.label for row in rows if not row.videos])


def with_ends(seen: list, unseen: list[str]) -> dict[str, Any]:
    """The rows of a table, worst first: all, and both ends of very many; and names without one."""
    many = len(seen) > 2 * ENDS
    return {
        "all": seen,
        "worst": seen[:ENDS] if many else [],
        "best": seen[: -ENDS - 1 : -1] if many else [],
        "unseen": unseen,
    }
