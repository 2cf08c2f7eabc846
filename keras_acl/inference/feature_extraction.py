"""Features of videos: what the dense layer of a trained model sees."""

import contextlib
import dataclasses
import functools
import importlib
import importlib.util
import itertools
import time
import zipfile
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_acl.data import DecodingError, Video
from keras_acl.data.tables import join_cell
from keras_acl.engines.inference_model import InferenceModel
from keras_acl.inference.predict import clips_ahead
from keras_acl.system import html
from keras_acl.system.atomic_write import written_whole
from keras_acl.system.printable import escaped
from keras_acl.video.video import as_video

if TYPE_CHECKING:
    import keras

INTERVAL = 30.0  # seconds from one writing of an unfinished run to the next
ENDINGS = (".npz", ".parquet")


@dataclasses.dataclass(frozen=True)
class Features:
    """Pooled features of videos. A notebook shows the beginning of each row.

    Args:
        paths: Every video that was asked for, in order.
        labels: Class name of each; "" where it is not known.
        features: (N, C) float32, or (N, clips, C); NaN for videos that cannot be read.
        problems: Why a video cannot be read; `None` if it can.
    """

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    features: np.ndarray
    problems: tuple[str | None, ...]

    def _repr_html_(self) -> str:
        rows = [
            (Path(path).name, label, problem or f"{_beginning(row)} (of {row.shape[-1]})")
            for path, label, row, problem in itertools.islice(
                zip(self.paths, self.labels, self.features, self.problems, strict=True),
                html.MOST_ROWS,
            )
        ]
        return html.table(("video", "class", "features"), rows, len(self.paths))


def features(
    model: "keras.Model | InferenceModel",
    videos: Sequence[Video | str | Path],
    clips: int = 1,
    average: bool = True,
    batch_size: int = 8,
    progress: Callable[[int, int], object] | None = None,
    resume: str | Path | None = None,
    workers: int | None = None,
) -> Features:
    """Compute the globally pooled features of both streams, [spatial | temporal].

    `features @ kernel + bias` of the dense layer gives the logits, but for a `SlowClassifier` with
    several SCAM scales, whose logits average the scales; its features are those of the clip's own.

    Args:
        model: A classifier of this package, also an exported one that has its features.
        videos: Paths, or records, such as a `VideoList`, which knows the names of the classes.
        clips: Uniform clips per video, read as `predict_videos` reads them.
        average: Whether to average over the clips of a video; otherwise each clip's are kept.
        batch_size: Clips computed at once.
        progress: Called as `progress(done, total)`, counted in videos.
        resume: A `.npz` file to keep what is done in, written twice a minute and when the work is
            interrupted; the same call goes on from it and removes it when it is through.
        workers: Videos decoded at a time. None: as many as CPU cores, 16 at most.

    Returns:
        A `Features`, a row for each video. One that cannot be read has a problem and a row of NaN.

    Raises:
        ValueError: If there is no video, or a number is not positive.
    """
    if not videos or clips < 1 or batch_size < 1:
        raise ValueError(
            "Expected a video, a clip and a batch of at least one. Received: "
            f"{len(videos)} videos, clips={clips}, batch_size={batch_size}"
        )
    records = [as_video(video) for video in videos]
    problems: list[str | None] = [None] * len(records)
    channels, compute, fingerprint = _engine(model)
    rows = np.full((len(records), clips, channels), np.nan, np.float32)
    with _kept(rows, resume, lambda: fingerprint(list(map(str, records)))) as keep:
        todo = np.flatnonzero(np.isnan(rows).any(axis=(1, 2))).tolist()
        size = min(batch_size, clips * len(records))
        read = clips_ahead([records[index] for index in todo], model.clip, clips, workers)
        with contextlib.closing(rows_ahead(read, compute, clips, size)) as computed:
            for done, (place, row) in enumerate(computed, len(records) - len(todo) + 1):
                if isinstance(row, DecodingError):
                    problems[todo[place]] = row.reason
                else:
                    rows[todo[place]] = row
                    keep()
                if progress is not None:
                    progress(done, len(records))
    return Features(
        paths=tuple(record.path for record in records),
        labels=_names(records, getattr(videos, "labels", ())),
        features=rows.mean(axis=1) if average else rows,
        problems=tuple(problems),
    )


def save_features(features: Features, file: str | Path) -> None:
    """Write features to a file, whole or not at all.

    `.npz` has the arrays `paths`, `labels` and `problems` (text, "" where there is none) and
    `features`, float32; `numpy.load` reads it. `.parquet` has the same as columns, a row per video;
    features that are kept by clip are lists of lists there.

    Args:
        features: Features that `features` returned.
        file: File to write; its ending chooses the format.

    Raises:
        ImportError: If pyarrow, which writes Parquet, is not installed.
        ValueError: If the ending is another one.
    """
    check_output(file)
    problems = [problem or "" for problem in features.problems]
    with written_whole(file) as beside:
        if Path(file).suffix == ".npz":
            np.savez(
                beside,
                paths=np.array(features.paths),
                labels=np.array(features.labels),
                features=features.features,
                problems=np.array(problems),
            )
            return
        _write_parquet(features, problems, beside)


def check_output(file: str | Path) -> None:
    """Refuse a file that `save_features` could not write, before the work is done.

    Raises:
        ImportError: If pyarrow is needed and not installed.
        ValueError: If the ending is not known.
    """
    ending = Path(file).suffix
    if ending not in ENDINGS:
        raise ValueError(f"Features are written to {' or '.join(ENDINGS)}. Received: {file}")
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ImportError('Parquet files need pyarrow: pip install "keras-acl[parquet]"')


def _beginning(row: np.ndarray) -> str:
    return ", ".join(f"{number:.3f}" for number in row.ravel()[:4])


def _write_parquet(features: Features, problems: list[str], file: Path) -> None:
    arrow = importlib.import_module("pyarrow")  # an extra
    vector = arrow.list_(arrow.float32())
    columns = {
        # Parquet's text is UTF-8, which file names need not be.
        "path": arrow.array(map(escaped, features.paths), arrow.string()),
        "label": arrow.array(features.labels, arrow.string()),
        "features": arrow.array(
            features.features.tolist(),
            vector if features.features.ndim == 2 else arrow.list_(vector),
        ),
        "problem": arrow.array(map(escaped, problems), arrow.string()),
    }
    importlib.import_module("pyarrow.parquet").write_table(arrow.table(columns), file)


@contextlib.contextmanager
def _kept(
    rows: np.ndarray, resume: str | Path | None, about: Callable[[], str]
) -> Iterator[Callable[[], object]]:
    """Fill `rows` from the file of an interrupted run; yields what writes it now and then."""
    if resume is None:
        yield lambda: None
        return
    file, now, written = Path(resume), about(), time.monotonic()
    # What another program wrote, or a broken disk: there is nothing to go on from.
    unreadable = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
    with contextlib.suppress(*unreadable), np.load(file) as kept:
        if str(kept["about"]) == now and kept["rows"].shape == rows.shape:
            rows[:] = kept["rows"]

    def keep(interval: float = INTERVAL) -> None:
        nonlocal written
        if time.monotonic() - written >= interval and not np.isnan(rows).all():
            with written_whole(file) as beside:
                np.savez(beside, rows=rows, about=now)
            written = time.monotonic()

    try:
        yield keep
    except BaseException:
        keep(0)
        raise
    file.unlink(missing_ok=True)


def _engine(model) -> tuple[int, Callable[[np.ndarray, int], np.ndarray], Callable[..., str]]:
    """Of a model: number of features, what computes some at a time, and its fingerprint."""
    if isinstance(model, InferenceModel):
        (channels,) = model.output_shape("features")
        return channels, lambda b, size: model.outputs_of(b, size)["features"], model.fingerprint
    from keras_acl.models.compiled_call import CompiledCall, predict_padded
    from keras_acl.models.fingerprint import fingerprint

    pooled = CompiledCall(lambda batch: model.pool(*model.features(batch)), [model])
    channels = sum(kernel.shape[0] for kernel in model.class_weights)
    compute = functools.partial(predict_padded, pooled)
    return channels, compute, functools.partial(fingerprint, model)


def rows_ahead(
    read: Generator[tuple[int, np.ndarray | DecodingError], None, None],
    pool: Callable[[np.ndarray, int], np.ndarray],
    clips: int,
    size: int,
) -> Generator[tuple[int, np.ndarray | DecodingError], None, None]:
    """Yield the place of each video with its features (clips, C), or why it cannot be read."""
    waiting: dict[int, np.ndarray] = {}

    def compute() -> Iterator[tuple[int, np.ndarray]]:
        features = pool(np.concatenate(list(waiting.values())), size)  # (V · clips, C)
        return zip(list(waiting), features.reshape(len(waiting), clips, -1), strict=True)

    with contextlib.closing(read):
        for place, found in read:
            if isinstance(found, DecodingError):
                yield place, found
                continue
            waiting[place] = found
            if clips * len(waiting) >= size:
                yield from compute()
                waiting.clear()
    if waiting:
        yield from compute()


def _names(records: Sequence[Video], labels: Sequence[str]) -> tuple[str, ...]:
    """Class names; the class index where classes have no names."""
    count = 1 + max((index for record in records for index in record.classes), default=-1)
    names = labels or [str(index) for index in range(count)]
    return tuple(join_cell(record.classes, names) for record in records)
