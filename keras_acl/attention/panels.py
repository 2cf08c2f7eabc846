"""Attention as moving pictures: panels side by side with a line of text, mp4 or GIF."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from keras_acl.attention.overlay import overlay, stream_names
from keras_acl.video.encode import video_writer

ENDINGS = (".mp4", ".gif")
PANEL = 256  # pixels per side, whatever the size that a model eats
GAP = 4  # pixels between panels
BAND = 48  # pixels of text above them
BACKGROUND = 24  # grey level
DPI = 100


def panels(
    frame: np.ndarray, spatial: np.ndarray, temporal: np.ndarray | None, strength: float = 0.5
) -> list[np.ndarray]:
    """The frame, with the spatial map over it and with the temporal one, where there is one.

    Args:
        frame: Frame, uint8 (H, W, 3).
        spatial: Map of the spatial stream, (H, W) in [0, 1].
        temporal: Map of the temporal stream, (H, W) in [0, 1], or None.
        strength: How soon colour covers the frame, see `overlay`.

    Returns:
        Two or three pictures, uint8 (H, W, 3).
    """
    maps = [spatial] if temporal is None else [spatial, temporal]
    return [frame, *overlay(np.stack([frame] * len(maps)), np.stack(maps), strength)]


def strip(pictures: list[np.ndarray], columns: int, left: str, right: str) -> np.ndarray:
    """Set panels side by side under a line of text and their names.

    Args:
        pictures: Pictures that `panels` returned, each PANEL x PANEL.
        columns: Number of panels that there is room for.
        left: Text in the upper left corner.
        right: Text in the upper right corner.

    Returns:
        uint8 (BAND + PANEL, width, 3), height and width even.
    """
    names = ("frame", *stream_names(len(pictures) - 1))
    band = _text(columns * (PANEL + GAP) - GAP, left, right, names)
    whole = np.full((BAND + PANEL, band.shape[1], 3), BACKGROUND, np.uint8)
    whole[:BAND] = band
    for number, picture in enumerate(pictures):
        place = number * (PANEL + GAP)
        whole[BAND:, place : place + PANEL] = picture
    return whole


@contextlib.contextmanager
def overlay_writer(file: Path, fps: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Encode frames one by one: H.264 in an mp4, or a GIF, by the ending of the file.

    Args:
        file: Path to write to. An error leaves part of a file: see `written_whole`.
        fps: Frames per second.

    Yields:
        A function to call with each frame, uint8 (H, W, 3), height and width even.

    Raises:
        ValueError: If the file does not end in .mp4 or .gif.
    """
    check_ending(file)
    if file.suffix.lower() == ".gif":
        writer = _gif_writer(file, fps)
    else:
        writer = video_writer(file, fps, {"crf": "18"})
    with writer as add:
        yield add


def check_ending(file: Path) -> None:
    """Refuse files that `overlay_writer` cannot write.

    Raises:
        ValueError: If the file does not end in .mp4 or .gif.
    """
    if file.suffix.lower() not in ENDINGS:
        raise ValueError(
            f"Attention is written as .mp4 or .gif. Received: {file.name!r}; give it such an ending"
        )


@contextlib.contextmanager
def _gif_writer(file: Path, fps: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Frames with the 256 colours that suit each; they are held until the end, a byte per pixel."""
    frames: list[Image.Image] = []

    def add(frame: np.ndarray) -> None:
        frames.append(Image.fromarray(frame).quantize(256, dither=Image.Dither.NONE))

    yield add
    if frames:
        # GIF counts hundredths of a second: rounding one frame is made up for by the next.
        ends = [round(100 * number / fps) for number in range(len(frames) + 1)]
        durations = [10 * (end - begin) for begin, end in itertools.pairwise(ends)]
        first, *others = frames
        first.save(file, "gif", save_all=True, append_images=others, duration=durations, loop=0)


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
