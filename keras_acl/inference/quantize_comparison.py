"""How an int8 file compares with its float32 one: answers, size, time, memory."""

import dataclasses
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from keras_acl.engines.runtimes import runtime_of
from keras_acl.system import html

REPEATS = 9
PRECISIONS = ("float32", "int8")
ALONE = """
import sys
import numpy as np
from pathlib import Path
from keras_acl.engines.runtimes import runtime_of
from keras_acl.system.memory import peak_memory
runtime_of(Path(sys.argv[1])).run(np.load(sys.argv[2]))
print(peak_memory())
"""


@dataclasses.dataclass(frozen=True)
class FileFigures:
    """What a file takes on this machine.

    Args:
        megabytes: Size on the disk, weights beside it included.
        milliseconds: Median time of one clip, all cores on it.
        peak_memory: Most MiB of a process that loads the file and runs one clip; 0 where the system
            does not tell.
        accuracy: Share of the labelled clips whose class is right; of a multi-label model, whose
            labels are all right; `None` without a labelled folder.
    """

    megabytes: float
    milliseconds: float
    peak_memory: float
    accuracy: float | None = None


@dataclasses.dataclass(frozen=True)
class Quantized:
    """An int8 file that was written, and how it compares with float32. It prints as a table.

    Args:
        path: The file.
        format: Name of its format.
        calibration_clips: Clips that the ranges of its layers come from.
        compared_clips: Clips on which both were run.
        held_out: Whether these are others than the former.
        agreement: Share of them to which both give the same class; of a multi-label model, exactly
            the same labels.
        worst_logit: Largest difference of a logit.
        largest_logit: Largest absolute logit in float32, to see the former against.
        float32: Figures of the float32 file, which is not kept.
        int8: Figures of the int8 file.
        skipped: Videos that could not be read, and why.
    """

    path: Path
    format: str
    calibration_clips: int
    compared_clips: int
    held_out: bool
    agreement: float
    worst_logit: float
    largest_logit: float
    float32: FileFigures
    int8: FileFigures
    skipped: tuple[tuple[str, str], ...] = ()

    def rows(self) -> list[tuple[str, str, str]]:
        """What is compared, in float32 and in int8, as text."""
        pair = (self.float32, self.int8)
        rows = [
            ("size, MB", *(f"{one.megabytes:.3g}" for one in pair)),
            ("a clip, ms", *(f"{one.milliseconds:.3g}" for one in pair)),
            ("peak memory, MiB", *(f"{one.peak_memory:.0f}" for one in pair)),
            ("agreement with float32", "", f"{self.agreement:.2%}"),
            ("worst difference of a logit", "", f"{self.worst_logit:.3g}"),
            ("largest logit", f"{self.largest_logit:.3g}", ""),
        ]
        if self.int8.accuracy is not None:
            rows.append(("accuracy", *(f"{one.accuracy:.2%}" for one in pair)))
        return rows

    def __str__(self) -> str:
        rows = [("", *PRECISIONS), *self.rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            f"{name:{widths[0]}}  {one:>{widths[1]}}  {other:>{widths[2]}}"
            for name, one, other in rows
        )

    def _repr_html_(self) -> str:
        return html.table((self.path.name, *PRECISIONS), self.rows())

    def to_json(self) -> str:
        """The figures as JSON, without the place of the file."""
        values = dataclasses.asdict(self) | {"path": self.path.name}
        return json.dumps(values, indent=1) + "\n"


@dataclasses.dataclass(frozen=True)
class Answers:
    """Logits of the same clips in float32 and in int8, (N, L) each."""

    float32: np.ndarray
    int8: np.ndarray
    multi_label: bool

    def agreement(self) -> float:
        """Share of the clips with the same answer."""
        said, other = (_said(one, self.multi_label) for one in (self.float32, self.int8))
        return float((said == other).all(axis=-1).mean())

    def worst_logit(self) -> float:
        """Largest difference; NaN if there is one in int8."""
        return float(np.abs(self.float32 - self.int8).max())

    def accuracies(self, labels: Sequence[tuple[int, ...]]) -> tuple[float, float]:
        """Share of right answers in float32 and in int8.

        Args:
            labels: Classes of each clip.
        """
        right = np.zeros(self.float32.shape, bool)
        for row, label in zip(right, labels, strict=True):
            row[list(label)] = True
        both = (_said(one, self.multi_label) for one in (self.float32, self.int8))
        first, second = (float((said == right).all(axis=-1).mean()) for said in both)
        return first, second


def _said(logits: np.ndarray, multi_label: bool) -> np.ndarray:
    """Which classes logits (N, L) say, the same shape; none where they are no numbers."""
    if multi_label:
        return logits >= 0  # the sigmoid is 0.5 there
    best = np.arange(logits.shape[-1]) == logits.argmax(axis=-1)[:, None]
    return best & ~np.isnan(logits).any(axis=-1, keepdims=True)


def answers(
    files: Sequence[Path], clips: np.ndarray, multi_label: bool, seen: Callable[[], object]
) -> tuple[Answers, list[float]]:
    """Run both files on clips, and time them in turn.

    Args:
        files: The float32 and the int8 file.
        clips: uint8, (N, T, H, W, 3).
        multi_label: Whether a clip may have several labels.
        seen: Called after each clip.

    Returns:
        What they answer, and the milliseconds that each takes for a clip.
    """
    runtimes = [runtime_of(file) for file in files]
    logits: list[list[np.ndarray]] = [[], []]
    for clip in clips:
        for runtime, found in zip(runtimes, logits, strict=True):
            found.append(runtime.run(clip[None])["logits"])
        seen()
    times: list[list[float]] = [[], []]
    for _ in range(REPEATS):  # in turn: a busy machine is busy for both
        for runtime, found in zip(runtimes, times, strict=True):
            started = time.perf_counter()
            runtime.run(clips[:1])
            found.append(1000 * (time.perf_counter() - started))
    plain, quantized = (np.concatenate(one) for one in logits)
    return Answers(plain, quantized, multi_label), [statistics.median(one) for one in times]


def figures(file: Path, clip: Path, milliseconds: float, accuracy: float | None) -> FileFigures:
    """Figures of one file; its memory is that of a process of its own.

    Args:
        file: The file.
        clip: A batch of one clip, `.npy`.
        milliseconds: What `answers` measured.
        accuracy: The same.
    """
    command = [sys.executable, "-c", ALONE, str(file), str(clip)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    parts = [file, file.with_suffix(".bin")] if file.suffix == ".xml" else [file]
    size = sum(part.stat().st_size for part in parts) / 1e6
    return FileFigures(size, milliseconds, float(done.stdout.split()[-1]), accuracy)
