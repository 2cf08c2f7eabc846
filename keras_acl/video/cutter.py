"""Square crops that are cut out before FFmpeg resizes them, which saves work."""

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import VideoReformatter

from keras_acl.video.container import SCALING, to_rgb, upright_size
from keras_acl.video.crop import Crop

PLANES = 1, 2, 0  # channels of FFmpeg's "gbrp" among red, green and blue


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
        self._made_for: tuple[int, int, str] | None = None

    def __call__(self, frame: av.VideoFrame, out: np.ndarray) -> None:
        """Write the crop of a frame to `out`, uint8 RGB, shape (size, size, 3)."""
        crop = self.crop
        if frame.rotation % 360:  # rare; the filter below ignores rotation
            whole = to_rgb(frame, crop.height, crop.width, self._reformatter)
            image = whole[crop.top : crop.top + crop.size, crop.left : crop.left + crop.size]
            out[...] = image[:, ::-1] if crop.mirrored else image
            return
        image = self._reformatter.reformat(
            self._cut(frame), crop.size, crop.size, "gbrp", interpolation=SCALING, threads=1
        )
        for channel, plane in zip(PLANES, image.planes, strict=True):
            rows = np.asarray(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            rows = rows[: crop.size, : crop.size]
            out[..., channel] = rows[:, ::-1] if crop.mirrored else rows

    def _cut(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The part of a frame that is needed, not copied."""
        form = frame.width, frame.height, frame.format.name
        if self._graph is None or form != self._made_for:
            self._graph, self._made_for = self._filter(frame), form
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _filter(self, frame: av.VideoFrame) -> Graph:
        height, width = upright_size(frame)
        top, rows = _interval(self.crop.top, self.crop.size, self.crop.height, height)
        left, columns = _interval(self.crop.left, self.crop.size, self.crop.width, width)
        graph = Graph()
        graph.link_nodes(
            graph.add_buffer(
                width=width, height=height, format=frame.format, time_base=frame.time_base
            ),
            graph.add("crop", f"{columns}:{rows}:{left}:{top}"),
            graph.add("buffersink"),
        ).configure()
        return graph


def _interval(first: int, size: int, resized: int, stored: int) -> tuple[int, int]:
    """First pixel and number of pixels in the file of what becomes `size` pixels."""
    scale = stored / resized
    count = min(max(round(size * scale), 1), stored)
    begin = 2 * round(first * scale / 2)
    return min(begin, (stored - count) // 2 * 2), count
