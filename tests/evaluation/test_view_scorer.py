import dataclasses

import keras
import numpy as np
import pytest
import tiny_network as tiny
from evaluation.plain import pictures, softmax, unsure
from harness import to_numpy
from pretrained.importers.parity import FOLDER, clip, expected

from keras_acl import ClipSpec
from keras_acl.evaluation.view_scorer import ViewScorer, map_side, pool_windows
from keras_acl.models.resnet_streams import resnet_stream, spatial_kernels
from keras_acl.pretrained.importers import import_checkpoint

backends = pytest.mark.backends
NETWORKS = [pytest.param(tiny.two_stream, marks=backends), tiny.slowfast, tiny.slow]


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda network: network.__name__)
def model(request):
    """A network that is sure of nothing, so that every softmax shows a difference."""
    return unsure(request.param())


def test_scores_are_the_softmax_of_the_logits(model):
    scores = ViewScorer(model).predict_on_batch(pictures())[:, 0]
    assert scores.shape == (2, 3)
    np.testing.assert_allclose(scores, softmax(model.predict_on_batch(pictures())), atol=1e-6)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert np.ptp(scores, axis=0).max() > 0.1  # the clips differ


def test_of_a_training_crop_there_is_one_position(model):
    scores = ViewScorer(model, fully_convolutional=True).predict_on_batch(pictures(32))[:, 0]
    expected = softmax(model.predict_on_batch(pictures(32)))
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_softmax_is_averaged_over_positions(model):
    clips = pictures()  # maps of 5 x 5, of 4 x 4 in training
    scores = ViewScorer(model, fully_convolutional=True).predict_on_batch(clips)[:, 0]
    inputs = keras.Input(batch_shape=clips.shape, dtype="uint8")
    features = keras.Model(inputs, list(model.features(inputs)))
    maps = keras.tree.flatten(features.predict_on_batch(clips))
    positions = []
    for top, left in np.ndindex(2, 2):
        windows = [x[:, :, top : top + 4, left : left + 4] for x in maps]
        positions.append(softmax(model.classifier(model.pool(*windows))))
    np.testing.assert_allclose(scores, np.mean(positions, axis=0), atol=1e-6)
    assert np.ptp(positions, axis=0).max() > 0.1


@backends
@pytest.mark.parametrize("network", [tiny.two_stream, tiny.slowfast])
def test_each_stream_alone_comes_from_the_same_pass(network):
    """By the rows of the dense kernel, also at each position: here of a training crop, one."""
    model, clips = unsure(network()), pictures(32)
    features = [to_numpy(x).mean(axis=(1, 2, 3)) for x in model.features(clips)]
    kernel, bias = model.classifier.get_weights()
    parts = np.split(kernel, [features[0].shape[1]])
    alone = [softmax(x @ rows + bias) for x, rows in zip(features, parts, strict=True)]
    for fully_convolutional in (False, True):
        scores = ViewScorer(model, fully_convolutional).predict_on_batch(clips)
        assert scores.shape == (2, 3, 3)
        np.testing.assert_allclose(scores[:, 1], alone[0], atol=1e-5)
        np.testing.assert_allclose(scores[:, 2], alone[1], atol=1e-5)
    assert ViewScorer(tiny.slow()).predict_on_batch(clips).shape == (2, 1, 3)


@pytest.mark.parametrize("fully_convolutional", [False, True])
def test_of_several_labels_a_clip_they_are_the_sigmoid_of_each(fully_convolutional):
    model = unsure(tiny.slow(multi_label=True))
    scores = ViewScorer(model, fully_convolutional).predict_on_batch(pictures(32))[:, 0]
    logits = model.predict_on_batch(pictures(32))
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), atol=1e-6)


@backends
def test_fully_convolutional_scores_are_those_of_pyslowfast():
    model, _ = import_checkpoint(
        FOLDER / "psf_slowfast.pyth", speed_ratio=8, clip=ClipSpec(size=64)
    )
    scores = ViewScorer(model, fully_convolutional=True).predict_on_batch(clip(96))[:, 0]
    np.testing.assert_allclose(scores, expected("psf_slowfast", "probs_96"), rtol=0, atol=1e-6)


def test_the_model_is_left_as_it_was():
    model = tiny.compiled(tiny.two_stream(), eager=True)
    before = model.get_config(), len(model.variables), model.optimizer
    ViewScorer(model).predict_on_batch(tiny.random_clips())
    assert (model.get_config(), len(model.variables), model.optimizer) == before
    assert (
        model.evaluate(tiny.random_clips(), tiny.TARGETS, verbose=0, return_dict=True)["loss"] > 0
    )


def test_scores_are_in_full_precision_whatever_the_streams_are():
    model = tiny.randomize(tiny.slow(dtype="mixed_bfloat16"))
    for whole in (False, True):
        scores = ViewScorer(model, whole).predict_on_batch(tiny.random_clips())[:, 0]
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)


def test_a_slow_network_with_scales_has_no_fully_convolutional_form():
    model = tiny.slow(scales=(1.0, 0.5))
    message = r"no fully convolutional form: leave .* out\. Received: scales=\(1\.0, 0\.5\)"
    with pytest.raises(ValueError, match=message):
        ViewScorer(model, fully_convolutional=True)
    ViewScorer(model)


def test_crops_smaller_than_in_training_are_refused():
    with pytest.raises(ValueError, match=r"large as in training.*Received: 24 pixels, trained"):
        ViewScorer(tiny.slow(), True).predict_on_batch(tiny.random_clips(height=24, width=24))


def test_windows_are_averaged():
    features = np.arange(2 * 3 * 3, dtype="float32").reshape(1, 2, 3, 3, 1)
    pooled = to_numpy(pool_windows(features, 2))
    assert pooled.shape == (1, 2, 2, 1)
    # Over time n, n + 9: n + 4.5; over a window n, n + 1, n + 3, n + 4: + 2.
    np.testing.assert_allclose(pooled.ravel(), np.array([0, 1, 3, 4]) + 6.5)


@pytest.mark.parametrize("depth", [11, 14, 50])
def test_sizes_of_maps_follow_from_one_another(depth):
    stream = resnet_stream(2, spatial_kernels(depth), depth, width=1)

    def real(side: int) -> int:
        return stream(keras.KerasTensor((1, 2, side, side, 3))).shape[2]

    for side, other in [(32, 37), (64, 73), (97, 111), (100, 129), (224, 256), (33, 33)]:
        assert map_side(side, other, real(other)) == real(side)


@pytest.mark.parametrize(("size", "test_size"), [(224, 256), (64, 73), (32, 37), (56, 64)])
def test_positions_of_the_test_size(size, test_size):
    assert dataclasses.replace(ClipSpec(), size=size).test_size == test_size
    assert map_side(size, test_size, -(-test_size // 32)) == -(-size // 32)
