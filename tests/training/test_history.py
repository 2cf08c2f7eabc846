import math

import numpy as np
import pytest
from matplotlib.image import imread

from keras_acl.training import history


def test_of_an_epoch_that_was_run_twice_the_last_line_counts(tmp_path):
    file = tmp_path / "history.csv"
    file.write_text("epoch,loss,val_loss\n0,3.5,NA\n1,9.0,9.0\n1,2.5,\n2,nan,1.5\n")
    columns = history.read_history(file)
    assert columns["epoch"] == [0, 1, 2]
    np.testing.assert_array_equal(columns["loss"], [3.5, 2.5, math.nan])
    np.testing.assert_array_equal(columns["val_loss"], [math.nan, math.nan, 1.5])


def test_a_history_without_epochs_is_empty(tmp_path):
    file = tmp_path / "history.csv"
    file.write_text("epoch,loss\n")
    assert history.read_history(file) == {}


def test_curves_of_every_quantity_are_drawn(tmp_path):
    columns = {"epoch": [0, 1, 2], "loss": [3.0, 2.0, 1.0], "accuracy": [0.1, 0.5, 0.9]}
    history.plot_history(columns, tmp_path / "two.png")
    history.plot_history({**columns, "consistency": [1, 2, 3]}, tmp_path / "three.png")
    two, three = imread(tmp_path / "two.png"), imread(tmp_path / "three.png")
    assert three.shape[0] == two.shape[0] == pytest.approx(352)
    assert three.shape[1] / two.shape[1] == pytest.approx(1.5, abs=0.01)
