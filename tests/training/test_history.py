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


def test_no_history_is_none_and_has_no_picture(tmp_path):
    assert history.read_history(tmp_path / "history.csv") == {}
    history.plot_history({}, tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())


def test_a_damaged_history_is_read_as_far_as_it_goes(tmp_path):
    file = tmp_path / "history.csv"
    text = b"epoch,loss\n0,3.5\nepoch,loss\n1,2.5\n2,\xff\xfe\0\n3,1.5,7\n4,1.0\n5"
    file.write_bytes(text)
    columns = history.read_history(file)
    assert columns == {"epoch": [0, 1, 4], "loss": [3.5, 2.5, 1.0]}


def test_a_resumed_run_adds_to_the_history_of_an_older_version(tmp_path):
    file = tmp_path / "history.csv"
    file.write_text("epoch,loss\n0,3.5\n1,2")
    callback = history.HistoryFile(file)
    callback.on_epoch_end(1, {"loss": 2.5, "crossentropy": np.float32(2.25)})
    callback.on_epoch_end(2, {"loss": math.nan, "crossentropy": 2.0})
    assert file.read_text().splitlines() == [
        "epoch,crossentropy,loss", "0,,3.5", "1,2.25,2.5", "2,2.0,nan"
    ]  # fmt: skip
    columns = history.read_history(file)
    np.testing.assert_array_equal(columns["crossentropy"], [math.nan, 2.25, 2.0])
    np.testing.assert_array_equal(columns["loss"], [3.5, 2.5, math.nan])


def test_losses_of_one_kind_are_drawn():
    columns = {"epoch": [0], "loss": [2.0], "val_loss": [1.0], "crossentropy": [1.5]}
    assert history.drawn(columns) == ["crossentropy"]
    del columns["crossentropy"]
    assert history.drawn(columns) == ["loss"]


def test_streams_stand_beside_both_on_the_same_axis():
    columns = {"epoch": [0], "temporal_accuracy": [0.2], "spatial_accuracy": [0.1]}
    columns = {**columns, "accuracy": [0.3], "val_spatial_accuracy": [0.1], "loss": [2.0]}
    drawn = ["loss", "accuracy", "spatial_accuracy", "temporal_accuracy"]
    assert history.drawn(columns) == drawn
    assert {history.highest(columns, name) for name in drawn[1:]} == {1.03}


def test_an_axis_ends_above_its_values():
    columns = {"epoch": [0, 1], "consistency": [0.04, math.nan], "val_consistency": [0.05, 0.03]}
    assert history.highest(columns, "consistency") == pytest.approx(0.055)
    assert history.highest({"consistency": [math.nan]}, "consistency") is None
    assert history.highest(columns, "accuracy") == 1.03


def test_curves_of_every_quantity_are_drawn(tmp_path):
    columns = {"epoch": [0, 1, 2], "loss": [3.0, 2.0, 1.0], "accuracy": [0.1, 0.5, 0.9]}
    history.plot_history(columns, tmp_path / "two.png")
    history.plot_history({**columns, "consistency": [1, 2, 3]}, tmp_path / "three.png")
    two, three = imread(tmp_path / "two.png"), imread(tmp_path / "three.png")
    assert three.shape[0] == two.shape[0] == pytest.approx(352)
    assert three.shape[1] / two.shape[1] == pytest.approx(1.5, abs=0.01)


def test_mean_average_precision_is_drawn_as_a_share():
    columns = {"epoch": [0], "crossentropy": [0.6], "mean_average_precision": [0.3]}
    assert history.drawn(columns) == ["crossentropy", "mean_average_precision"]
    assert history.highest(columns, "mean_average_precision") == 1.03
