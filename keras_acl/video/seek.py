"""Single frames of a file, by number, without decoding what they do not need.

The frames are those of `shown_frames`, which takes over where a file does not behave as its
timestamps promise.
"""

import contextlib
from collections import deque
from collections.abc import Generator, Iterator

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from keras_acl.video.container import TOLERANCE, open_video, packets, whole_picture
from keras_acl.video.frame_table import FrameTable
from keras_acl.video.video import VideoSource

# Frames that a jump to a key frame must save: it costs as much as decoding a few.
WORTH_A_JUMP = 8
# Decoders that can skip frames from which no other is predicted, without any other effect.
SKIPPING = ("h264", "hevc")


class LostFrameError(Exception):
    """A frame does not come where the table says it does."""


def numbers_at(table: FrameTable, times: np.ndarray) -> np.ndarray:
    """Numbers, counted from 0, of the frames shown at the given seconds, shape (times,)."""
    numbers = np.searchsorted(table.seconds() - TOLERANCE, times, side="right") - 1
    return np.maximum(numbers, 0)


def decode_frames(
    source: VideoSource, table: FrameTable, numbers: np.ndarray
) -> Generator[av.VideoFrame, None, None]:
    """Decode the frames with the given numbers.

    Decoding begins at the last key frame before the first of them, jumps to a key frame where a gap
    is wide, and skips frames that are neither wanted nor needed for others.

    Args:
        source: Path or `Video`.
        table: Frame table of the file.
        numbers: Numbers of the frames, ascending, without repeats.

    Yields:
        The frames, in order.

    Raises:
        LostFrameError: If a frame does not come in its place; the frames before it are right.
        DecodingError: If the file is damaged.
    """
    wanted = table.stamps[numbers]
    with open_video(source) as (container, stream):
        for key, stamps in _runs(table, wanted):
            if key is None:  # an opened file stands at its beginning
                yield from _decoded(stream, packets(source, container, stream), stamps, None)
            else:
                behind = _packets_from(source, container, stream, *key)
                yield from _decoded(stream, behind, stamps, key[0])


def _runs(
    table: FrameTable, wanted: np.ndarray
) -> Iterator[tuple[tuple[int, int] | None, list[int]]]:
    """The key frame to jump to, and the wanted frames that are decoded from there in one run."""
    # Which key frame each wanted frame can be decoded from; -1: only the start of the file.
    keys = np.searchsorted(table.keys[:, 0], wanted, side="right") - 1
    places = np.searchsorted(table.stamps, table.keys[:, 0])  # frame number of each key frame
    numbers = np.searchsorted(table.stamps, wanted)
    begin, position, jump = 0, -1, None
    for place, (key, number) in enumerate(zip(keys, numbers, strict=True)):
        if key >= 0 and places[key] - position > WORTH_A_JUMP:
            if place > begin:
                yield jump, wanted[begin:place].tolist()
            begin, jump = place, (int(table.keys[key, 0]), int(table.keys[key, 1]))
        position = number
    yield jump, wanted[begin:].tolist()


def _packets_from(
    source: VideoSource,
    container: InputContainer,
    stream: VideoStream,
    stamp: int,
    decoding_stamp: int,
) -> Generator[av.Packet, None, None]:
    """The packets from a key frame on."""
    try:
        container.seek(decoding_stamp, stream=stream)
    except av.error.FFmpegError as error:  # no error of the file's pictures
        raise LostFrameError from error
    found = False
    for packet in packets(source, container, stream):
        if packet.is_keyframe and packet.pts is not None and not found:
            found = packet.pts == stamp
            if packet.pts > stamp:
                raise LostFrameError  # the file's index is wrong
        if found:
            yield packet


def _decoded(
    stream: VideoStream,
    behind: Generator[av.Packet, None, None],
    stamps: list[int],
    key: int | None,
) -> Generator[av.VideoFrame, None, None]:
    """The frames with the given timestamps, as the decoder hands them out."""
    context, due, wanted = stream.codec_context, deque(stamps), set(stamps)
    skips = context.name in SKIPPING
    with contextlib.closing(behind):
        for packet in behind:
            if skips:
                context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
            for frame in stream.decode(packet):
                if frame.pts is None or (key is not None and frame.pts > key):
                    raise LostFrameError  # a key frame that needs frames before it
                if frame.pts == key:
                    if not whole_picture(frame):
                        raise LostFrameError
                    key = None
                if key is None and frame.pts > due[0]:
                    raise LostFrameError
                if frame.pts == due[0]:
                    yield frame
                    due.popleft()
                    if not due:
                        return
    raise LostFrameError
