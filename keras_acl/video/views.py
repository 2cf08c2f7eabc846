"""The view grid of the literature: V = clips x crops views of a video.

View v is crop v mod crops of clip v div crops. Clips are spread over the video, crops along the
longer side of its frames (PySlowFast's `NUM_ENSEMBLE_VIEWS` and `NUM_SPATIAL_CROPS`), or they are
the ten of TSN: corners, centre, and the same mirrored.
"""

import contextlib
import dataclasses
import math
from collections.abc import Generator
from typing import Literal

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.video.clips import part_of
from keras_acl.video.crop import centre_corner
from keras_acl.video.cutter import Squares
from keras_acl.video.frame_table import probe
from keras_acl.video.modality import mirrored, stream_modality
from keras_acl.video.sampling import grid_length, uniform_clips
from keras_acl.video.video import Video

Crops = int | Literal["ten"]


@dataclasses.dataclass(frozen=True)
class ViewGrid:
    """Number of clips of a video, and of crops of each clip.

    Args:
        clips: Number of clips, spread over the video.
        crops: Number of square crops along the longer side, of `clip.test_size`; 1 is the centre
            crop. Or `"ten"`: four corners and the centre, of `clip.size`, and the same mirrored.

    Raises:
        ValueError: If a number is not positive.
    """

    clips: int = 10
    crops: Crops = 3

    def __post_init__(self) -> None:
        if self.clips < 1 or (
            self.crops != "ten" and (isinstance(self.crops, str) or self.crops < 1)
        ):
            raise ValueError(
                'A video has at least one clip and one crop, or crops="ten". '
                f"Received: clips={self.clips}, crops={self.crops!r}"
            )

    def __len__(self) -> int:
        """Number of views of a video (V)."""
        return self.clips * self.crops_of_a_clip

    @property
    def crops_of_a_clip(self) -> int:
        """Number of crops of a clip."""
        return 10 if isinstance(self.crops, str) else self.crops

    def size(self, clip: ClipSpec) -> int:
        """Height and width of a view in pixels."""
        return clip.size if self.crops == "ten" else clip.test_size

    def corners(self, height: int, width: int, size: int) -> list[tuple[int, int]]:
        """(top, left) of the crops of a frame; of the ten crops the five that are not mirrored."""
        if isinstance(self.crops, int):
            return crop_corners(height, width, size, self.crops)
        bottom, right = height - size, width - size
        centre = centre_corner(height, width, size)
        return [(0, 0), (0, right), (bottom, 0), (bottom, right), centre]

    def place(self, view: int) -> tuple[int, int]:
        """Numbers of the clip and the crop of a view, all counted from 0."""
        return divmod(view, self.crops_of_a_clip)


def crop_corners(height: int, width: int, size: int, crops: int) -> list[tuple[int, int]]:
    """(top, left) of square crops spread along the longer side, ends included.

    Three crops are PySlowFast's `uniform_crop`: both ends and the centre, which is rounded up. One
    crop is the centre. Along the shorter side every crop is central.

    Args:
        height: Height of the frames, at least `size`.
        width: Width of the frames, at least `size`.
        size: Height and width of a crop.
        crops: Number of crops.

    Raises:
        ValueError: If a crop does not fit.
    """
    if size > min(height, width):
        raise ValueError(
            f"A crop of {size} does not fit into frames of {height}x{width}. Resize them before."
        )
    spare = max(height, width) - size
    if crops == 1:
        return [centre_corner(height, width, size)]
    along = [math.ceil(spare * crop / (crops - 1)) for crop in range(crops)]
    top, left = centre_corner(height, width, size)
    return [(place, left) if height > width else (top, place) for place in along]


def iterate_views(
    video: Video, clip: ClipSpec, grid: ViewGrid
) -> Generator[np.ndarray, None, None]:
    """Yield the views of a video in order; it is decoded once.

    The short side is `clip.test_size`, and so is each crop, but for the ten of TSN. Only the frames
    that a later clip needs are held, at most `clip.span` of them, however many views there are; of
    segments, all of them.

    Args:
        video: Video to read, from its `start` to its `end`.
        clip: Clip that the model takes.
        grid: Numbers of clips and crops.

    Yields:
        V views, uint8, shape (frames, size, size, 3), see `ViewGrid.size` and `ClipSpec.modality`.

    Raises:
        DecodingError: If the file cannot be read up to the last wanted frame.
    """
    start, seconds = part_of(video, probe(video))
    numbers = uniform_clips(grid_length(seconds, clip), clip, grid.clips)  # (clips, T)
    wanted = np.unique(numbers)
    times = start + wanted / clip.fps
    held: dict[int, list[np.ndarray]] = {}
    size, done = grid.size(clip), 0
    cut = Squares(clip.test_size, size, lambda height, width: grid.corners(height, width, size))
    with contextlib.closing(stream_modality(video, clip, times, cut)) as frames:
        for number, squares in zip(wanted.tolist(), frames, strict=True):
            held[number] = squares
            if grid.crops == "ten":
                held[number] = squares + [mirrored(square) for square in squares]
            while done < grid.clips and numbers[done, -1] <= number:
                for crop in range(grid.crops_of_a_clip):
                    yield np.stack([held[n][crop] for n in numbers[done].tolist()])
                done += 1
                first = numbers[done, 0] if done < grid.clips else number + 1
                held = {n: image for n, image in held.items() if n >= first}
