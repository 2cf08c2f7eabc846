"""Square crops of frames: cut out before FFmpeg resizes them, which saves work, or afterwards."""

from collections.abc import Callable, Sequence

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import VideoReformatter

from keras_acl.video.container import SCALING, to_rgb, upright_size
from keras_acl.video.crop import Crop, resized

PLANES = 1, 2, 0  # channels of FFmpeg's "gbrp" among red, green and blue
STRIP = 4  # longer side / shorter side beyond which resizing all of a frame is too much work
BLOCK = 4  # largest block of pixels a side that share their colour


class Cutter:
    """Cut the same crop out of the frames of a file.

    The edges of the square are whole pixels of the file, the upper and left ones even pixels,
    because colours are stored for blocks of 2 x 2. Compared with a frame that is resized first and
    cut afterwards, they are off by up to one pixel of the file, two at the far edges. Some values
    are off by one level, as FFmpeg converts separate colour planes with other arithmetic (and less
    work) than packed pixels.

    Args:
        crop: The crop.
    """

    def __init__(self, crop: Crop) -> None:
        self.crop = crop
        self._reformatter = VideoReformatter()
        self._graph: Graph | None = None
        self._made_for: tuple[int, int, str, int] | None = None

    def __call__(self, frame: av.VideoFrame, out: np.ndarray) -> None:
        """Write the crop of a frame to `out`, uint8 RGB, shape (size, size, 3)."""
        crop, turns = self.crop, round(frame.rotation / 90) % 4
        if turns and not is_strip(crop.height, crop.width):  # rare: the filter ignores rotation
            whole = to_rgb(frame, crop.height, crop.width, self._reformatter)
            image = whole[crop.top : crop.top + crop.size, crop.left : crop.left + crop.size]
            out[...] = image[:, ::-1] if crop.mirrored else image
            return
        image = self._reformatter.reformat(
            self._cut(frame, turns), crop.size, crop.size, "gbrp", interpolation=SCALING, threads=1
        )
        for channel, plane in zip(PLANES, image.planes, strict=True):
            rows = np.asarray(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            rows = np.rot90(rows[: crop.size, : crop.size], turns)
            out[..., channel] = rows[:, ::-1] if crop.mirrored else rows

    def _cut(self, frame: av.VideoFrame, turns: int) -> av.VideoFrame:
        """The part of a frame that is needed, as it is stored, not copied."""
        form = frame.width, frame.height, frame.format.name, turns
        if self._graph is None or form != self._made_for:
            self._graph, self._made_for = _filter(frame, _stored(self.crop, turns)), form
        self._graph.vpush(frame)
        return self._graph.vpull()


class Squares:
    """Cut squares out of frames that are resized by their short side.

    A frame is resized as a whole and cut afterwards. Of a long strip only the squares are resized,
    by a `Cutter`.

    Args:
        short_side: Pixels of the short side after resizing.
        size: Side of a square.
        corners: Function of the resized height and width that returns the (top, left) of each.
        follow: Whether frames of another size are resized by their own short side. Otherwise all
            get the size of the first one.
    """

    def __init__(
        self,
        short_side: int,
        size: int,
        corners: Callable[[int, int], Sequence[tuple[int, int]]],
        follow: bool = False,
    ) -> None:
        self.short_side, self.size, self.corners, self.follow = short_side, size, corners, follow
        self._reformatter = VideoReformatter()
        self._upright: tuple[int, int] | None = None
        self._crops: list[Crop] = []
        self._cutters: list[Cutter] = []

    def __call__(self, frame: av.VideoFrame) -> list[np.ndarray]:
        """The squares of a frame, uint8 RGB, each (size, size, 3); they may share their memory."""
        upright = upright_size(frame)
        if self._upright is None or (self.follow and upright != self._upright):
            self._aim(upright)
        height, width = self._crops[0].height, self._crops[0].width
        if is_strip(height, width):
            return [self._strip_square(frame, cutter) for cutter in self._cutters]
        whole = to_rgb(frame, height, width, self._reformatter)
        return [
            whole[crop.top : crop.top + self.size, crop.left : crop.left + self.size]
            for crop in self._crops
        ]

    def _aim(self, upright: tuple[int, int]) -> None:
        self._upright = upright
        height, width = resized(*upright, self.short_side)
        corners = self.corners(height, width)
        self._crops = [Crop(height, width, top, left, self.size) for top, left in corners]
        self._cutters = [Cutter(crop) for crop in self._crops]

    def _strip_square(self, frame: av.VideoFrame, cutter: Cutter) -> np.ndarray:
        square = np.empty((self.size, self.size, 3), np.uint8)
        cutter(frame, square)
        return square


def is_strip(height: int, width: int) -> bool:
    """Whether frames are so long that only what is kept of them should be resized."""
    return max(height, width) > STRIP * min(height, width)


def _stored(crop: Crop, turns: int) -> Crop:
    """A crop of an upright frame, in the frame before `turns` quarter turns counter-clockwise."""
    height, width, top, left, size, mirrored = crop
    for _ in range(turns):
        # What is turned counter-clockwise had its left column on top.
        height, width, top, left = width, height, left, height - top - size
    return Crop(height, width, top, left, size, mirrored)


def _filter(frame: av.VideoFrame, crop: Crop) -> Graph:
    """FFmpeg's filter that cuts a crop out of frames like this one."""
    top, rows = _interval(crop.top, crop.size, crop.height, frame.height)
    left, columns = _interval(crop.left, crop.size, crop.width, frame.width)
    # FFmpeg rounds down to whole blocks of colour, and nothing may be left of a few pixels.
    exact = int(min(rows, columns) < BLOCK)
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base,
        ),
        graph.add("crop", f"{columns}:{rows}:{left}:{top}:exact={exact}"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _interval(first: int, size: int, resized: int, stored: int) -> tuple[int, int]:
    """First pixel and number of pixels in the file of what becomes `size` pixels."""
    scale = stored / resized
    count = min(max(round(size * scale), 1), stored)
    begin = 2 * round(first * scale / 2)
    return min(begin, (stored - count) // 2 * 2), count
