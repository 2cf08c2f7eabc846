"""One training run on a folder of videos: from files to a saved model and its pictures."""

import contextlib
import dataclasses
import math
import time
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from keras_acl.attention import attention_maps, save_contact_sheet
from keras_acl.data import (
    Augmentation,
    LoadingOptions,
    VideoDataset,
    VideoList,
)
from keras_acl.data.tables import join_cell
from keras_acl.evaluation.multi_label import chance_precision
from keras_acl.models import TwoStreamClassifier
from keras_acl.pretrained.load import load_pretrained
from keras_acl.system import distribution
from keras_acl.system.folder_lock import locked
from keras_acl.training import recipes
from keras_acl.training.history import plot_history, read_history
from keras_acl.training.runs.claim import claim_folder, finished_epochs
from keras_acl.training.runs.kept import save_models
from keras_acl.training.runs.plan import NETWORKS
from keras_acl.training.runs.settings import RunReport, RunSettings
from keras_acl.training.runs.tables import digest, write_predictions
from keras_acl.training.runs.videos import RunVideos, read_run_videos

MAX_BAD_FRACTION = 0.05


def train_folder(
    settings: RunSettings,
    folder,
    verbose: str | int = "auto",
    distribute: str | int | None = None,
) -> RunReport | None:
    """Train a network, or go on with the run that the folder holds.

    Writes `model.keras` and `last.keras` (see `RunSettings.keep`), `models.json`, `history.csv`,
    `curves.png`, `split.csv`, `predictions.csv`, `attention.png`, `test_predictions.csv` (with a
    test set), `bad_videos.txt` (if any), `settings.json`, TensorBoard logs and the state to resume
    from. A folder is one process' at a time, or that of processes that train together.

    Args:
        settings: What to train.
        folder: The run's folder; several processes need one that all of them see.
        verbose: As in `fit`.
        distribute: Devices to train on, see `keras_acl.distribute`; None: one. What comes after
            the training is the work of one device, and of the first process.

    Returns:
        A `RunReport`; None of a process that is not the first.

    Raises:
        FileNotFoundError: If the source is missing.
        ValueError: If the source holds too little, the folder belongs to another run, or the
            loss became NaN; the folder then has the models and curves of the epochs before.
        RuntimeError: If another process trains into the folder, or one of those that train
            together ended.
        BadVideosError: If too many files cannot be read.
    """
    folder, begin = Path(folder), time.monotonic()
    distribution.join(distribute)
    with distribution.peers(), contextlib.ExitStack() as held:
        with distribution.together():
            videos = read_run_videos(settings)
            if first := distribution.is_first():
                held.enter_context(locked(folder, "training into"))
                settings = claim_folder(folder, settings, videos)
        settings = _agreed(settings, videos)
        trained = _train(settings, folder, videos, verbose if first else 0, distribute)
        distribution.leave()
        return _finish(settings, folder, videos, trained, begin) if first else None


class _Trained(NamedTuple):
    """What training leaves in memory; the model is None where it is on several devices."""

    model: TwoStreamClassifier | None
    sides: tuple[VideoDataset, VideoDataset]
    diverged: bool


def _agreed(settings: RunSettings, videos: RunVideos) -> RunSettings:
    """The settings as the first process has them, if all processes see the same videos."""
    listed = digest(videos.subsets)
    with distribution.together():
        if listed != distribution.from_first(listed):
            raise ValueError(
                f"This process finds other videos in {settings.source} than the first one: all "
                "of them need the same files under the same paths."
            )
    restart = distribution.from_first(settings.recipe.restart)
    recipe = dataclasses.replace(settings.recipe, restart=restart)
    return dataclasses.replace(settings, recipe=recipe)


def _train(settings: RunSettings, folder: Path, videos: RunVideos, verbose, devices) -> _Trained:
    with distribution.distribute(devices):
        train, validation = _datasets(videos.train, videos.validation, settings, folder)
        keras.utils.set_random_seed(settings.seed)
        model = _network(settings, train.labels)
        callbacks = _compile(model, train, settings, folder)
        with contextlib.closing(train), contextlib.closing(validation):
            diverged = _fit(model, train, validation, settings, callbacks, verbose)
        alone = distribution.replicas() == 1
    return _Trained(model if alone else None, (train, validation), diverged)


def _finish(
    settings: RunSettings, folder: Path, videos: RunVideos, trained: _Trained, begin: float
) -> RunReport:
    """Write the models, what they say of the held-out videos, and the pictures."""
    epochs = finished_epochs(folder)
    if not epochs:
        raise ValueError(_diverged(epochs))
    model, (train, validation) = trained.model, trained.sides
    sides = [train, validation]
    if model is None:  # on one device from here on
        _, validation = _datasets(videos.train, videos.validation, settings, folder)
        model = _network(settings, train.labels)
        _compile(model, train, settings, folder)
        sides.append(validation)
    models = save_models(model, folder, settings.keep)
    plot_history(read_history(folder / "history.csv"), folder / "curves.png")
    with contextlib.closing(validation):
        accuracy = _score(model, validation, folder / "predictions.csv", settings)
    _draw_attention(model, validation, folder / "attention.png")
    test_accuracy = None
    if videos.test is not None:
        # Of a trained model the numbers come out, however many test videos cannot be read.
        test = _dataset(videos.test, settings, folder, max_bad_fraction=1.0)
        with contextlib.closing(test):
            test_accuracy = _score(model, test, folder / "test_predictions.csv", settings)
        sides.append(test)
    if trained.diverged:
        raise ValueError(f"{_diverged(epochs)} {folder} has the models and curves up to there.")
    return RunReport(
        folder=folder,
        classes=len(train.labels),
        videos=(len(videos.train), len(videos.validation)),
        epochs=epochs,
        accuracy=accuracy,
        chance=_chance(videos.validation),
        bad_files=len({path for side in sides for path in side.bad_files}),
        seconds=time.monotonic() - begin,
        test_videos=len(videos.test or ()),
        test_accuracy=test_accuracy,
        models=models,
        multi_label=settings.multi_label,
    )


def _network(settings: RunSettings, labels: tuple[str, ...]):
    dtype = settings.precision or recipes.mixed_precision_policy()
    if settings.weights is not None:
        return load_pretrained(
            settings.weights,
            labels=labels,
            clip=settings.clip,
            dtype=dtype,
            multi_label=settings.multi_label,
        )
    return TwoStreamClassifier(
        len(labels),
        clip=settings.clip,
        labels=labels,
        multi_label=settings.multi_label,
        dtype=dtype,
        **NETWORKS[settings.network],
    )


def _compile(model, train: VideoDataset, settings: RunSettings, folder: Path) -> list:
    return settings.recipe.compile(
        model,
        train,
        folder,
        gradient_accumulation_steps=settings.accumulate,
        rematerialize=settings.rematerialize,
    )


def _datasets(
    train: VideoList, validation: VideoList, settings: RunSettings, folder: Path
) -> tuple[VideoDataset, VideoDataset]:
    # Each side may have all the bad files that the whole may: chance decides where they go.
    allowed = MAX_BAD_FRACTION * (len(train) + len(validation))
    shares = [min(1.0, allowed / len(videos)) for videos in (train, validation)]
    return (
        _dataset(train, settings, folder, shares[0], training=True),
        _dataset(validation, settings, folder, shares[1]),
    )


def _dataset(
    videos: VideoList,
    settings: RunSettings,
    folder: Path,
    max_bad_fraction: float,
    training: bool = False,
) -> VideoDataset:
    return VideoDataset(
        videos,
        settings.clip,
        settings.batch_size,
        training=training,
        augmentation=Augmentation(flip=0.5 if settings.flip else 0.0),
        seed=settings.seed,
        loading=LoadingOptions(
            threads=settings.workers,
            processes=settings.processes,
            bad_files=folder / "bad_videos.txt",
            max_bad_fraction=max_bad_fraction,
        ),
    )


def _fit(model, train, validation, settings, callbacks, verbose) -> bool:
    """Train; whether the loss was no finite number at the end."""
    try:
        logs = model.fit(
            train,
            validation_data=validation,
            epochs=settings.recipe.epochs,
            callbacks=callbacks,
            verbose=verbose,
        ).history
    except Exception:
        # TensorFlow wraps what a data set raises in an error of its own.
        for data in (train, validation):
            if data.error is not None:
                raise data.error from None
        raise
    return not all(math.isfinite(logs[name][-1]) for name in ("loss", "val_loss") if name in logs)


def _diverged(epochs: int) -> str:
    kept = f"The state after epoch {epochs} is kept." if epochs else "No epoch was finished."
    return (
        f"The loss became NaN or infinite in epoch {epochs + 1}; training stopped. {kept} Try a "
        "lower learning rate, into another folder."
    )


def _score(model, test: VideoDataset, file: Path, settings: RunSettings) -> float:
    """Predict, write one line per video and return the accuracy over those that could be read."""
    scores = keras.ops.convert_to_numpy(model.scores(model.predict(test, verbose=0)))
    return write_predictions(file, test, scores, settings.all_scores)


def _chance(videos: VideoList) -> float:
    """What a run without skill would reach: see `RunReport.chance`."""
    if videos.multi_label:
        classes = np.arange(len(videos.labels))
        return chance_precision(np.array([np.isin(classes, video.classes) for video in videos]))
    counts = np.array(list(videos.counts.values()))
    return float(counts.max() / counts.sum())


def _draw_attention(model, test: VideoDataset, file: Path, count: int = 3) -> None:
    readable = [i for i, video in enumerate(test.videos) if video.path not in test.bad_files]
    # Spread over the list, which is sorted by class.
    places = np.linspace(0, len(readable) - 1, min(count, len(readable))).astype(int)
    chosen = [readable[place] for place in places]
    clips = np.stack([test[i // test.batch_size][0][i % test.batch_size] for i in chosen])
    videos = [test.videos[i] for i in chosen]
    titles = [
        f"{Path(video.path).name}, {join_cell(video.classes, test.labels)}" for video in videos
    ]
    save_contact_sheet(file, clips, attention_maps(model, clips), model.labels, titles)
