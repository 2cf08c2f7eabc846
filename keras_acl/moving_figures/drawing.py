"""Moving figures: what one is, how it moves, and how a scene of them becomes pixels.

Coordinates are pixels, x to the right and y down, (0, 0) the outer corner of the first pixel. Time
runs from 0 to 1 over a clip. Lengths are for frames of 64 x 64 and scale with the frame.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

MOTIONS = ("clockwise", "counterclockwise", "down", "left", "pulsing", "right", "shaking", "up")
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}

JITTER = 0.25 * math.sqrt(3)  # half the width of a uniform distribution of standard deviation .25
PAN = 3.0
GRAIN = 12.0  # standard deviation in gray levels, as NOISE
NOISE = 8.0
FIGURE_COLOURS = (30.0, 230.0)
GROUND_COLOURS = (40.0, 170.0)
LEAST_VISIBLE = 0.25


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Figure:
    """One figure and its place in every frame.

    Args:
        shape: "actor", or one of `DISTRACTORS`.
        motion: Name of the motion, one of `MOTIONS`.
        colour: Colour, RGB 0-255; of an actor, the torso's.
        head: Colour of an actor's head, RGB 0-255; None for the others.
        x: Horizontal place of the centre in pixels, (T,).
        y: Vertical place of the centre in pixels, (T,).
        angle: Clockwise turn in radians, (T,); an actor at 0 stands upright.
        radius: Radius of the circle around the figure in pixels, (T,).
    """

    shape: str
    motion: str
    colour: np.ndarray
    head: np.ndarray | None
    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    radius: np.ndarray


def plan_figure(
    shape: str,
    motion: str,
    head: np.ndarray | None,
    frames: int,
    size: int,
    rng: np.random.Generator,
) -> Figure:
    """Plan one figure; its whole path lies inside the frame.

    Figures of every motion start at any angle, so that no single frame reveals a turn.

    Args:
        shape: "actor", or one of `DISTRACTORS`.
        motion: Name of the motion, one of `MOTIONS`.
        head: Colour of an actor's head, RGB 0-255, else None.
        frames: Number of frames of the clip.
        size: Height and width of a frame in pixels.
        rng: Random generator.
    """
    unit = size / 64
    time = np.linspace(0, 1, frames)
    wave = np.sin(2 * np.pi * (rng.uniform(2, 3) * time + rng.uniform()))
    dx = dy = turn = np.zeros(frames)
    scale = np.ones(frames)
    if motion in DIRECTIONS:
        way = rng.uniform(16, 28) * unit * (time - 0.5)
        dx, dy = (direction * way for direction in DIRECTIONS[motion])
    elif motion == "shaking":
        dx = rng.uniform(4, 7) * unit * wave
    elif motion == "pulsing":
        scale = 1 + rng.uniform(0.30, 0.45) * wave
    else:
        turn = rng.uniform(2.2, 4.2) * time * (1 if motion == "clockwise" else -1)

    radius = rng.uniform(8, 11) * unit * scale
    reach_x, reach_y = (np.max(np.abs(way) + radius) + unit for way in (dx, dy))
    jitter_x, jitter_y = rng.uniform(-JITTER, JITTER, (2, frames)) * unit
    return Figure(
        shape=shape,
        motion=motion,
        colour=rng.uniform(*FIGURE_COLOURS, 3),
        head=head,
        x=rng.uniform(reach_x, size - reach_x) + dx + jitter_x,
        y=rng.uniform(reach_y, size - reach_y) + dy + jitter_y,
        angle=rng.uniform(0, 2 * np.pi) + turn,
        radius=radius,
    )


def paint(
    figures: tuple[Figure, ...], size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Paint figures, one of them an actor, in front of a panning, noisy background.

    If others hide more than three quarters of the actor in any frame, it is painted in front of all
    of them: a clip always shows what its label says.

    Args:
        figures: Figures from back to front.
        size: Height and width of a frame in pixels.
        rng: Source of the ground and the noise.

    Returns:
        The frames, uint8 (T, H, W, 3), and the actor's mask, bool (T, H, W): the pixels that show
        the actor by at least half.
    """
    canvas = _ground(len(figures[0].x), size, rng)
    layers = [_layer(figure, size) for figure in figures]
    mask = _actor_mask(layers, canvas.shape[1:])
    whole = next(layer.cover.sum((1, 2)) for layer in layers if layer.actor)
    if np.any(mask.sum((1, 2)) < LEAST_VISIBLE * whole):
        layers.sort(key=lambda layer: layer.actor)
        mask = _actor_mask(layers, canvas.shape[1:])

    for layer in layers:
        part = canvas[:, *layer.box]
        part += layer.cover * (layer.colour - part)
    canvas += NOISE * rng.standard_normal(mask.shape, dtype=np.float32)
    frames = np.empty((*mask.shape, 3), np.uint8)
    for channel in range(3):
        frames[..., channel] = np.clip(canvas[channel], 0, 255)
    return frames, mask


class _Layer(NamedTuple):
    """A figure as pixels of the box (T, h, w) in which it stays."""

    actor: bool
    box: tuple[slice, slice, slice]
    cover: np.ndarray  # (T, h, w), the covered share of each pixel
    colour: np.ndarray  # broadcastable to (3, T, h, w)


def _layer(figure: Figure, size: int) -> _Layer:
    rows, columns = (
        slice(
            max(math.floor(np.min(centre - figure.radius)) - 1, 0),
            min(math.ceil(np.max(centre + figure.radius)) + 1, size),
        )
        for centre in (figure.y, figure.x)
    )
    x, y, angle, radius = (
        values.astype(np.float32)[:, None, None]
        for values in (figure.x, figure.y, figure.angle, figure.radius)
    )
    dx = (np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5 - x) / radius
    dy = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5 - y) / radius
    cosine, sine = np.cos(angle), np.sin(angle)
    u, v = cosine * dx + sine * dy, cosine * dy - sine * dx

    def share(distance: np.ndarray) -> np.ndarray:
        return np.clip(0.5 - distance * radius, 0, 1)  # a pixel on the edge is half covered

    box = (slice(None), rows, columns)
    colour = figure.colour.astype(np.float32)[:, None, None, None]
    if figure.head is None:
        return _Layer(False, box, share(DISTRACTORS[figure.shape](u, v)), colour)
    head, torso = share(_head(u, v)), share(_torso(u, v))
    colour = colour + head * (figure.head.astype(np.float32)[:, None, None, None] - colour)
    return _Layer(True, box, np.maximum(head, torso), colour)


def _actor_mask(layers: list[_Layer], shape: tuple[int, ...]) -> np.ndarray:
    visible = np.zeros(shape, np.float32)
    for layer in layers:
        if layer.actor:
            visible[layer.box] = layer.cover
        else:
            visible[layer.box] *= 1 - layer.cover
    return visible >= 0.5


# Shapes inside the unit circle: signed distance of points (u, v) to the edge, negative inside; v
# points down.


def _head(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.hypot(u, v + 0.6) - 0.38


def _torso(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    side = 0.977 * (np.abs(u) - 0.25) - 0.212 * (v + 0.3)  # .25 wide at the neck, .5 at the foot
    return np.maximum(side, np.abs(v - 0.275) - 0.575)


def _box(u: np.ndarray, v: np.ndarray, width: float, height: float) -> np.ndarray:
    return np.maximum(np.abs(u) - width, np.abs(v) - height)


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.minimum(_box(u, v, 0.95, 0.28), _box(u, v, 0.28, 0.95))


def _rectangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _box(u, v, 0.86, 0.5)


def _ring(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    # Open at the top, as a closed ring does not seem to turn.
    band = np.abs(np.hypot(u, v) - 0.76) - 0.23
    return np.maximum(band, -_box(u, v + 0.76, 0.22, 0.3))


def _star(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    # Folded onto half an arm: an edge from the tip (1, 0) to the notch, .45 out at 36 degrees.
    fifth = 2 * np.pi / 5
    azimuth = np.arctan2(u, -v)
    azimuth -= fifth * np.round(azimuth / fifth)
    radius = np.hypot(u, v)
    return 0.384 * (radius * np.cos(azimuth) - 1) + 0.923 * radius * np.abs(np.sin(azimuth))


def _triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(0.866 * np.abs(u) - 0.5 * v - 0.5, v - 0.5)


DISTRACTORS = {
    "cross": _cross,
    "rectangle": _rectangle,
    "ring": _ring,
    "star": _star,
    "triangle": _triangle,
}


def _ground(frames: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Colour noise of 5 to 12 cells with grain, panning evenly; float32 (3, T, H, W)."""
    unit = size / 64
    margin = math.ceil(PAN * unit)
    side = size + 2 * margin + 1
    cells = rng.integers(5, 13)
    weights = _cubic_weights(np.linspace(0, cells * side / size, side))
    lattice = rng.uniform(*GROUND_COLOURS, (3, weights.shape[1], weights.shape[1]))
    texture = weights @ lattice @ weights.T  # (3, side, side)
    texture += GRAIN * rng.standard_normal((side, side))
    texture = texture.astype(np.float32)

    path = margin + np.linspace(0, 1, frames)[:, None] * rng.uniform(-PAN, PAN, 2) * unit
    canvas = np.empty((3, frames, size, size), np.float32)
    for frame, corner in enumerate(path):
        (top, left), (down, right) = corner.astype(int), np.modf(corner)[0].astype(np.float32)
        window = texture[:, top : top + size + 1, left : left + size + 1]
        strip = window[:, :-1] + down * (window[:, 1:] - window[:, :-1])
        canvas[:, frame] = strip[..., :-1] + right * (strip[..., 1:] - strip[..., :-1])
    return canvas


def _cubic_weights(positions: np.ndarray) -> np.ndarray:
    """Catmull-Rom interpolation at positions >= 0: a matrix (positions, lattice points).

    Lattice point n stands at position n - 1.
    """
    first = positions.astype(int)
    powers = (positions - first)[:, None] ** np.arange(4)
    catmull_rom = 0.5 * np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]])
    weights = np.zeros((len(positions), first[-1] + 4))
    np.put_along_axis(weights, first[:, None] + np.arange(4), powers @ catmull_rom, axis=1)
    return weights
