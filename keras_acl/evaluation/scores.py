"""Raw scores of an evaluation: one file, from which every metric can be computed again."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_acl.system import html
from keras_acl.system.atomic_write import written_whole
from keras_acl.video.video import Video

FILE = "scores.npz"
FORMAT = 1
ALONE = "_scores"  # after a stream's name
NOT_FOUND = "not on disk"  # the problem of a video that is missing


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How the scores of a video came about.

    Args:
        clips: Clips spread over the video.
        crops: Crops of each, along the longer side.
        size: Side of a crop in pixels; but for the ten crops also the short side of the video.
        fully_convolutional: Whether the scores were averaged over positions, too.
        activation: `"softmax"`, or `"sigmoid"` of a multi-label model: what made scores of logits.
        ten_crops: Whether the crops are four corners and the centre, and the same mirrored.
    """

    clips: int
    crops: int
    size: int
    fully_convolutional: bool = False
    activation: str = "softmax"
    ten_crops: bool = False

    def __str__(self) -> str:
        """The protocol in words, for cards and reports."""
        views = self.clips * self.crops
        positions = " and positions" if self.fully_convolutional else ""
        which = " (corners, centre, mirrored)" if self.ten_crops else ""
        return (
            f"{self.clips} clip{'s' * (self.clips > 1)} x {self.crops} crop"
            f"{'s' * (self.crops > 1)}{which} of {self.size}, {self.activation} averaged over "
            f"{views} view{'s' * (views > 1)}{positions}"
        )


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """What a model says of every video of a data set.

    A video is done (it has scores), failed (it has a problem) or pending (neither). Saved as an
    `.npz` without pickles, with the arrays `path` (N,) text, `part` (N, 3) float64, `label` (N,)
    int32, `problem` (N,) text, empty where there is none, `scores` (N, L) float32, `classes` (L,)
    text, and `about`, a JSON text of everything else; of networks of two streams also
    `spatial_scores` and `temporal_scores`, (N, L) float32.

    Args:
        paths: Every video that was asked for, in the order given; those that are not on disk last.
        truth: (N,) int32, the class of each; -1 where it is not known. Of videos that may have
            several labels (N, L), 1 for those of a video and else 0; rows of -1 where not known.
        probabilities: (N, L) float32, averaged over the views; NaN for videos not done.
        problems: (N,) Why a video could not be read; `None` where it could.
        labels: (L,) Class names.
        protocol: How the scores came about.
        model: Name of the model.
        dataset: Name of the data set.
        fingerprint: Digest of the model's weights, the videos and the protocol; equal if the
            evaluation is the same.
        parts: (N, 3) float64, first and last second of the part of the file that counts, and the
            frames per second of a folder of pictures; NaN where nobody said, which is the default.
        streams: Scores of each stream alone by its name, (N, L) float32; NaN where they are not
            known. None of a network of one stream, or as 0.1.0 saved it.

    Raises:
        ValueError: If the numbers of videos or classes differ, or a class has no label.
    """

    paths: tuple[str, ...]
    truth: np.ndarray
    probabilities: np.ndarray
    problems: tuple[str | None, ...]
    labels: tuple[str, ...]
    protocol: Protocol
    model: str = ""
    dataset: str = ""
    fingerprint: str = ""
    parts: np.ndarray = dataclasses.field(default_factory=lambda: np.empty((0, 3)))
    streams: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        count, classes = len(self.paths), len(self.labels)
        if not len(self.parts):
            object.__setattr__(self, "parts", np.full((count, 3), np.nan))
        elif self.parts.shape[1] == 2:  # of 0.1.0, which knew no rates
            rates = np.full((count, 1), np.nan)
            object.__setattr__(self, "parts", np.concatenate([self.parts, rates], axis=1))
        shapes = (self.truth.shape, self.probabilities.shape, len(self.problems))
        if shapes[0] not in ((count,), (count, classes)) or shapes[1:] != ((count, classes), count):
            raise ValueError(
                f"Expected truth, probabilities and problems of {count} videos and {classes} "
                f"classes. Received: shapes {shapes}"
            )
        alone = {name: scores.shape for name, scores in self.streams.items()}
        if set(alone.values()) - {(count, classes)}:
            raise ValueError(
                f"Expected scores of {count} videos and {classes} classes by each stream. "
                f"Received: shapes {alone}"
            )
        most = 1 if self.multi_label else classes - 1
        if count and not -1 <= self.truth.min() <= self.truth.max() <= most:
            raise ValueError(
                f"Expected a truth from -1 to {most}. "
                f"Received: {self.truth.min()} to {self.truth.max()}"
            )

    def __repr__(self) -> str:
        count = len(self.paths), int(self.done.sum()), int(self.failed.sum())
        return (
            f"Scores({self.model or 'a model'} on {self.dataset or 'videos'}: {count[0]} videos, "
            f"{count[1]} scored, {count[2]} failed, {len(self.labels)} classes; {self.protocol})"
        )

    def _repr_html_(self) -> str:
        rows = [
            ("model", self.model),
            ("data set", self.dataset),
            ("protocol", self.protocol),
            ("classes", len(self.labels)),
            ("videos", len(self.paths)),
            ("scored", int(self.done.sum())),
            ("failed", int(self.failed.sum())),
        ]
        return html.table(("evaluation", ""), rows)

    @property
    def done(self) -> np.ndarray:
        """(N,) bool: videos that have scores."""
        return _known(self.probabilities)

    @property
    def multi_label(self) -> bool:
        """Whether a video may have several labels."""
        return self.truth.ndim == 2

    @property
    def labelled(self) -> np.ndarray:
        """(N,) bool: videos whose labels are known."""
        known = self.truth >= 0
        return np.all(known, axis=1) if self.multi_label else np.asarray(known)

    @property
    def failed(self) -> np.ndarray:
        """(N,) bool: videos that could not be read."""
        return np.array([problem is not None for problem in self.problems], bool)

    @property
    def complete(self) -> bool:
        """Whether no video is pending."""
        return bool((self.done | self.failed).all())

    def alone(self, stream: str) -> "Scores":
        """The scores of one stream alone; videos of which they are not known are pending.

        Args:
            stream: `"spatial"` or `"temporal"`.

        Raises:
            ValueError: If there are no such scores.
        """
        if stream not in self.streams:
            raise ValueError(
                f"Expected a stream of {list(self.streams)}. Received: {stream!r}. Networks of one "
                "stream have none, nor has what 0.1.0 saved."
            )
        return dataclasses.replace(self, probabilities=self.streams[stream], streams={})

    def video(self, index: int) -> Video:
        """The record of a video, to read it again."""
        label = None
        if self.labelled[index]:
            classes = tuple(np.flatnonzero(self.truth[index]).tolist())
            label = classes if self.multi_label else int(self.truth[index])
        start, end, fps = (None if np.isnan(value) else float(value) for value in self.parts[index])
        return Video(self.paths[index], label, start, end, fps=fps)

    def same_evaluation(self, other: "Scores") -> bool:
        """Whether `other` is of the same videos, model and protocol, however much of it is done."""
        names = ("paths", "labels", "protocol", "fingerprint")
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        return same and np.array_equal(self.truth, other.truth)

    def save(self, file: str | Path) -> None:
        """Write the file; beside it first, then renamed."""
        about = {
            "format": FORMAT,
            "protocol": dataclasses.asdict(self.protocol),
            "model": self.model,
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
        }
        alone: dict[str, Any] = {
            name + ALONE: scores.astype(np.float32)
            for name, scores in self.streams.items()
            if not np.isnan(scores).all()
        }
        with written_whole(file) as beside, open(beside, "wb") as stream:
            np.savez_compressed(  # numpy would add a suffix to a name
                stream,
                path=np.array(self.paths, np.str_),
                part=self.parts,
                label=self.truth.astype(np.int32),
                problem=np.array([problem or "" for problem in self.problems], np.str_),
                scores=self.probabilities.astype(np.float32),
                classes=np.array(self.labels, np.str_),
                about=np.array(json.dumps(about)),
                **alone,
            )

    @classmethod
    def load(cls, file: str | Path) -> "Scores":
        """Read a file that `save` wrote, or the `scores.npz` in a folder.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is no such file.
        """
        file = Path(file)
        file = file / FILE if file.is_dir() else file
        if not file.is_file():
            raise FileNotFoundError(
                f"There are no scores at {file}. `keras-acl evaluate` writes them."
            )
        try:
            with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                about = json.loads(str(arrays["about"]))
                if about["format"] != FORMAT:
                    raise ValueError(f"expected format {FORMAT}. Received: {about['format']}")
                return cls(
                    paths=tuple(arrays["path"].tolist()),
                    truth=arrays["label"],
                    probabilities=arrays["scores"],
                    problems=tuple(problem or None for problem in arrays["problem"].tolist()),
                    labels=tuple(arrays["classes"].tolist()),
                    protocol=Protocol(**about["protocol"]),
                    model=about["model"],
                    dataset=about["dataset"],
                    fingerprint=about["fingerprint"],
                    parts=arrays["part"],
                    streams={
                        name.removesuffix(ALONE): arrays[name]
                        for name in arrays.files
                        if name.endswith(ALONE)
                    },
                )
        except FileNotFoundError:  # removed just now, by the process that joined the parts
            raise
        except Exception as error:  # numpy and zipfile raise whatever they like on a broken file
            reason = str(error).partition(". If you trust")[0]  # numpy's advice to run pickles
            raise ValueError(
                f"{file} holds no scores of an evaluation: {reason}. Is it whole?"
            ) from error


def facts(video: Video) -> list:
    """What a score depends on besides the file: label, part, and a rate if one is told."""
    return [video.label, video.start, video.end] + ([] if video.fps is None else [video.fps])


def merge(parts: Sequence[Scores]) -> Scores:
    """The scores of one evaluation from those of several processes.

    Args:
        parts: Scores of the same videos by the same model; a video is done if it is done in any.

    Raises:
        ValueError: If there are none, or they are of different evaluations.
    """
    if not parts:
        raise ValueError("There are no scores to merge. Received an empty list.")
    first = parts[0]
    for other in parts[1:]:
        if not other.same_evaluation(first):
            raise ValueError(
                "Only parts of one evaluation can be merged: the same videos, model and protocol. "
                f"Received: {first.model} on {first.dataset} ({len(first.paths)} videos, "
                f"{first.protocol}) and {other.model} on {other.dataset} ({len(other.paths)} "
                f"videos, {other.protocol})"
            )
    probabilities, problems = first.probabilities.copy(), list(first.problems)
    streams = {name: scores.copy() for name, scores in first.streams.items()}
    for other in parts[1:]:
        _take(probabilities, other.probabilities)
        for name, scores in other.streams.items():
            _take(streams.setdefault(name, np.full_like(probabilities, np.nan)), scores)
        problems = [mine or theirs for mine, theirs in zip(problems, other.problems, strict=True)]
    whole = dataclasses.replace(first, probabilities=probabilities, streams=streams)
    left = (None if done else problem for done, problem in zip(whole.done, problems, strict=True))
    return dataclasses.replace(whole, problems=tuple(left))


def _known(scores: np.ndarray) -> np.ndarray:
    """(N, L) -> (N,) bool: rows without NaN."""
    return np.logical_not(np.isnan(scores).any(axis=1))


def _take(scores: np.ndarray, other: np.ndarray) -> None:
    """Overwrite rows by those that are known in another."""
    known = _known(other)
    scores[known] = other[known]
