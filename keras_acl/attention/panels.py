"""Attention as moving pictures: panels side by side with a line of text, mp4 or GIF."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
import av.filter
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_acl.attention.overlay import STREAMS, overlay

ENDINGS = (".mp4", ".gif")
PANEL = 256  # pixels a side, whatever the size that a model eats
GAP = 4  # pixels between panels
BAND = 48  # pixels of text above them
BACKGROUND = 24  # grey level
DPI = 100


def panels(
    frame: np.ndarray, spatial: np.ndarray, temporal: np.ndarray | None, strength: float = 0.5
) -> list[np.ndarray]:
    """The frame, with the spatial map over it and with the temporal one, where there is one.

    Args:
        frame: (H, W, 3) uint8.
        spatial: (H, W) in [0, 1].
        temporal: (H, W) in [0, 1], or `None`.
        strength: See `overlay`.

    Returns:
        Two or three pictures, uint8 (H, W, 3).
    """
    maps = [spatial] if temporal is None else [spatial, temporal]
    return [frame, *overlay(np.stack([frame] * len(maps)), np.stack(maps), strength)]


def strip(pictures: list[np.ndarray], columns: int, left: str, right: str) -> np.ndarray:
    """Set panels side by side under a line of text and their names.

    Args:
        pictures: `panels`, each PANEL x PANEL.
        columns: Panels that there is room for.
        left: Text in the upper left corner.
        right: Text in the upper right corner.

    Returns:
        uint8 (BAND + PANEL, width, 3), both even.
    """
    names = ("frame", *STREAMS)[: len(pictures)]
    band = _text(columns * (PANEL + GAP) - GAP, left, right, names)
    whole = np.full((BAND + PANEL, band.shape[1], 3), BACKGROUND, np.uint8)
    whole[:BAND] = band
    for number, picture in enumerate(pictures):
        place = number * (PANEL + GAP)
        whole[BAND:, place : place + PANEL] = picture
    return whole


@contextlib.contextmanager
def video_writer(file: Path, fps: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Encode frames one by one: H.264 in an mp4, or a GIF, by the ending of the file.

    Args:
        file: To write; what stands there when an error comes is not whole.
        fps: Frames per second.

    Yields:
        A function to call with each frame, uint8 (H, W, 3), height and width even.

    Raises:
        ValueError: If the ending is neither.
    """
    check_ending(file)
    rate = Fraction(fps).limit_denominator(1000)
    with av.open(str(file), "w") as container:
        encoder = _Gif(container, rate) if file.suffix.lower() == ".gif" else _H264(container, rate)
        yield encoder.add
        encoder.finish()


def check_ending(file: Path) -> None:
    """Reject what `video_writer` cannot write.

    Raises:
        ValueError: If the file does not end in .mp4 or .gif.
    """
    if file.suffix.lower() not in ENDINGS:
        raise ValueError(
            f"Attention is written as .mp4 or .gif. Received: {file.name!r}; give it such an ending"
        )


class _H264:
    """At constant quality, readable by every browser (yuv420p, index in front)."""

    def __init__(self, container, rate: Fraction):
        container.options["movflags"] = "faststart"
        self.container = container
        self.stream = container.add_stream("libx264", rate=rate, options={"crf": "18"})
        self.stream.pix_fmt = "yuv420p"
        self.empty = True

    def add(self, frame: np.ndarray) -> None:
        if self.empty:
            self.stream.height, self.stream.width = frame.shape[:2]
            self.empty = False
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        self.container.mux(self.stream.encode(picture))

    def finish(self) -> None:
        if not self.empty:
            self.container.mux(self.stream.encode())


class _Gif:
    """Every frame with the 256 colours that suit it, so that nothing has to wait in memory."""

    def __init__(self, container, rate: Fraction):
        self.container, self.rate = container, rate
        self.stream = container.add_stream("gif", rate=rate)
        self.stream.pix_fmt = "pal8"
        self.graph = None
        self.count = 0

    def add(self, frame: np.ndarray) -> None:
        if self.graph is None:
            self.stream.height, self.stream.width = frame.shape[:2]
            height, width = frame.shape[:2]
            self.graph = _palette_graph(height, width, 1 / self.rate)
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture.pts, picture.time_base = self.count, 1 / self.rate
        self.count += 1
        self.graph.push(picture)
        self._encode(self.graph)

    def finish(self) -> None:
        if self.graph is not None:
            self.graph.push(None)
            self._encode(self.graph)
            self.container.mux(self.stream.encode())

    def _encode(self, graph) -> None:
        while True:
            try:
                self.container.mux(self.stream.encode(graph.pull()))
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def _palette_graph(height: int, width: int, time_base: Fraction):
    graph = av.filter.Graph()
    rgb = av.VideoFormat("rgb24", width, height)
    source = graph.add_buffer(width=width, height=height, format=rgb, time_base=time_base)
    split = graph.add("split")
    palette = graph.add("palettegen", "stats_mode=single")
    use = graph.add("paletteuse", "new=1:dither=none")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph


@functools.lru_cache(maxsize=8)
def _text(width: int, left: str, right: str, names: tuple[str, ...]) -> np.ndarray:
    """The band above the panels: uint8 (BAND, width, 3)."""
    grey = BACKGROUND / 255
    figure = Figure((width / DPI, BAND / DPI), dpi=DPI, facecolor=(grey, grey, grey))
    canvas = FigureCanvasAgg(figure)
    points = 72 / DPI  # a pixel

    def write(x: float, y: float, text: str, pixels: float, **style) -> None:
        figure.text(x / width, 1 - y / BAND, text, fontsize=pixels * points, va="center", **style)

    write(8, 15, left, 15, color="white", weight="bold", parse_math=False)
    write(width - 8, 15, right, 13, color="0.8", ha="right", parse_math=False)
    for number, name in enumerate(names):
        write(number * (PANEL + GAP) + PANEL / 2, 37, name, 12, color="0.7", ha="center")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :width, :3].copy()
