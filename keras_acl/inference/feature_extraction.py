"""Features of videos: what the dense layer of a trained model sees."""

import contextlib
import dataclasses
import functools
import importlib
import importlib.util
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from keras_acl.data import DecodingError, Video, VideoList, read_csv, read_directory
from keras_acl.inference.predict import read_uniform_clips
from keras_acl.models.compiled_call import CompiledCall, predict_padded
from keras_acl.models.fingerprint import fingerprint
from keras_acl.system.atomic_write import written_whole
from keras_acl.video.files import find_videos, list_files

INTERVAL = 30.0  # seconds from one writing of an unfinished run to the next
ENDINGS = (".npz", ".parquet")


@dataclasses.dataclass(frozen=True)
class Features:
    """Pooled features of videos.

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


def features(
    model: keras.Model,
    videos: Sequence[Video | str | Path],
    clips: int = 1,
    average: bool = True,
    batch_size: int = 8,
    progress: Callable[[int, int], object] | None = None,
    resume: str | Path | None = None,
) -> Features:
    """Compute the globally pooled features of both streams, [spatial | temporal].

    `features @ kernel + bias` of the dense layer gives the logits, but for a `SlowClassifier` with
    several SCAM scales, whose logits average the scales; its features are those of the clip's own.

    Args:
        model: A classifier of this package.
        videos: Paths, or records, such as a `VideoList`, which knows the names of the classes.
        clips: Uniform clips a video, read as `predict_videos` reads them.
        average: Over the clips of a video; otherwise each clip's features are kept.
        batch_size: Clips computed at once.
        progress: Called as `progress(done, total)` in videos.
        resume: A `.npz` file to keep what is done in, written twice a minute and when the work is
            interrupted; the same call goes on from it and removes it when it is through.

    Returns:
        A `Features`, a row for each video. One that cannot be read has a problem and a row of NaN.

    Raises:
        ValueError: If there is no video, or `clips` or `batch_size` is not positive.
    """
    if not videos or clips < 1 or batch_size < 1:
        raise ValueError(
            "Expected a video, a clip and a batch of at least one. Received: "
            f"{len(videos)} videos, clips={clips}, batch_size={batch_size}"
        )
    records = [video if isinstance(video, Video) else Video(str(video)) for video in videos]
    pooled = CompiledCall(lambda batch: model.pool(*model.features(batch)), [model])
    size = min(batch_size, clips * len(records))
    problems: list[str | None] = [None] * len(records)
    rows = np.full((len(records), clips, model.classifier.kernel.shape[0]), np.nan, np.float32)
    about = functools.partial(fingerprint, model, [str(record) for record in records])
    with _kept(rows, resume, about) as keep:
        todo = np.flatnonzero(np.isnan(rows).any(axis=(1, 2))).tolist()
        waiting: dict[int, np.ndarray] = {}
        for done, index in enumerate(todo, len(records) - len(todo) + 1):
            try:
                waiting[index] = read_uniform_clips(records[index], model.clip, clips)
            except DecodingError as error:
                problems[index] = error.reason
            if waiting and (clips * len(waiting) >= size or index == todo[-1]):
                rows[list(waiting)] = _pool(pooled, list(waiting.values()), size)
                waiting = {}
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
    `features`, float32; `numpy.load` reads it. `.parquet` has the same as columns, a row a video;
    features that are kept by clip are lists of lists there.

    Args:
        features: What `features` returned.
        file: Its ending chooses the format.

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


def list_videos(sources: Sequence[str | Path]) -> VideoList:
    """The videos of a folder of class folders, of a CSV, or of files and other folders.

    Args:
        sources: One folder or one `.csv` file, or any number of video files and folders of them.

    Raises:
        FileNotFoundError: If a folder or CSV is not there.
        ValueError: If there is no video, or a CSV stands beside other sources.
    """
    sources = [Path(source) for source in sources]
    if len(sources) == 1 and sources[0].suffix.lower() == ".csv":
        return read_csv(sources[0])
    if any(source.suffix.lower() == ".csv" for source in sources):
        raise ValueError("A CSV stands alone: expected one CSV, or videos and folders")
    if len(sources) == 1 and sources[0].is_dir():
        found = find_videos(sources[0])
        if found and all(Path(path).parent != sources[0] for path in found):
            return read_directory(sources[0])
    return VideoList([Video(path) for path in list_files(sources)])


def _write_parquet(features: Features, problems: list[str], file: Path) -> None:
    arrow = importlib.import_module("pyarrow")  # an extra
    vector = arrow.list_(arrow.float32())
    columns = {
        "path": arrow.array(features.paths, arrow.string()),
        "label": arrow.array(features.labels, arrow.string()),
        "features": arrow.array(
            features.features.tolist(),
            vector if features.features.ndim == 2 else arrow.list_(vector),
        ),
        "problem": arrow.array(problems, arrow.string()),
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


def _pool(pooled: keras.Model, clips: list[np.ndarray], size: int) -> np.ndarray:
    """Features (V, clips, C) of the clips of V videos, `size` clips at a time."""
    outputs = predict_padded(pooled, np.concatenate(clips), size)  # of (V · clips, T, H, W, 3)
    return outputs.reshape(len(clips), -1, outputs.shape[-1])


def _names(records: Sequence[Video], labels: Sequence[str]) -> tuple[str, ...]:
    """Class names; the class index where classes have no names."""
    return tuple(
        "" if record.label is None else labels[record.label] if labels else str(record.label)
        for record in records
    )
