"""Figures stay in the frame, move as told, hide one another and stand before the right ground."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_acl.moving_figures import drawing as figures
from keras_acl.moving_figures.drawing import (
    DISTRACTORS,
    JITTER,
    MOTIONS,
    Figure,
    paint,
    plan_figure,
)

RED, WHITE, BLACK = np.array([200.0, 0, 0]), np.full(3, 255.0), np.zeros(3)


def still(shape, x, y, radius, angle=0.0, colour=RED, head=None, frames=8) -> Figure:
    x, y, angle, radius = (np.full(frames, value, float) for value in (x, y, angle, radius))
    return Figure(shape, "left", colour, head, x, y, angle, radius)


def actor(x=32, y=32, radius=20, angle=0.0) -> Figure:
    return still("actor", x, y, radius, angle, RED, WHITE)


def planned(motion, seed, size=64, frames=32) -> Figure:
    return plan_figure("star", motion, None, frames, size, np.random.default_rng(seed))


def crossings(wave) -> int:
    signs = np.sign(wave - (wave.max() + wave.min()) / 2)
    return int(np.count_nonzero(np.diff(signs)))


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(MOTIONS), st.integers(0, 10**9), st.sampled_from([32, 64, 112, 224]))
def test_the_whole_path_lies_inside_the_frame(motion, seed, size):
    figure = planned(motion, seed, size)
    for centre in (figure.x, figure.y):
        assert np.min(centre - figure.radius) > 0
        assert np.max(centre + figure.radius) < size


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(MOTIONS), st.integers(0, 10**9), st.sampled_from([64, 128]))
def test_only_what_the_motion_names_changes(motion, seed, size):
    figure, unit = planned(motion, seed, size), size / 64
    jitter = 2 * JITTER * unit
    x_moves = motion in ("left", "right", "shaking")
    assert (np.ptp(figure.x) > jitter) == x_moves
    assert (np.ptp(figure.y) > jitter) == (motion in ("up", "down"))
    assert (np.ptp(figure.angle) > 0) == ("clockwise" in motion)
    assert (np.ptp(figure.radius) > 0) == (motion == "pulsing")
    assert 8 * unit * 0.55 <= figure.radius.min() <= figure.radius.max() <= 11 * unit * 1.45


@pytest.mark.parametrize(
    ("motion", "axis", "sign"),
    [("left", "x", -1), ("right", "x", 1), ("up", "y", -1), ("down", "y", 1)],
)
def test_straight_motions_cover_16_to_28_pixels(motion, axis, sign):
    for size in (64, 128):
        ways = [np.ptp(getattr(planned(motion, seed, size), axis)) for seed in range(40)]
        path = getattr(planned(motion, 0, size), axis)
        assert sign * (path[-1] - path[0]) > 0
        assert 15 * size / 64 <= min(ways) < 20 * size / 64
        assert 24 * size / 64 < max(ways) <= 29 * size / 64


@pytest.mark.parametrize(("motion", "sign"), [("clockwise", 1), ("counterclockwise", -1)])
def test_turns_cover_2_2_to_4_2_radians(motion, sign):
    turns = [planned(motion, seed).angle for seed in range(40)]
    turns = [sign * (angle[-1] - angle[0]) for angle in turns]
    assert 2.2 <= min(turns) < 2.6
    assert 3.8 < max(turns) <= 4.2


def test_shaking_and_pulsing_swing_two_to_three_times():
    for seed in range(20):
        shaking, pulsing = planned("shaking", seed), planned("pulsing", seed)
        assert 7.5 < np.ptp(shaking.x) < 14 + 2 * JITTER
        mean = (pulsing.radius.max() + pulsing.radius.min()) / 2
        assert 0.28 < pulsing.radius.max() / mean - 1 < 0.455
        assert 4 <= crossings(pulsing.radius) <= 6  # a sine passes its mean twice a period


def test_figures_at_rest_start_at_any_angle():
    angles = np.array([planned("left", seed).angle[0] for seed in range(200)])
    assert np.all(np.histogram(angles, 4, (0, 2 * np.pi))[0] > 30)


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ("actor", 1.15 * 0.75 + np.pi * 0.38**2 - 0.0255),  # less what torso and head share
        ("cross", 4 * (2 * 0.95 * 0.28 - 0.28**2)),
        ("rectangle", 4 * 0.86 * 0.5),
        ("ring", np.pi * (0.99**2 - 0.53**2) - 0.206),  # less the gap
        ("star", 10 * 0.5 * 0.45 * np.sin(np.pi / 5)),
        ("triangle", 3 * np.sqrt(3) / 4),
    ],
)
def test_shapes_have_the_area_geometry_gives_them(shape, area):
    for angle in (0, 0.3):
        head = WHITE if shape == "actor" else None
        layer = figures._layer(still(shape, 50, 50, 40, angle, head=head), 100)
        np.testing.assert_allclose(layer.cover.sum((1, 2)), area * 40**2, rtol=0.005)


def test_shapes_are_all_listed():
    assert sorted(DISTRACTORS) == ["cross", "rectangle", "ring", "star", "triangle"]


@pytest.mark.parametrize(
    ("angle", "head"),
    [(0, (32, 20)), (np.pi / 2, (44, 32)), (np.pi, (32, 44)), (-np.pi / 2, (20, 32))],
)
def test_a_positive_angle_turns_the_actor_clockwise(angle, head):
    frames, mask = paint((actor(angle=angle),), 64, np.random.default_rng(0))
    x, y = head
    assert mask[:, y, x].all()
    assert frames[:, y - 2 : y + 3, x - 2 : x + 3].mean() > 240  # white
    opposite = frames[:, 63 - y, 63 - x].mean(0)
    np.testing.assert_allclose(opposite, RED, atol=15)


def test_the_mask_leaves_out_what_is_in_front():
    front = still("rectangle", 32, 46, 14, colour=BLACK)  # 24.1 x 14 pixels over the torso's foot
    _, whole = paint((actor(),), 64, np.random.default_rng(0))
    _, behind = paint((front, actor()), 64, np.random.default_rng(0))
    frames, mask = paint((actor(), front), 64, np.random.default_rng(0))
    np.testing.assert_array_equal(behind, whole)
    np.testing.assert_array_equal(mask[:, :39], whole[:, :39])
    assert not mask[:, 39:53].any()
    assert whole[:, 39:49].any(axis=2).all()
    assert frames[:, 40:52, 24:40].mean() < 10


def test_an_actor_all_but_hidden_comes_to_the_front():
    front = still("ring", 32, 32, 30), still("rectangle", 32, 32, 30)
    _, whole = paint((actor(),), 64, np.random.default_rng(0))
    frames, mask = paint((actor(), *front), 64, np.random.default_rng(0))
    np.testing.assert_array_equal(mask, whole)
    assert frames[:, 20, 32].mean() > 240  # its head


def test_a_pixel_at_the_edge_is_covered_in_part():
    layer = figures._layer(still("rectangle", 32, 32, 20), 64)  # from x = 14.8 to 49.2
    row = layer.cover[0, 32 - layer.box[1].start]
    edge = 14 - layer.box[2].start
    np.testing.assert_allclose(row[edge - 1 : edge + 2], [0, 0.2, 1], atol=1e-4)
    assert row.sum() == pytest.approx(34.4, abs=1e-3)


def test_noise_has_a_standard_deviation_of_8():
    frames, _ = paint((actor(radius=5, x=58, y=58),), 64, np.random.default_rng(3))
    ground = frames[:, :48, :48].astype(float)
    ground = ground[:, ((ground > 30) & (ground < 225)).all((0, 3))]  # what nothing clipped
    bends = ground[:-2] - 2 * ground[1:-1] + ground[2:]  # an even pan leaves little but noise
    assert 7.5 < bends.std() / np.sqrt(6) < 9


def test_the_ground_pans_up_to_3_pixels():
    shifts = []
    for seed in range(12):
        canvas = figures._ground(8, 64, np.random.default_rng(seed))
        first, last = canvas[:, 0, 8:-8, 8:-8], canvas[:, -1]
        candidates = list(itertools.product(range(-5, 6), repeat=2))
        errors = [
            np.square(last[:, 8 + y : 56 + y, 8 + x : 56 + x] - first).mean() for y, x in candidates
        ]
        assert min(errors) < 0.2 * max(errors)
        shifts.append(np.abs(candidates[int(np.argmin(errors))]).max())
    assert max(shifts) == 3
    assert min(shifts) < 3


def test_the_ground_is_coloured_and_grainy():
    canvas = figures._ground(8, 64, np.random.default_rng(0))
    assert canvas.shape == (3, 8, 64, 64)
    assert 80 < canvas.mean() < 130
    assert canvas.mean(0).std() > 10
    assert (canvas[0] - canvas[1]).std() > 25
    first = canvas[0, 0].astype(float)
    bends = first[:, :-2] - 2 * first[:, 1:-1] + first[:, 2:]
    assert 10 < bends.std() / np.sqrt(6) < 14


def test_cubic_weights_pass_through_the_lattice_and_keep_straight_lines():
    positions = np.array([0, 0.25, 1.5, 2, 3.9])
    weights = figures._cubic_weights(positions)
    lattice = np.arange(weights.shape[1]) - 1  # point n stands at position n - 1
    np.testing.assert_allclose(weights @ lattice, positions, atol=1e-12)
    np.testing.assert_allclose(weights[3], [0, 0, 0, 1, 0, 0, 0])
    np.testing.assert_allclose(weights[2], [0, -1 / 16, 9 / 16, 9 / 16, -1 / 16, 0, 0])
