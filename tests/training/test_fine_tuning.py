import keras
import numpy as np
import pytest
from tiny_network import slow, slowfast, two_stream

from keras_acl import recipes
from keras_acl.training.fine_tuning import balanced_weights, freeze_streams
from keras_acl.video.video import Video

HEAD = 2  # kernel and bias


def trainable(model) -> tuple[int, int, int]:
    """How many variables of the streams and of the head are trained."""
    streams = model.spatial_stream, model.temporal_stream
    return (*(len(each.trainable_variables) for each in streams), len(model.trainable_variables))


def test_what_is_frozen_and_what_is_not():
    model = two_stream()
    spatial, temporal, everything = trainable(model)
    assert everything == spatial + temporal + HEAD
    for what, expected in {
        "streams": (0, 0, HEAD),
        "spatial": (0, temporal, temporal + HEAD),
        "temporal": (spatial, 0, spatial + HEAD),
        "none": (spatial, temporal, everything),
    }.items():
        freeze_streams(model, what)
        assert trainable(model) == expected, what


def test_none_leaves_what_was_frozen_by_hand():
    model = two_stream()
    model.spatial_stream.trainable = False
    before = trainable(model)
    freeze_streams(model, None)
    assert trainable(model) == before
    assert before[0] == 0


@pytest.mark.backends
def test_what_is_frozen_stays_so_in_a_file(tmp_path):
    model = two_stream()
    recipes.finetune(freeze="spatial").compile(model)
    before = trainable(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert trainable(loaded) == before
    assert before[0] == 0
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)


@pytest.mark.parametrize("make", [slow, slowfast])
def test_networks_of_one_graph_freeze_it_whole(make):
    model = make()
    freeze_streams(model, "streams")
    assert len(model.trainable_variables) == HEAD


def test_a_stream_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="SlowClassifier has no temporal stream"):
        freeze_streams(slow(), "temporal")


class Data:
    """Videos of some labels."""

    def __init__(self, labels):
        self.videos = [Video(f"{i}.mp4", label=label) for i, label in enumerate(labels)]


def test_weights_make_all_classes_count_the_same():
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2])
    weights = np.array(balanced_weights(Data(labels.tolist()), 3))
    np.testing.assert_allclose(weights, [9 / 18, 9 / 6, 9 / 3])
    np.testing.assert_allclose(np.bincount(labels, weights[labels]), [3, 3, 3])


def test_a_class_without_videos_does_not_count():
    assert balanced_weights(Data([0, 0, 2, 2]), 3) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("data", [None, Data([None, None])])
def test_labels_are_wanted(data):
    with pytest.raises(ValueError, match=f"labels of a VideoDataset.*{type(data).__name__}"):
        balanced_weights(data, 3)
