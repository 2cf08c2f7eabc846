"""Length, size and timestamps of a video, known before any clip of it is read."""

import dataclasses
import os
import threading
import time
from collections import OrderedDict
from fractions import Fraction

import numpy as np

from keras_acl.video.container import (
    can_jump,
    frame_rate,
    is_cut_short,
    open_video,
    packets,
    too_long,
    upright_size,
)
from keras_acl.video.files import is_url
from keras_acl.video.video import DecodingError, Video, VideoSource, as_video

# Frames that are remembered in all: 8 bytes each, so 32 MiB, or 11,000 videos of 10 s.
REMEMBERED_FRAMES = 2**22
FRESH = 600.0  # seconds for which what a URL shows is taken to stay the same


@dataclasses.dataclass(frozen=True)
class VideoInfo:
    """Length, rate and size of a video, see `probe`.

    Args:
        seconds: Seconds from the first frame to the end of the last one.
        frames: Number of frames that are shown.
        fps: Mean frames per second.
        width: Width of the upright video in pixels.
        height: Height of the upright video in pixels.
    """

    seconds: float
    frames: int
    fps: float
    width: int
    height: int


@dataclasses.dataclass(frozen=True, eq=False)
class FrameTable:
    """When each frame of a file is shown, and where decoding can begin.

    Args:
        info: Length, rate and size, as `probe` returns them.
        stamps: Timestamps of the shown frames in the stream's unit, ascending, int64, shape
            (frames,). Empty if the file's timestamps cannot be relied on.
        unit: Seconds of one unit of a timestamp.
        keys: Timestamp and decoding timestamp of each key frame, int64, shape (K, 2), ascending.
    """

    info: VideoInfo
    stamps: np.ndarray
    unit: Fraction
    keys: np.ndarray

    def seconds(self) -> np.ndarray:
        """Seconds at which each frame is shown, counted from the first one, float64, (frames,)."""
        # As `shown_frames` computes them, to the last bit.
        seconds = self.stamps * self.unit.numerator / self.unit.denominator
        return seconds - seconds[:1]


def probe(source: VideoSource) -> VideoInfo:
    """Measure a video by the timestamps of its packets; only its first frame is decoded.

    The result is remembered until the file's size or modification time changes.

    Args:
        source: Path or `Video`.

    Returns:
        Length, rate and upright size.

    Raises:
        DecodingError: If the file is missing, is no video, is cut short, or its first frame is
            damaged.
    """
    table = remembered(source)
    if table is None:
        video = as_video(source)
        table = _memory.store(video, _state(video), _read_table(video))
    return table.info


def remembered(source: VideoSource) -> FrameTable | None:
    """The table that `probe` made of a file; None if it made none since the file last changed."""
    video = as_video(source)
    return _memory.find(video, _state(video))


class _Memory:
    """The most recently used tables, up to a number of frames in all. Thread-safe."""

    def __init__(self, frames: int) -> None:
        self._tables: OrderedDict[object, tuple[object, FrameTable]] = OrderedDict()
        self._lock = threading.Lock()
        self._free = frames

    def find(self, video: Video, state: object) -> FrameTable | None:
        key = _key(video)
        with self._lock:
            known, table = self._tables.get(key, (None, None))
            if table is None or known != state:
                return None
            self._tables.move_to_end(key)
            return table

    def store(self, video: Video, state: object, table: FrameTable) -> FrameTable:
        key = _key(video)
        with self._lock:
            if key in self._tables:
                self._free += _weight(self._tables.pop(key)[1])
            if state is not None:
                self._tables[key] = state, table
                self._free -= _weight(table)
            while self._free < 0:
                self._free += _weight(self._tables.popitem(last=False)[1][1])
        return table


_memory = _Memory(REMEMBERED_FRAMES)  # one per process


def _weight(table: FrameTable) -> int:
    return 64 + len(table.stamps) + 2 * len(table.keys)  # 64: the objects around the arrays


def _key(video: Video) -> object:
    return video.path, video.fps, video.limits, video.content


def _state(video: Video) -> object:
    """A value that changes when the file changes; None where there is no file."""
    if video.content is not None:
        return True
    if is_url(video.path):
        return time.monotonic() // FRESH
    try:
        status = os.stat(video.path)
    except (OSError, ValueError):  # ValueError: a null character
        return None
    return status.st_size, status.st_mtime_ns


def _read_table(video: Video) -> FrameTable:
    first, shown, keys, hidden, stamped = None, [], [], 0, True
    with open_video(video) as (container, stream):
        for packet in packets(video, container, stream):
            if first is None:
                first = next(iter(stream.decode(packet)), None)
            stamp = packet.dts if packet.pts is None else packet.pts
            if packet.is_keyframe and packet.pts is not None:
                keys.append((packet.pts, stamp if packet.dts is None else packet.dts))
            if packet.is_discard:
                hidden += 1  # cut away by the file's edit list
            elif packet.size or stamp is not None:
                shown.append((stamp, packet.duration or 0))
                stamped = stamped and packet.pts is not None
            if len(shown) > video.limits.frames:
                raise too_long(video)
        if first is None:
            raise DecodingError(video.path, "no frame of it can be decoded")
        step, unit = 1 / frame_rate(stream), stream.time_base or Fraction(1)
        frames, seconds, stamps = len(shown), len(shown) * step, []
        if first.pts is not None and all(stamp is not None for stamp, _ in shown):
            stamps = sorted(stamp for stamp, _ in shown if stamp >= first.pts)
            frames = len(stamps)
            last, duration = max(shown)
            seconds = (last - first.pts) * unit + (duration * unit or step)
        if seconds > video.limits.seconds:
            raise too_long(video)
        if seconds <= 0:
            raise DecodingError(video.path, "its timestamps make no sense")
        begin = float(max((first.pts or 0) * unit, 0))
        counted = 0 if hidden else len(shown)
        if is_cut_short(container, stream, counted, float(seconds), begin):
            raise DecodingError(
                video.path, f"it breaks off after {float(seconds):.2f} s, far from its stated end"
            )
        clear = stamped and can_jump(container) and container.format.name != "avi"
    height, width = upright_size(first)
    info = VideoInfo(float(seconds), frames, float(frames / seconds), width, height)
    # Two frames at one time, or a time that had to be guessed: only reading can tell.
    if not stamps or not clear or stamps[0] != first.pts or len(set(stamps)) < len(stamps):
        return FrameTable(info, np.empty(0, np.int64), unit, np.empty((0, 2), np.int64))
    ordered = np.array(sorted(keys), np.int64).reshape(-1, 2)
    return FrameTable(info, np.array(stamps, np.int64), unit, ordered)
