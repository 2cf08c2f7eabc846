"""An evaluation in progress: what is done is kept, and processes that share the work meet again."""

import csv
import dataclasses
import json
import math
import time
from pathlib import Path

import numpy as np

from keras_acl.evaluation.metrics import summary
from keras_acl.evaluation.multi_label import LabelRow, label_table, multi_label_summary
from keras_acl.evaluation.scores import FILE, Scores, merge
from keras_acl.system.atomic_write import written_whole

METRICS = "metrics.json"
LABELS = "labels.csv"  # of several labels a video: how well each is found
SAVE_EVERY = 30.0  # seconds


class Journal:
    """Collects the results of one process; with a folder it goes on from what is there.

    Args:
        scores: The evaluation with nothing done.
        folder: Where to keep it; `None` for memory only.
        shard: (index, count) of this process.

    Raises:
        ValueError: If the folder holds another evaluation.
    """

    def __init__(self, scores: Scores, folder: Path | None, shard: tuple[int, int]) -> None:
        self._folder, self._shard = folder, shard
        found = [] if folder is None else _found(folder, scores)
        self._scores = merge([scores, *found])
        self._missing = scores.failed
        self._problems = list(self._scores.problems)
        self._saved, self._pause = time.monotonic(), 0.0

    @property
    def pending(self) -> list[int]:
        """Videos that this process has to do, in order; a file that broke before is tried again."""
        finished = self._scores.done | self._missing
        index, count = self._shard
        return [video for video in range(index, len(finished), count) if not finished[video]]

    def add(self, video: int, result: np.ndarray | str) -> None:
        """Note the scores of a video, or why it has none.

        Args:
            video: Its place.
            result: Scores (L,), or (1 + streams, L): of all and of each stream alone; or a reason.
        """
        failed = isinstance(result, str)
        self._problems[video] = result if failed else None
        if not failed:
            self._scores.probabilities[video], *alone = np.atleast_2d(result)
            for scores, row in zip(self._scores.streams.values(), alone, strict=False):
                scores[video] = row
        if time.monotonic() - self._saved > max(SAVE_EVERY, self._pause):
            self.save()

    def save(self) -> None:
        """Write what is known so far, if there is a folder."""
        if self._folder is not None:
            begin = time.monotonic()
            self.scores.save(self._part(self._folder))
            self._saved = time.monotonic()
            self._pause = 20 * (self._saved - begin)  # so that saving takes 5 % of the time at most

    close = save

    @property
    def scores(self) -> Scores:
        """What is known so far."""
        return dataclasses.replace(self._scores, problems=tuple(self._problems))

    def finish(self) -> Scores:
        """Join the parts of all processes; the last one writes the scores and the metrics.

        Two may end at once and write the same.
        """
        if self._folder is None:
            return self.scores
        scores = merge([self.scores, *_found(self._folder, self.scores)])
        if scores.complete:
            scores.save(self._folder / FILE)
            write_metrics(scores, self._folder / METRICS)
            if scores.multi_label:
                write_label_table(scores, self._folder / LABELS)
            for part in _parts(self._folder):
                part.unlink(missing_ok=True)
        return scores

    def _part(self, folder: Path) -> Path:
        index, count = self._shard
        return folder / f"scores.{index}-of-{count}.part.npz"


def write_metrics(scores: Scores, file: Path) -> None:
    """Write the summary of an evaluation as JSON; nothing if no labelled video has scores."""
    if not (scores.done & scores.labelled).any():
        return
    values = multi_label_summary(scores) if scores.multi_label else summary(scores)
    about = {"model": scores.model, "dataset": scores.dataset}
    with written_whole(file) as beside:
        text = json.dumps({**about, **dataclasses.asdict(values)}, indent=2)
        beside.write_text(text + "\n", encoding="utf-8")


def write_label_table(scores: Scores, file: Path) -> None:
    """Write a line for each label as a CSV; nothing if no labelled video has scores."""
    if not (scores.done & scores.labelled).any():
        return
    with written_whole(file) as beside, open(beside, "w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(LabelRow._fields)
        for label, videos, *shares in label_table(scores):
            # Nothing where there is no such share.
            known = ("" if math.isnan(share) else f"{share:.6f}" for share in shares)
            writer.writerow([label, videos, *known])


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("scores.*-of-*.part.npz"))


def _found(folder: Path, scores: Scores) -> list[Scores]:
    """What is in the folder of this evaluation already."""
    files = [*_parts(folder), folder / FILE]
    found = []
    for file in files:
        try:
            found.append(Scores.load(file))
        except FileNotFoundError:  # another process joined the parts
            continue
        other = found[-1]
        if not other.same_evaluation(scores):
            raise ValueError(
                f"{file} holds another evaluation: {other.model} on {len(other.paths)} videos of "
                f"{other.dataset or 'a data set without a name'}, {other.protocol}. Give another "
                "output folder, or remove that file."
            )
    return found
