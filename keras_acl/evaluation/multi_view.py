"""Evaluate with many views a video, as the literature does; interrupted runs go on."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import keras
import numpy as np

from keras_acl.cli.terminal import progress_bar
from keras_acl.data.video_list import VideoList
from keras_acl.evaluation.metrics import NOT_FOUND
from keras_acl.evaluation.resume import Journal
from keras_acl.evaluation.scores import Protocol, Scores
from keras_acl.evaluation.view_means import ViewMeans
from keras_acl.evaluation.view_scorer import ViewScorer
from keras_acl.models import optimize
from keras_acl.models.compiled_call import predict_padded
from keras_acl.models.fingerprint import fingerprint
from keras_acl.system.devices import has_accelerator
from keras_acl.video.read_ahead import read_ahead
from keras_acl.video.video import DecodingError, Video
from keras_acl.video.views import ViewGrid, iterate_views

NOT_FINITE = "the model's scores of it are not finite"


def evaluate_views(
    model: keras.Model,
    videos: VideoList | Sequence[Video | str | Path],
    clips: int = 10,
    crops: int = 3,
    *,
    fully_convolutional: bool = False,
    output: str | Path | None = None,
    dataset: str = "",
    batch_size: int | None = None,
    shard: tuple[int, int] = (0, 1),
    workers: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Scores:
    """Score videos by the mean softmax of many views: by default the 30 of the literature.

    Uniform clips; short side `model.clip.test_size` (256 for networks trained at 224) and square
    crops of that size along the longer side. A video is decoded once, and the memory does not
    depend on the number of views. A file that cannot be read is in the result with its problem, and
    in no mean.

    Args:
        model: A classifier of this package.
        videos: A `VideoList` in the model's class order, or `Video`s or paths.
        clips: Clips a video.
        crops: Crops a clip; 1 is the centre one.
        fully_convolutional: Average the softmax over positions, too, as PySlowFast does; see
            `ViewScorer`.
        output: Folder for `scores.npz` and `metrics.json`. An evaluation that was interrupted goes
            on from what is in it; only files that could not be read are read again.
        dataset: Name of the data set, for reports and cards.
        batch_size: Views computed at once; no result depends on it. By default 3 on a CPU, where
            more are no faster and take more memory, and 30 on a GPU or TPU.
        shard: (index, count): evaluate every `count`-th video, so that several processes with the
            same `output` share the work. The one that ends last writes `scores.npz`.
        workers: Videos decoded at a time. None: as many as CPU cores, 16 at most.
        progress: Called as `progress(done, total)` in views; by default a bar on standard error,
            where that is a terminal.

    Returns:
        The raw scores; `keras_acl.evaluation.summary(scores)` has the numbers. With several shards
        those of all processes, as far as they are done.

    Raises:
        ValueError: If the classes are not the model's, there are no videos, an argument is out of
            range, or `output` holds another evaluation.

    Example:
        >>> videos = keras_acl.data.read_directory("ucf101/test", labels=model.labels)
        >>> scores = keras_acl.evaluate_views(model, videos, output="runs/ucf101-test")
        >>> print(keras_acl.evaluation.summary(scores))
    """
    if batch_size is None:
        batch_size = 30 if has_accelerator() else 3
    if batch_size < 1 or not 0 <= shard[0] < shard[1]:
        raise ValueError(
            "Expected batch_size >= 1 and a shard (index, count) with 0 <= index < count. "
            f"Received: batch_size={batch_size}, shard={shard}"
        )
    grid = ViewGrid(clips, crops)
    protocol = Protocol(clips, crops, model.clip.test_size, fully_convolutional)
    scorer = ViewScorer(optimize(model, precision=None), fully_convolutional)
    records, nothing_done = _begin(model, videos, protocol, dataset)
    journal = Journal(nothing_done, None if output is None else Path(output), shard)
    pending = journal.pending
    total = len(range(shard[0], len(records), shard[1])) * len(grid)
    before = total - len(pending) * len(grid)

    todo = [records[index] for index in pending]
    try:
        with contextlib.ExitStack() as stack:
            bar = progress
            if bar is None:
                bar = stack.enter_context(progress_bar("evaluating", unit="views"))
            results = score_videos(
                scorer, todo, grid, batch_size, lambda views: bar(before + views, total), workers
            )
            for place, result in stack.enter_context(contextlib.closing(results)):
                journal.add(pending[place], result)
    finally:  # an interrupted run keeps what is done
        journal.save()
    return journal.finish()


def score_videos(
    scorer: ViewScorer,
    videos: Sequence[Video],
    grid: ViewGrid,
    batch_size: int,
    progress: Callable[[int], object],
    workers: int | None = None,
) -> Generator[tuple[int, np.ndarray | str], None, None]:
    """Yield each video's place and mean scores (L,), or why it has none, as they become known.

    Args:
        scorer: What scores a batch of views.
        videos: What to read.
        grid: The views of each.
        batch_size: Views computed at once, of several videos where need be.
        progress: Called with the number of views that are settled.
        workers: Videos decoded at a time.
    """
    means, settled = ViewMeans(grid), 0
    batch: list[tuple[int, np.ndarray]] = []
    clip = scorer.model.clip
    views = read_ahead(videos, lambda video: iterate_views(video, clip, grid), workers)
    with contextlib.closing(views):
        for place, item in views:
            if isinstance(item, DecodingError):
                batch = [entry for entry in batch if entry[0] != place]
                settled += len(grid) - means.drop(place)
                yield place, item.reason
            else:
                batch.append((place, item))
            if len(batch) == batch_size:
                settled += len(batch)
                yield from _scored(scorer, batch, batch_size, means)
                batch = []
            progress(settled)
    if batch:
        yield from _scored(scorer, batch, batch_size, means)
    progress(len(videos) * len(grid))


def _scored(
    scorer: ViewScorer, batch: list[tuple[int, np.ndarray]], size: int, means: ViewMeans
) -> Generator[tuple[int, np.ndarray | str], None, None]:
    """Score a batch; yield the videos of which all views are known now."""
    views = np.stack([view for _, view in batch])  # (B, T, H, W, 3)
    for (place, _), scores in zip(batch, predict_padded(scorer, views, size), strict=True):
        mean = means.add(place, scores)
        if mean is not None:
            yield place, mean if np.isfinite(mean).all() else NOT_FINITE


def _begin(
    model: keras.Model,
    videos: VideoList | Sequence[Video | str | Path],
    protocol: Protocol,
    dataset: str,
) -> tuple[list[Video], Scores]:
    """The videos to read, and the evaluation with nothing done; missing files come last."""
    labels = model.class_names
    known = tuple(videos.labels) if isinstance(videos, VideoList) else ()
    if known and (len(known) != len(labels) or (model.labels and known != model.labels)):
        raise ValueError(
            "The videos must have the model's classes in the model's order: pass "
            f"labels=model.labels to the reader. Received: {len(known)} classes for a model of "
            f"{len(labels)}"
        )
    if isinstance(videos, str | Path):
        raise ValueError(f"Expected a list of videos. Received one path: {str(videos)!r}")
    missing = videos.missing if isinstance(videos, VideoList) else ()
    records = [v if isinstance(v, Video) else Video(str(v)) for v in videos]
    if not records:
        raise ValueError("There are no videos to evaluate. Received an empty list.")
    on_disk = [*(Path(video.path).is_file() for video in records), *(False for _ in missing)]
    truth = [-1 if video.label is None else video.label for video in records]
    if max(truth) >= len(labels):
        raise ValueError(
            f"A video's label is beyond the model's {len(labels)} classes. Received: {max(truth)}"
        )
    count = len(records) + len(missing)
    scores = Scores(
        paths=(*(video.path for video in records), *missing),
        truth=np.array([*truth, *(-1 for _ in missing)], np.int32),
        probabilities=np.full((count, len(labels)), np.nan, np.float32),
        problems=tuple(None if there else NOT_FOUND for there in on_disk),
        labels=known or labels,
        protocol=protocol,
        model=model_name(model),
        dataset=dataset,
        # Without the paths, which `Scores` holds: a folder may move.
        fingerprint=fingerprint(model, str(protocol), [[v.label, v.start, v.end] for v in records]),
        parts=np.array([*map(_part, records), *([np.nan] * 2 for _ in missing)]),
    )
    return records, scores


def _part(video: Video) -> list[float]:
    return [np.nan if second is None else second for second in (video.start, video.end)]


def model_name(model: keras.Model) -> str:
    """The name on the model's card, or that of its class."""
    card = getattr(model, "card", None)
    return card.name if card is not None else type(model).__name__
