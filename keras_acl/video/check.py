"""Find files that cannot be decoded before a training run meets them."""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np

from keras_acl.video.clips import part_of
from keras_acl.video.container import shown_frames, upright_size
from keras_acl.video.crop import Crop, resized
from keras_acl.video.cutter import Cutter
from keras_acl.video.frame_table import probe
from keras_acl.video.read_ahead import read_ahead
from keras_acl.video.video import DecodingError, Video, VideoProblem, as_video, decoding_errors

# The smallest part of a frame that training takes: a crop of 224 pixels at a short side of 320.
SHORT_SIDE, SIZE = 320, 224


def check_videos(
    videos: Iterable[Video | str | Path],
    workers: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[VideoProblem]:
    """Decode every frame of every file, many files at a time.

    This is stricter than reading clips: a file with a few damaged frames can still be used for
    training, but is named here. The outermost crops of training are cut, too.

    Args:
        videos: Paths, or `Video`s (such as a `VideoList`), whose start and end are checked too.
        workers: Files decoded at a time. None: as many as CPU cores.
        progress: Called as `progress(done, total)` after each file, in the calling thread.

    Returns:
        The files that cannot be decoded to their end, in the given order.
    """
    records = [as_video(video) for video in videos]
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
    part_of(video, probe(video))
    frames, damaged, drawn = 0, 0, set()
    with decoding_errors(video), contextlib.closing(shown_frames(video)) as shown:
        for _, frame in shown:
            frames += 1
            damaged += frame.is_corrupt
            form = frame.width, frame.height, frame.format.name
            if form not in drawn:
                drawn.add(form)
                _draw_extremes(frame)
    return f"{damaged} of its {frames} frames are damaged" if damaged else None


def _draw_extremes(frame: av.VideoFrame) -> None:
    """Cut the crops of training that lie farthest out."""
    height, width = resized(*upright_size(frame), SHORT_SIDE)
    image = np.empty((SIZE, SIZE, 3), np.uint8)
    for top, left in itertools.product({0, height - SIZE}, {0, width - SIZE}):
        Cutter(Crop(height, width, top, left, SIZE))(frame, image)
