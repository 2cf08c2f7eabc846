import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_acl.clip import ClipSpec
from keras_acl.video.sampling import (
    frame_offsets,
    grid_length,
    random_clip,
    record_rng,
    uniform_clips,
)

totals = st.integers(1, 1000)
counts = st.integers(1, 12)


@st.composite
def clips(draw) -> ClipSpec:
    frames = draw(st.integers(1, 40))
    return ClipSpec(frames=frames, span=draw(st.integers(frames, 130)))


def test_32_of_64_frames_are_pyslowfasts():
    expected = [*range(0, 42, 2), 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 63]
    assert frame_offsets(ClipSpec()).tolist() == expected


def test_4_of_8_frames_are_pyslowfasts():
    assert frame_offsets(ClipSpec(frames=4, span=8)).tolist() == [0, 2, 4, 7]


def test_ten_uniform_clips_start_where_pyslowfast_starts_them():
    starts = uniform_clips(300, ClipSpec(), 10)[:, 0]
    assert starts.tolist() == [0, 23, 47, 70, 94, 118, 141, 165, 188, 212]


@pytest.mark.parametrize(("total", "start"), [(300, 118), (301, 118), (65, 0), (64, 0)])
def test_a_single_clip_is_the_centre_one(total, start):
    assert uniform_clips(total, ClipSpec(), 1)[0, 0] == start


def test_a_short_video_repeats_its_last_frame():
    clip = ClipSpec(frames=8, span=15)  # offsets 0, 2, 4, ..., 14
    expected = [0, 2, 4, 6, 8, 9, 9, 9]
    assert random_clip(10, clip, np.random.default_rng(0)).tolist() == expected
    assert uniform_clips(10, clip, 2).tolist() == [expected, expected]


def test_random_starts_reach_both_ends_and_are_uniform():
    clip = ClipSpec(frames=2, span=4)
    rng = np.random.default_rng(0)
    starts = [random_clip(8, clip, rng)[0] for _ in range(2000)]
    shares = np.bincount(starts) / 2000
    assert len(shares) == 5
    np.testing.assert_allclose(shares, 0.2, atol=0.03)


@settings(deadline=None, max_examples=50)
@given(total=totals, clip=clips(), seed=st.integers(0, 100))
def test_random_clips_stay_inside_and_keep_their_offsets(total, clip, seed):
    numbers = random_clip(total, clip, np.random.default_rng(seed))
    assert numbers.shape == (clip.frames,)
    assert numbers.min() >= 0
    assert numbers.max() <= total - 1
    np.testing.assert_array_equal(numbers, np.minimum(numbers[0] + frame_offsets(clip), total - 1))
    assert numbers[0] <= max(total - clip.span, 0)


def test_segments_are_those_of_tsn():
    clip = ClipSpec(frames=3, span=3, segments=True)
    # tick / 2 + tick * x with tick = 100 / 3, truncated
    assert uniform_clips(100, clip, 1).tolist() == [[16, 50, 83]]
    assert uniform_clips(100, clip, 2).tolist() == [[8, 41, 75], [25, 58, 91]]
    assert frame_offsets(ClipSpec(frames=3, span=9, segments=True)).tolist() == [1, 4, 7]
    draws = np.array([random_clip(9, clip, np.random.default_rng(i)) for i in range(300)])
    for segment in range(3):
        shares = np.bincount(draws[:, segment], minlength=9)[3 * segment : 3 * segment + 3] / 300
        np.testing.assert_allclose(shares, 1 / 3, atol=0.1)


def test_stacks_are_those_of_tsn():
    clip = ClipSpec(frames=15, span=64, segments=True, stack=5)
    # tick / 2 + tick * x with tick = (104 - 5 + 1) / 3, truncated, and the four frames after it
    starts = [16, 50, 83]
    expected = [start + place for start in starts for place in range(5)]
    assert uniform_clips(104, clip, 1)[0].tolist() == expected
    draws = np.array([random_clip(13, clip, np.random.default_rng(i)) for i in range(300)])
    stacks = draws.reshape(300, 3, 5)
    np.testing.assert_array_equal(np.diff(stacks, axis=2), 1)
    for segment in range(3):  # nine starts, three to a segment
        shares = np.bincount(stacks[:, segment, 0], minlength=9)[3 * segment : 3 * segment + 3]
        np.testing.assert_allclose(shares / 300, 1 / 3, atol=0.1)
    assert uniform_clips(3, clip, 1).tolist() == [[0, 1, 2, 2, 2] * 3]


@settings(deadline=None, max_examples=50)
@given(total=totals, frames=st.integers(1, 40), count=counts, seed=st.integers(0, 100))
def test_segments_cover_every_video_in_order(total, frames, count, seed):
    clip = ClipSpec(frames=frames, span=frames, segments=True)
    numbers = uniform_clips(total, clip, count)
    drawn = random_clip(total, clip, np.random.default_rng(seed))[None]
    for rows in (numbers, drawn):
        assert rows.shape[1] == frames
        assert 0 <= rows.min() <= rows.max() <= total - 1
        assert np.all(np.diff(rows, axis=1) >= 0)
        edges = np.arange(frames + 1) * total / frames
        assert np.all(rows > edges[:-1] - 1)
        assert np.all(rows < edges[1:] + 1e-3)


@settings(deadline=None, max_examples=50)
@given(total=totals, clip=clips(), count=counts)
def test_uniform_clips_follow_pyslowfasts_formula(total, clip, count):
    numbers = uniform_clips(total, clip, count)
    delta = max(total - clip.span, 0)
    starts = [Fraction(delta * i, count) for i in range(count)]
    starts = [Fraction(delta, 2)] if count == 1 else starts
    # get_start_end_idx, then temporal_sampling: linspace, clamp, long. In exact arithmetic.
    for row, start in zip(numbers, starts, strict=True):
        step = Fraction(clip.span - 1, max(clip.frames - 1, 1))
        exact = [min(math.floor(start + step * k), total - 1) for k in range(clip.frames)]
        assert row.tolist() == exact
    assert np.all(np.diff(numbers, axis=0) >= 0)
    assert np.all(np.diff(numbers, axis=1) >= 0)


@given(clip=clips(), count=counts)
@settings(deadline=None, max_examples=20)
def test_a_video_of_one_frame_is_that_frame(clip, count):
    assert not random_clip(1, clip, np.random.default_rng(0)).any()
    assert not uniform_clips(1, clip, count).any()


@pytest.mark.parametrize(
    ("seconds", "expected"), [(10.0, 300), (2.698, 80), (2.733 + 0.033, 83), (0.001, 1), (0.09, 2)]
)
def test_grid_length_rounds_down_but_forgives_milliseconds(seconds, expected):
    assert grid_length(seconds, ClipSpec()) == expected


def test_record_rng_depends_on_all_three_numbers_and_on_nothing_else():
    def draw(*numbers: int) -> float:
        return record_rng(*numbers).random()

    places = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1)]
    values = [draw(*place) for place in places]
    assert len(set(values)) == len(places)
    assert [draw(*place) for place in reversed(places)] == values[::-1]


def test_record_rng_stays_what_it_is():
    # Runs are to be repeatable with later versions too.
    assert record_rng(1, 2, 3).integers(0, 1000, 4).tolist() == [964, 670, 872, 111]


@pytest.mark.parametrize("place", [(-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_record_rng_refuses_negative_numbers(place):
    with pytest.raises(ValueError, match=r"numbers of 0 or more. Received: seed="):
        record_rng(*place)


def test_a_video_without_frames_is_refused():
    with pytest.raises(ValueError, match=r"at least one frame on the clip's grid. .*total=0"):
        random_clip(0, ClipSpec(), np.random.default_rng(0))
    with pytest.raises(ValueError, match="total=0"):
        uniform_clips(0, ClipSpec(), 1)


def test_zero_clips_are_refused():
    with pytest.raises(ValueError, match=r"at least one clip. Received: count=0"):
        uniform_clips(300, ClipSpec(), 0)
