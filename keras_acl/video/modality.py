"""What the frames of a clip hold: colours, optical flow, or both."""

import contextlib
from collections.abc import Callable, Generator, Sequence

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.video.cutter import Squares
from keras_acl.video.flow import BLUE, flow_of
from keras_acl.video.read import stream_squares
from keras_acl.video.video import Video, VideoSource


def read_modality(
    video: VideoSource, clip: ClipSpec, read: Callable[[VideoSource], np.ndarray]
) -> np.ndarray:
    """Read the channels of a clip.

    Args:
        video: Path or `Video`.
        clip: Clip that the model takes.
        read: Function of a video, or its flow, that reads the frames, (T, H, W, 3).

    Returns:
        uint8, (T, H, W, clip.channels).

    Raises:
        DecodingError: If the video cannot be read.
        ImportError: If flow must be computed, and OpenCV is not installed.
        OSError: If flow must be computed, and cannot be written.
    """
    if clip.modality == "rgb":
        return read(video)
    flow = read(flow_of(video))[..., :2]
    if clip.modality == "flow":
        return np.ascontiguousarray(flow)
    return np.concatenate([read(video), flow], axis=-1)


def stream_modality(
    video: Video, clip: ClipSpec, times: Sequence[float] | np.ndarray, cut: Squares
) -> Generator[list[np.ndarray], None, None]:
    """Yield the channels of squares of the frames shown at the given times, see `stream_squares`.

    Yields:
        The squares of a frame, uint8, each (size, size, clip.channels).

    Raises:
        DecodingError, ImportError, OSError: As `read_modality`.
    """
    if clip.modality == "rgb":
        yield from stream_squares(video, times, cut)
        return
    of_flow = Squares(cut.short_side, cut.size, cut.corners)
    with contextlib.closing(stream_squares(flow_of(video), times, of_flow)) as flows:
        if clip.modality == "flow":
            yield from ([square[..., :2] for square in squares] for squares in flows)
            return
        with contextlib.closing(stream_squares(video, times, cut)) as colours:
            for pair in zip(colours, flows, strict=True):
                yield [
                    np.concatenate([colour, flow[..., :2]], axis=-1)
                    for colour, flow in zip(*pair, strict=True)
                ]


def mirrored(frames: np.ndarray) -> np.ndarray:
    """Frames (..., H, W, C), mirrored left to right: what moved to the right moves to the left."""
    return with_u_turned(frames[..., ::-1, :])


def with_u_turned(frames: np.ndarray) -> np.ndarray:
    """Frames (..., C) with the horizontal flow, if they have one, the other way round."""
    channels = frames.shape[-1]
    if channels == 3:
        return frames
    turned = frames.copy()
    turned[..., channels - 2] = 255 - turned[..., channels - 2]
    return turned


def to_picture(frames: np.ndarray) -> np.ndarray:
    """Frames (..., C) as they are shown, (..., 3): their colours, or flow in red and green."""
    if frames.shape[-1] == 2:
        return np.concatenate([frames, np.full_like(frames[..., :1], BLUE)], axis=-1)
    return frames[..., :3]
