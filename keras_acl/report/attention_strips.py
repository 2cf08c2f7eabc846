"""Attention strips of a report: a few frames of a video and where each stream looks, inline."""

import base64
import dataclasses
import io
from collections.abc import Sequence

import matplotlib.image
import numpy as np

from keras_acl.attention.maps import attention_maps
from keras_acl.attention.overlay import overlay, stream_names
from keras_acl.video.clips import read_uniform_clips
from keras_acl.video.modality import to_picture
from keras_acl.video.video import Video

COLUMNS = 5  # frames of a strip
SIDE = 112  # pixels of a frame, at least; below twice as many
QUALITY = 80  # of JPEG


@dataclasses.dataclass(frozen=True)
class StripRow:
    """One row of pictures.

    Args:
        name: Name of what the row shows.
        image: The pictures side by side, a JPEG as a `data:` address.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
    """

    name: str
    image: str
    width: int
    height: int


def attention_strip(
    model, video: Video, classes: Sequence[int], names: Sequence[str]
) -> list[StripRow]:
    """Draw frames of the middle clip of a video, and the attention of each stream for each class.

    Shown is what the model sees: the square in the centre.

    Args:
        model: A classifier of this package.
        video: Video to read.
        classes: Classes whose attention is drawn.
        names: Names of these classes in the rows.

    Returns:
        The frames, and for each class one row per stream.

    Raises:
        DecodingError: If the video cannot be read.
    """
    clip = read_uniform_clips(video, model.clip, 1)[0]  # (T, size, size, 3)
    maps = attention_maps(model, np.stack([clip] * len(classes)), classes, batch_size=1)
    shown = np.linspace(0, len(clip) - 1, COLUMNS).round().astype(int)
    frames = shrink(to_picture(clip[shown]))
    rows = [picture_row("frames", frames)]
    for index, name in enumerate(names):
        spatial = np.broadcast_to(maps.spatial[index], (COLUMNS, *maps.spatial.shape[1:]))
        streams = [spatial] if maps.temporal is None else [spatial, maps.temporal[index, shown]]
        for stream, looks in zip(stream_names(len(streams)), streams, strict=True):
            rows.append(picture_row(f"{stream}, {name}", overlay(frames, shrink(looks))))
    return rows


def shrink(pictures: np.ndarray) -> np.ndarray:
    """Mean over blocks, so that the side is SIDE or a little more, where it was larger.

    (N, H, W, ...) -> (N, h, w, ...)

    Args:
        pictures: uint8 frames (N, H, W, 3), or float32 maps (N, H, W).
    """
    factor = max(1, min(pictures.shape[1:3]) // SIDE)
    count, height, width = pictures.shape[0], *(side // factor for side in pictures.shape[1:3])
    cut = pictures[:, : height * factor, : width * factor]
    # (N, h, factor, w, factor, ...)
    blocks = cut.reshape(count, height, factor, width, factor, *pictures.shape[3:])
    means = blocks.mean(axis=(2, 4), dtype=np.float32)
    return np.round(means).astype(np.uint8) if pictures.dtype == np.uint8 else means


def picture_row(name: str, pictures: np.ndarray) -> StripRow:
    """Set pictures (N, H, W, 3) uint8 side by side."""
    row = np.concatenate(list(pictures), axis=1)  # (H, N·W, 3)
    file = io.BytesIO()
    matplotlib.image.imsave(file, row, format="jpeg", pil_kwargs={"quality": QUALITY})
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return StripRow(name, f"data:image/jpeg;base64,{data}", row.shape[1], row.shape[0])
