import numpy as np
import pytest

from keras_acl.attention import energy_inside, pointing_game

MAPS = np.array([[[0.0, 1.0], [3.0, 0.0]], [[2.0, 2.0], [0.0, 4.0]]])
MASKS = np.array([[[False, False], [True, False]], [[True, True], [False, False]]])


def test_pointing_game_asks_where_the_strongest_place_is():
    assert pointing_game(MAPS, MASKS).tolist() == [True, False]


def test_energy_inside_is_the_share_in_the_mask():
    np.testing.assert_allclose(energy_inside(MAPS, MASKS), [3 / 4, 4 / 8])


def test_energy_of_an_even_map_is_the_area_and_of_an_empty_one_zero():
    maps = np.stack([np.ones((2, 2)), np.zeros((2, 2))])
    np.testing.assert_allclose(energy_inside(maps, MASKS), [0.25, 0.0])


@pytest.mark.parametrize("measure", [pointing_game, energy_inside])
def test_masks_of_another_shape_are_refused(measure):
    with pytest.raises(ValueError, match=r"same shape as each map.*\(2, 2, 2\).*\(1, 2, 2\)"):
        measure(MAPS, MASKS[:1])
