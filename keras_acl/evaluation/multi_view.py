"""Evaluation over many views of each video, as in the literature; interrupted runs go on."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np

from keras_acl.data.video_list import VideoList
from keras_acl.engines.class_names import check_label_kind, check_same_classes
from keras_acl.engines.inference_model import InferenceModel
from keras_acl.engines.naming import model_name
from keras_acl.evaluation.metrics import NOT_FOUND
from keras_acl.evaluation.resume import Journal
from keras_acl.evaluation.scorer import Scorer, scorer_of
from keras_acl.evaluation.scores import Protocol, Scores, facts
from keras_acl.evaluation.view_means import ViewMeans
from keras_acl.video.files import video_exists
from keras_acl.video.read_ahead import read_ahead
from keras_acl.video.video import DecodingError, Video
from keras_acl.video.views import Crops, ViewGrid, iterate_views

if TYPE_CHECKING:
    import keras

NOT_FINITE = "the model's scores of it are not finite"


class EvaluationOptions(TypedDict, total=False):
    """How `evaluate_views` computes; no result depends on it.

    Attributes:
        batch_size: Views computed at once. By default 3 on a CPU, where more are no faster and
            take more memory, and 30 on a GPU or TPU; of an exported model 4 for each core.
        shard: (index, count): evaluate every `count`-th video, so that several processes with the
            same `output` share the work. The one that ends last writes `scores.npz`.
        workers: Videos decoded at a time. None: as many as CPU cores, 16 at most.
    """

    batch_size: int | None
    shard: tuple[int, int]
    workers: int | None


def evaluate_views(
    model: "keras.Model | InferenceModel",
    videos: VideoList | Sequence[Video | str | Path],
    clips: int = 10,
    crops: Crops = 3,
    *,
    fully_convolutional: bool = False,
    output: str | Path | None = None,
    dataset: str = "",
    progress: Callable[[int, int], object] | None = None,
    **options: Unpack[EvaluationOptions],
) -> Scores:
    """Score videos by the mean scores of many views: by default the 30 of the literature.

    Clips are spread evenly over the video; crops are squares of `model.clip.test_size` (256 for
    networks trained at 224), the short side, along the longer side. A video is decoded once, and
    memory does not depend on the number of views. Each stream alone is scored by the same pass. A
    file that cannot be read is in the result with its problem, and in no mean.

    Args:
        model: A classifier of this package, also an exported one.
        videos: A `VideoList` in the model's class order, or `Video`s or paths.
        clips: Clips per video.
        crops: Crops per clip; 1 is the centre crop, `"ten"` TSN's, see `ViewGrid`.
        fully_convolutional: Average over positions, too, as PySlowFast does; see `ViewScorer`.
        output: Folder for `scores.npz` and `metrics.json`. An interrupted evaluation goes on from
            what is in it; only files that could not be read are read again.
        dataset: Name of the data set, for reports and cards.
        progress: Called as `progress(done, total)`, counted in views.
        **options: `batch_size`, `shard` and `workers`, see `EvaluationOptions`.

    Returns:
        The raw scores, of which `summary` computes the numbers; of all shards, where they are done.

    Raises:
        ValueError: If classes or number of labels are not the model's, there are no videos, an
            argument is out of range, or `output` holds another evaluation.

    Example:
        >>> videos = keras_acl.data.read_directory("ucf101/test", labels=model.labels)
        >>> scores = keras_acl.evaluate_views(model, videos, output="runs/ucf101-test")
        >>> print(keras_acl.evaluation.summary(scores))
    """
    batch_size, shard, workers = _checked(**options)
    grid = ViewGrid(clips, crops)
    protocol = _protocol(model, grid, fully_convolutional)
    records, nothing_done = _begin(model, videos, protocol, dataset)
    scorer, batch_size = scorer_of(model, grid.size(model.clip), fully_convolutional, batch_size)
    journal = Journal(nothing_done, None if output is None else Path(output), shard)
    pending, total = journal.pending, len(records[shard[0] :: shard[1]]) * len(grid)
    before = total - len(pending) * len(grid)
    report = None if progress is None else lambda views: progress(before + views, total)
    todo = [records[index] for index in pending]
    results = score_videos(scorer, todo, grid, batch_size, report, workers)
    # An interrupted run keeps what is done: the journal is saved as it is closed.
    with contextlib.closing(journal), contextlib.closing(results):
        for place, result in results:
            journal.add(pending[place], result)
    return journal.finish()


def _protocol(model, grid: ViewGrid, fully_convolutional: bool) -> Protocol:
    return Protocol(
        grid.clips,
        grid.crops_of_a_clip,
        grid.size(model.clip),
        fully_convolutional,
        "sigmoid" if model.multi_label else "softmax",
        ten_crops=grid.crops == "ten",
    )


def _checked(
    batch_size: int | None = None, shard: tuple[int, int] = (0, 1), workers: int | None = None
) -> tuple[int | None, tuple[int, int], int | None]:
    if (batch_size is not None and batch_size < 1) or not 0 <= shard[0] < shard[1]:
        raise ValueError(
            "Expected batch_size >= 1 and a shard (index, count) with 0 <= index < count. "
            f"Received: batch_size={batch_size}, shard={shard}"
        )
    return batch_size, shard, workers


def score_videos(
    scorer: Scorer,
    videos: Sequence[Video],
    grid: ViewGrid,
    batch_size: int,
    progress: Callable[[int], object] | None = None,
    workers: int | None = None,
) -> Generator[tuple[int, np.ndarray | str], None, None]:
    """Yield each video's place and mean scores, or why it has none, as they become known.

    Args:
        scorer: Model that scores a batch of views, (B, 1 + streams, L).
        videos: Videos to read.
        grid: Views of each video.
        batch_size: Views computed at once; a batch may hold views of several videos.
        progress: Called with the number of views that are settled.
        workers: Videos decoded at a time.
    """
    means, settled = ViewMeans(grid), 0
    batch: list[tuple[int, np.ndarray]] = []
    clip = scorer.model.clip
    report = progress or (lambda views: None)
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
            report(settled)
    if batch:
        yield from _scored(scorer, batch, batch_size, means)
    report(len(videos) * len(grid))


def _scored(
    scorer: Scorer, batch: list[tuple[int, np.ndarray]], size: int, means: ViewMeans
) -> Generator[tuple[int, np.ndarray | str], None, None]:
    """Score a batch; yield the videos whose views are all known now."""
    views = np.stack([view for _, view in batch])  # (B, T, H, W, 3)
    for (place, _), scores in zip(batch, scorer.score(views, size), strict=True):
        mean = means.add(place, scores)
        if mean is not None:
            yield place, mean if np.isfinite(mean).all() else NOT_FINITE


def _begin(
    model: "keras.Model | InferenceModel",
    videos: VideoList | Sequence[Video | str | Path],
    protocol: Protocol,
    dataset: str,
) -> tuple[list[Video], Scores]:
    """The videos to read, and the evaluation with nothing done; missing files come last."""
    if isinstance(videos, str | Path):
        raise ValueError(f"Expected a list of videos. Received one path: {str(videos)!r}")
    labels, missing = model.class_names, ()
    if isinstance(videos, VideoList):
        check_same_classes(videos.labels, model.labels, model.num_classes, "The videos")
        labels, missing = videos.labels or labels, videos.missing
    records = [v if isinstance(v, Video) else Video(str(v)) for v in videos]
    if not records:
        raise ValueError("There are no videos to evaluate. Received an empty list.")
    listed = [*records, *map(Video, missing)]
    truth = _truth(listed, len(labels), model.multi_label)
    there = [v.content is not None or video_exists(v.path) for v in records]
    there += [False] * len(missing)
    nothing = np.full((len(listed), len(labels)), np.nan, np.float32)
    scores = Scores(
        paths=tuple(video.path for video in listed),
        truth=truth,
        probabilities=nothing,
        problems=tuple(None if found else NOT_FOUND for found in there),
        labels=labels,
        protocol=protocol,
        model=model_name(model),
        dataset=dataset,
        streams={name: nothing.copy() for name in model.scored_streams},
        # Without the paths, which `Scores` holds: a folder may move.
        fingerprint=_fingerprint(model, str(protocol), [facts(video) for video in records]),
        parts=np.array([[v.start, v.end, v.fps] for v in listed], float),  # NaN for None
    )
    return records, scores


def _fingerprint(model, *about) -> str:
    if isinstance(model, InferenceModel):
        return model.fingerprint(*about)
    from keras_acl.models.fingerprint import fingerprint

    return fingerprint(model, *about)


def _truth(videos: Sequence[Video], classes: int, multi_label: bool) -> np.ndarray:
    """The labels of videos, as in `Scores`."""
    for video in videos:
        if video.label is not None:
            check_label_kind(isinstance(video.label, tuple), multi_label, "The videos")
    most = max((index for video in videos for index in video.classes), default=-1)
    if most >= classes:
        raise ValueError(
            f"A video's label is beyond the model's {classes} classes. Received: {most}"
        )
    if not multi_label:
        return np.array([*(max(video.classes, default=-1) for video in videos)], np.int32)
    truth = np.full((len(videos), classes), -1, np.int32)
    for row, video in zip(truth, videos, strict=True):
        if video.label is not None:
            row[:] = np.isin(np.arange(classes), video.classes)
    return truth
