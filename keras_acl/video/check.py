"""Find files that cannot be decoded before a training run meets them."""

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from keras_acl.video.container import shown_frames
from keras_acl.video.frame_table import probe
from keras_acl.video.read import part_of
from keras_acl.video.read_ahead import read_ahead
from keras_acl.video.video import DecodingError, Video


class VideoProblem(NamedTuple):
    """A file and what is wrong with it."""

    path: str
    reason: str


def check_videos(
    videos: Iterable[Video | str | Path],
    workers: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[VideoProblem]:
    """Decode every frame of every file, many files at a time.

    This is stricter than reading clips: a file with a few damaged frames can still be used for
    training, but is named here.

    Args:
        videos: Paths, or `Video`s (such as a `VideoList`), whose start and end are checked too.
        workers: Files decoded at a time. None: as many as CPU cores.
        progress: Called as `progress(done, total)` after each file, in the calling thread.

    Returns:
        The files that cannot be decoded to their end, in the given order.
    """
    records = [video if isinstance(video, Video) else Video(str(video)) for video in videos]
    reasons: list[str | None] = [None] * len(records)
    # Ctrl-C ends the check with the files that are being decoded, not with the last one.
    faults = read_ahead(records, lambda video: [_fault(video)], workers or os.cpu_count())
    with contextlib.closing(faults):
        for done, (place, fault) in enumerate(faults, 1):
            reasons[place] = fault.reason if isinstance(fault, DecodingError) else fault
            if progress is not None:
                progress(done, len(records))
    return [
        VideoProblem(video.path, reason)
        for video, reason in zip(records, reasons, strict=True)
        if reason is not None
    ]


def _fault(video: Video) -> str | None:
    """What is wrong with a file that can be decoded, or None."""
    part_of(video, probe(video.path))
    frames = damaged = 0
    with contextlib.closing(shown_frames(video.path)) as shown:
        for _, frame in shown:
            frames += 1
            damaged += frame.is_corrupt
    return f"{damaged} of its {frames} frames are damaged" if damaged else None
