"""Raw scores made by hand: what a model says of a few videos."""

from collections.abc import Sequence

import numpy as np

from keras_acl.evaluation.scores import Protocol, Scores

LABELS = ("run", "sit", "wave")


def hand_made(
    probabilities: Sequence,
    truth: Sequence[int],
    problems: Sequence[str | None] | None = None,
    labels: Sequence[str] = LABELS,
    paths: Sequence[str] | None = None,
    fingerprint: str = "f",
) -> Scores:
    """Scores of videos 0.mp4, 1.mp4, ...; `None` instead of probabilities: a video not done."""
    rows = [[np.nan] * len(labels) if row is None else row for row in probabilities]
    return Scores(
        paths=tuple(paths or (f"{index}.mp4" for index in range(len(rows)))),
        truth=np.array(truth, np.int32),
        probabilities=np.array(rows, np.float32).reshape(len(rows), len(labels)),
        problems=tuple(problems or [None] * len(rows)),
        labels=tuple(labels),
        protocol=Protocol(10, 3, 256),
        model="tiny",
        dataset="hand made",
        fingerprint=fingerprint,
    )


def certain(said: Sequence[int | None], classes: int = 3) -> list:
    """Probabilities of a model that is sure of one class for each video."""
    return [None if index is None else np.eye(classes)[index] for index in said]
