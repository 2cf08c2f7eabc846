import keras
import numpy as np
import pytest

from keras_acl.attention import (
    AttentionMaps,
    energy_inside,
    mask_iou,
    measure,
    pointing_game,
    stream_correlation,
    stream_distance,
)
from keras_acl.attention.maps import stretch

MAPS = np.array([[[0.0, 1.0], [3.0, 0.0]], [[2.0, 2.0], [0.0, 4.0]]])
MASKS = np.array([[[False, False], [True, False]], [[True, True], [False, False]]])


def point(row: int, column: int, side: int = 5) -> np.ndarray:
    """One map, (1, side, side), all of whose attention is in one place."""
    maps = np.zeros((1, side, side))
    maps[0, row, column] = 3.0
    return maps


def test_pointing_game_asks_where_the_strongest_place_is():
    assert pointing_game(MAPS, MASKS).tolist() == [True, False]


def test_places_that_are_equally_strong_share_the_point():
    maps = np.array([[[2.0, 2.0], [0.0, 2.0]], [[1.0, 1.0], [1.0, 1.0]]])
    np.testing.assert_allclose(pointing_game(maps, MASKS), [0, 1 / 2])
    assert pointing_game(maps, ~MASKS).tolist() == [1, 1 / 2]


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_mirrored_clip_points_to_the_same(axis):
    # The border of an upsampled map is flat: its strongest places are many.
    rng = np.random.default_rng(0)
    coarse = rng.uniform(size=(16, 2, 3, 3)).astype("float32").reshape(-1, 3, 3, 1)
    maps = keras.ops.image.resize(coarse, (24, 24), "bilinear", data_format="channels_last")
    maps = stretch(keras.ops.convert_to_numpy(maps).reshape(16, 2, 24, 24))
    masks = np.zeros(maps.shape, bool)
    masks[:, :, :7, 2:9] = True  # crosses plateaus
    found = pointing_game(maps, masks)
    flipped = pointing_game(np.flip(maps, axis), np.flip(masks, axis))
    np.testing.assert_allclose(flipped, found)
    assert 0 < found.mean() < 1


def test_energy_inside_is_the_share_in_the_mask():
    np.testing.assert_allclose(energy_inside(MAPS, MASKS), [3 / 4, 4 / 8])


def test_energy_of_an_even_map_is_the_area_and_of_an_empty_one_zero():
    maps = np.stack([np.ones((2, 2)), np.zeros((2, 2))])
    np.testing.assert_allclose(energy_inside(maps, MASKS), [0.25, 0.0])


def test_iou_is_of_the_part_above_a_share_of_the_maximum():
    # strong: [[0, 0], [1, 0]] of the first map, [[1, 1], [0, 1]] of the second
    np.testing.assert_allclose(mask_iou(MAPS, MASKS), [1, 2 / 3])
    # 0.3 of 3 lets the 1 in
    np.testing.assert_allclose(mask_iou(MAPS, MASKS, 0.3), [1 / 2, 2 / 3])
    np.testing.assert_allclose(mask_iou(MAPS, MASKS, 1.0), [1, 0])


def test_iou_of_nothing_is_zero():
    assert mask_iou(np.zeros((1, 2, 2)), np.ones((1, 2, 2), bool)).tolist() == [0]
    assert mask_iou(np.ones((1, 2, 2)), np.zeros((1, 2, 2), bool)).tolist() == [0]


@pytest.mark.parametrize("threshold", [0, 1.2])
def test_iou_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ValueError, match="0 < threshold <= 1"):
        mask_iou(MAPS, MASKS, threshold)


@pytest.mark.parametrize("measured", [pointing_game, energy_inside, mask_iou])
def test_masks_of_another_shape_are_refused(measured):
    with pytest.raises(ValueError, match=r"same shape as each map.*\(2, 2, 2\).*\(1, 2, 2\)"):
        measured(MAPS, MASKS[:1])


def test_correlation_is_pearsons():
    other = np.array([[[1.0, 3.0], [2.0, 2.0]], [[-4.0, -4.0], [0.0, -8.0]]])
    # first: deviations (-1, 0, 2, -1) and (-1, 1, 0, 0); second: -2 times the other
    np.testing.assert_allclose(stream_correlation(MAPS, other), [1 / np.sqrt(6 * 2), -1])
    assert stream_correlation(MAPS, np.ones((2, 2, 2))).tolist() == [0, 0]


def test_correlation_takes_the_mean_over_time():
    first, second = np.zeros((2, 2, 2)), 2 * MAPS
    np.testing.assert_allclose(stream_correlation(MAPS, np.stack([first, second], axis=1)), [1, 1])


def test_distance_is_how_far_attention_moved():
    # one column of four steps, three rows of four
    np.testing.assert_allclose(stream_distance(point(0, 1), point(3, 2)), [1 / 4 + 3 / 4])
    np.testing.assert_allclose(stream_distance(point(0, 0), point(4, 4)), [2])
    np.testing.assert_allclose(stream_distance(point(2, 2), 7 * point(2, 2)), [0])
    # half the mass moves four columns of four
    halves = point(0, 0) + point(0, 4)
    np.testing.assert_allclose(stream_distance(halves, point(0, 4)), [0.5])


def test_distance_of_an_empty_map_is_that_of_an_even_one():
    even, empty = np.ones((1, 5, 5)), np.zeros((1, 5, 5))
    np.testing.assert_allclose(stream_distance(even, empty), [0], atol=1e-12)
    np.testing.assert_allclose(
        stream_distance(point(0, 0), empty), stream_distance(point(0, 0), even)
    )


@pytest.mark.parametrize("measured", [stream_correlation, stream_distance])
def test_streams_of_other_clips_are_refused(measured):
    with pytest.raises(ValueError, match="two streams of the same clips"):
        measured(MAPS, MAPS[:1])


def maps_of(spatial: np.ndarray, temporal: np.ndarray | None) -> AttentionMaps:
    return AttentionMaps(spatial, temporal, np.zeros(1, int), np.ones((1, 1)))


def test_measure_compares_like_with_like_and_frame_by_frame():
    # the actor goes from the left column to the right one; the temporal stream is a frame late
    masks = np.zeros((1, 2, 2, 2), bool)
    masks[0, 0, 0, 0] = masks[0, 1, 0, 1] = True
    temporal = np.zeros((1, 2, 2, 2))
    temporal[0, 1, 0, 0] = 1.0
    found = measure(maps_of(MAPS[:1], temporal), masks)
    assert found["chance"].tolist() == [0.5]
    assert found["spatial_pointing"].tolist() == [0]
    assert found["spatial_energy"].tolist() == [0.25]
    assert found["spatial_iou"].tolist() == [0]
    assert [found[f"temporal_{name}"][0] for name in ("pointing", "energy", "iou")] == [1, 1, 0.5]
    assert [found[f"frames_{name}"][0] for name in ("pointing", "energy", "iou")] == [0, 0, 0]
    # deviations (-1, 0, 2, -1) and (3, -1, -1, -1) / 8
    np.testing.assert_allclose(found["correlation"], [-4 / np.sqrt(6 * 12)])
    # 3/4 of the mass in the left column, all in it; 1/4 in the upper row, all in it
    np.testing.assert_allclose(found["distance"], [1 / 4 + 3 / 4])


def test_measure_without_a_temporal_stream():
    found = measure(maps_of(MAPS[:1], None), MASKS[:1, None])
    assert sorted(found) == ["chance", "spatial_energy", "spatial_iou", "spatial_pointing"]
    assert found["spatial_pointing"].tolist() == [1]


def test_measure_wants_a_mask_a_frame():
    with pytest.raises(ValueError, match="mask for every frame"):
        measure(maps_of(MAPS[:1], None), MASKS[:1])
