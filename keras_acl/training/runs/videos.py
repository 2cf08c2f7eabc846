"""The videos of a run: what it trains on, what it is validated on, and a test set where named."""

import logging
import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_acl.data import Video, VideoList, read_csv, read_directory, split
from keras_acl.evaluation.held_out import TEST, TRAINED, VALIDATION
from keras_acl.evaluation.source import ONE_LABEL
from keras_acl.training.runs.settings import RunSettings

logger = logging.getLogger("keras_acl")


class RunVideos(NamedTuple):
    """The videos of a run.

    Args:
        train: Videos to train on.
        validation: Videos that are measured after each epoch.
        test: Videos that are measured once, at the end; None for none.
        listed: All of them in the order in which their sources list them.
    """

    train: VideoList
    validation: VideoList
    test: VideoList | None
    listed: tuple[Video, ...]

    @property
    def subsets(self) -> dict[str, VideoList]:
        """The sides by the names that they have in `split.csv`."""
        held_out = {} if self.test is None else {TEST: self.test}
        return {TRAINED: self.train, VALIDATION: self.validation, **held_out}


def read_videos(
    source: str | Path, labels: Sequence[str] | None = None, multi_label: bool = False
) -> VideoList:
    """Read a folder of class folders, or a CSV file by its ending.

    Raises:
        ValueError: If videos may have several labels, which a folder cannot say.
    """
    if str(source).lower().endswith(".csv"):
        return read_csv(source, labels, multi_label=multi_label)
    if multi_label:
        raise ValueError(ONE_LABEL.format(source))
    return read_directory(source, labels)


def read_run_videos(settings: RunSettings) -> RunVideos:
    """Read the videos of a run; without a source of validation videos, split some off.

    Raises:
        FileNotFoundError: If a source is missing.
        ValueError: If a source holds too little, or the sides have other classes.
    """
    several = settings.multi_label
    videos = read_videos(settings.source, multi_label=several)
    labels = videos.labels
    if len(labels) < 2:
        raise ValueError(
            "A classifier needs at least two classes, each a folder of videos. Received: "
            f"{len(labels)} in {settings.source}"
        )
    test = None if settings.test is None else read_videos(settings.test, labels, several)
    if settings.validation is None:
        train, validation = split(videos, settings.validation_split, settings.seed)
        listed = (*videos, *(test or ()))
    else:
        train, validation = videos, read_videos(settings.validation, labels, several)
        listed = (*train, *validation, *(test or ()))
        _warn_of_overlap(train, validation, "validation")
    _warn_of_overlap(train, test or (), "test")
    if several:
        _say_how_many_have_none(listed)
    return RunVideos(train, validation, test, listed)


def _say_how_many_have_none(listed: Sequence[Video]) -> None:
    count = sum(not video.classes for video in listed)
    if count:
        logger.warning(
            "%d of %d videos have no label: trained as having none of the classes.",
            count,
            len(listed),
        )


def _warn_of_overlap(train: Sequence[Video], others: Sequence[Video], side: str) -> None:
    trained_on = set(_parts(train)) if others else set()
    both = sum(part in trained_on for part in _parts(others))
    if both:
        warnings.warn(
            f"{both} of the {len(others)} {side} videos are trained on, too: the accuracy on them "
            "says little.",
            stacklevel=3,
        )


def _parts(videos: Iterable[Video]) -> list[tuple]:
    """What tells one video from another: its file, however it is spelled, and its times."""
    return [(os.path.abspath(video.path), video.start, video.end) for video in videos]
