"""Videos for the benchmarks, and how much two copies of one differ."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_acl.data import probe, read_frames
from keras_acl.video.encode import video_writer

import numpy as np

HEIGHT, WIDTH, FPS = 256, 340, 30
BIT_RATE = "450k"  # pictures only; Kinetics at this size has about as much
LONG = 20.0  # seconds after which a scene begins again
CELLS = ((64, 40), (24, 25), (8, 15), (3, 9))  # pixels and gray levels of the texture's octaves


def write_videos(folder: Path, count: int, seconds: Sequence[float]) -> None:
    """Write textured scenes with a moving figure and a moving camera.

    Args:
        folder: Folder of two class folders, which can be trained on.
        count: Number of videos.
        seconds: Lengths of the videos, repeated.
    """
    for number, length in zip(range(count), itertools.cycle(seconds)):
        file = folder / f"class{number % 2}" / f"{number:04d}.mp4"
        file.parent.mkdir(parents=True, exist_ok=True)
        preset = "veryfast" if length > LONG else "medium"  # ten minutes are written in one
        once = list(scene(number, round(min(length, LONG) * FPS)))
        with video_writer(file, FPS, {"preset": preset, "b": BIT_RATE}) as add:
            for image in itertools.islice(itertools.cycle(once), round(length * FPS)):
                add(image)


def scene(seed: int, count: int) -> Iterator[np.ndarray]:
    """Frames (HEIGHT, WIDTH, 3): the camera pans over a texture, another one moves before it."""
    rng = np.random.default_rng(seed)
    ground = 110 + texture(rng, HEIGHT + 160, WIDTH + 160)
    figure = 140 + texture(rng, 120, 120)
    rows, columns = np.mgrid[:120, :120]
    inside = ((rows - 60) / 60) ** 2 + ((columns - 60) / 40) ** 2 < 1
    for second in np.arange(count) / FPS:
        top, left = 80 + 70 * np.sin(0.9 * second + seed), 80 + 70 * np.cos(0.7 * second)
        image = ground[int(top) :, int(left) :][:HEIGHT, :WIDTH].copy()
        top, left = 68 + 60 * np.sin(2.3 * second), 110 + 100 * np.cos(1.7 * second + seed)
        turned = np.roll(figure, int(10 * np.sin(5 * second)), axis=1)
        image[int(top) :, int(left) :][:120, :120][inside] = turned[inside]
        grain = rng.normal(0, 3, (HEIGHT, WIDTH, 1))
        yield np.clip(image + grain, 0, 255).astype(np.uint8)


def texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Smooth coloured noise of several octaves around 0, float64 (height, width, 3)."""
    total = np.zeros((height, width, 3))
    for cell, levels in CELLS:
        knots = rng.normal(0, levels, (height // cell + 2, width // cell + 2, 3))
        for axis, size in ((0, height), (1, width)):
            place = np.arange(size) / cell
            whole, part = place.astype(int), place % 1
            part = np.expand_dims(part * part * (3 - 2 * part), (1 - axis, 2))
            first, second = knots.take(whole, axis), knots.take(whole + 1, axis)
            knots = first + (second - first) * part
        total += knots
    return total


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Peak signal-to-noise ratio of uint8 pictures, in decibels."""
    error = np.mean((first.astype(np.float64) - second) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-10)))


def mean_psnr(pairs: Sequence[tuple[Path, Path]], frames: int = 8) -> float:
    """Mean over files of the PSNR of copies against originals, both resized to short side 256."""
    values = []
    for original, copy in pairs:
        info = probe(original)
        scale = 256 / min(info.height, info.width)
        size = (round(info.height * scale), round(info.width * scale))
        times = np.linspace(0, info.seconds, frames, endpoint=False)
        values.append(psnr(*(read_frames(path, times, size=size) for path in (original, copy))))
    return float(np.mean(values))
