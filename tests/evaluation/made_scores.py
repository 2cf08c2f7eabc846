"""Scores as an evaluation would leave them, without a model: by hand, or at random."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_acl.evaluation.scores import Protocol, Scores

MOVES = ("run", "sit", "wave")
LABELS = ("archery", "bartending", "capoeira", "eating", "juggling", "running", "walking")


def hand_made(
    probabilities: Sequence,
    truth: Sequence[int],
    problems: Sequence[str | None] | None = None,
    labels: Sequence[str] = MOVES,
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


def made_scores(seed: int = 0, labels=LABELS, count: int = 60, skill: float = 1.5) -> Scores:
    """Random scores of `count` videos; the more skill, the more often right."""
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % len(labels)
    logits = rng.normal(size=(count, len(labels)))
    logits[np.arange(count), truth] += skill
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Scores(
        paths=tuple(f"/videos/{index % len(labels)}/{index:04d}.mp4" for index in range(count)),
        truth=truth.astype(np.int32),
        probabilities=probabilities.astype(np.float32),
        problems=(None,) * count,
        labels=tuple(labels),
        protocol=Protocol(10, 3, 256),
        model="some_net",
        dataset="moves",
    )


def save_run(folder: Path, scores: Scores) -> Path:
    scores.save(folder / "scores.npz")
    return folder
