import json

import keras
import numpy as np
import pytest
from harness import check_config, dtype_of, to_numpy
from tiny_network import CLIP, LABELS, predict, random_clips, randomize, two_stream

from keras_acl.layers import AttentionConsistency
from keras_acl.models import TwoStreamClassifier

backends = pytest.mark.backends  # the others are the same on every backend, or slow on JAX


@pytest.fixture(scope="module")
def model() -> TwoStreamClassifier:
    """A network in which every weight matters, at inference: no test may train it."""
    return randomize(two_stream())


@backends
def test_streams_of_the_paper(model):
    assert model.spatial_stream.output_shape == (None, 2, None, None, 128)
    assert model.temporal_stream.output_shape == (None, 8, None, None, 64)
    stems = [s.get_layer("stem_conv") for s in (model.spatial_stream, model.temporal_stream)]
    assert [(stem.kernel_size, stem.filters) for stem in stems] == [((1, 7, 7), 8), ((5, 7, 7), 4)]
    spatial, temporal = model.class_weights
    assert [tuple(W.shape) for W in (spatial, temporal)] == [(128, 3), (64, 3)]
    np.testing.assert_array_equal(
        np.concatenate([to_numpy(spatial), to_numpy(temporal)]), to_numpy(model.classifier.kernel)
    )


@backends
def test_logits_are_the_means_of_the_class_maps(model):
    maps = [
        np.einsum("bthwc,cl->bthwl", to_numpy(F), to_numpy(W))
        for F, W in zip(model.features(random_clips()), model.class_weights, strict=True)
    ]
    expected = sum(m.mean(axis=(1, 2, 3)) for m in maps) + to_numpy(model.classifier.bias)
    assert expected.std() > 0.01
    np.testing.assert_allclose(predict(model), expected, rtol=1e-4, atol=1e-5)


@backends
def test_training_adds_the_disagreement(model):
    weights = model.get_weights()
    outputs = model(random_clips(), training=True)
    model.set_weights(weights)
    assert set(outputs) == {"logits", "disagreement"}
    disagreement = to_numpy(outputs["disagreement"])
    assert disagreement.shape == (2, 3)
    # Two 4x4 maps in [0, 1] are at most a norm of 4 apart, over sixteen pixels.
    assert np.all((disagreement > 0) & (disagreement <= 0.25))
    assert dtype_of(model(random_clips(), training=False)) == "float32"


def test_a_clip_alone_and_in_a_batch(model):
    together = predict(model)
    alone = np.concatenate([predict(model, clip[None]) for clip in random_clips()])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5)


@backends
def test_clips_of_a_batch_are_independent(model):
    batch = random_clips()
    changed = batch.copy()
    changed[1] = 255 - changed[1]
    before, after = predict(model, batch), predict(model, changed)
    np.testing.assert_array_equal(after[0], before[0])
    assert np.abs(after[1] - before[1]).max() > 1e-3


@backends
def test_uint8_and_float_pixels(model):
    np.testing.assert_array_equal(predict(model, random_clips().astype("float32")), predict(model))


@backends
def test_spatial_stream_sees_its_frames_only(model):
    clip = random_clips(1)
    changed = clip.copy()
    changed[:, 1:7] = 255 - changed[:, 1:7]  # of eight frames the spatial stream sees 0 and 7
    before, after = model.features(clip), model.features(changed)
    np.testing.assert_array_equal(to_numpy(after[0]), to_numpy(before[0]))
    assert np.abs(to_numpy(after[1]) - to_numpy(before[1])).max() > 0.1


@backends
def test_streams_are_independent(model):
    spatial, temporal = (to_numpy(F) for F in model.features(random_clips()))
    weights = model.spatial_stream.get_weights(), model.temporal_stream.get_weights()
    try:
        randomize(model.spatial_stream, seed=1)
        changed = [to_numpy(F) for F in model.features(random_clips())]
        np.testing.assert_array_equal(changed[1], temporal)
        assert np.abs(changed[0] - spatial).max() > 0.1
        model.spatial_stream.set_weights(weights[0])
        randomize(model.temporal_stream, seed=1)
        changed = [to_numpy(F) for F in model.features(random_clips())]
        np.testing.assert_array_equal(changed[0], spatial)
        assert np.abs(changed[1] - temporal).max() > 0.1
    finally:
        model.spatial_stream.set_weights(weights[0])
        model.temporal_stream.set_weights(weights[1])


@backends
def test_the_term_changes_nothing_at_inference(model):
    plain = two_stream(consistency_weight=None, scales=(1.0,))
    for part in ("spatial_stream", "temporal_stream", "classifier"):
        getattr(plain, part).set_weights(getattr(model, part).get_weights())
    np.testing.assert_array_equal(predict(plain), predict(model))
    assert tuple(plain(random_clips(), training=True).shape) == (
        2,
        3,
    )  # plain logits in training too
    assert not hasattr(plain, "consistency_weight")


def test_config_holds_every_argument():
    model = two_stream(
        clip=CLIP,
        channel_ratio=4,
        scales=(1.0, 0.5, 0.25),
        consistency_weight=0.5,
        consistency=AttentionConsistency("mean", "l2", "all", "temporal", seed=3),
        frame_indices="stride",
        mean=[0.4, 0.5, 0.6],
        std=0.25,
        dropout=0.1,
        form="native",
        folded=True,
        clips_per_group=4,
        multi_label=True,
        stream_supervision=0.25,
        name="mine",
    )
    copy = check_config(model)
    assert copy.name == "mine"
    assert (copy.clip, copy.labels, copy.scales) == (CLIP, LABELS, (1.0, 0.5, 0.25))
    assert copy.consistency.get_config() == model.consistency.get_config()
    assert float(to_numpy(copy.consistency_weight)) == 0.5
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(predict(copy), predict(model))


def test_config_of_a_network_without_term():
    config = json.loads(json.dumps(two_stream(consistency_weight=None).get_config()))
    assert config["consistency_weight"] is None
    assert not hasattr(TwoStreamClassifier.from_config(config), "consistency_weight")


def test_ratios_that_do_not_fit():
    with pytest.raises(ValueError, match="width=8, channel_ratio=3"):
        two_stream(channel_ratio=3)
    with pytest.raises(ValueError, match="frames=8, speed_ratio=3"):
        two_stream(speed_ratio=3)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others know every size")
def test_sizes_that_vary_in_training():
    import tensorflow as tf

    def trace(model):
        unknown = tf.TensorSpec((None, 8, None, None, 3), "uint8")
        return tf.function(lambda x: model(x, training=True)).get_concrete_function(unknown)

    traced = trace(two_stream(scales=(1.0,)))
    for size in ((32, 32), (33, 47)):
        outputs = traced(tf.constant(random_clips(2, 0, *size)))
        assert outputs["disagreement"].shape == (2, 3)
        assert np.isfinite(to_numpy(outputs["disagreement"])).all()
    with pytest.raises(ValueError, match=r"known when the graph is built.*scales=\(1.0,\)"):
        trace(two_stream())


@backends
def test_float32_head_under_mixed_precision():
    model = two_stream(dtype="mixed_bfloat16")
    clip = keras.Input(batch_shape=random_clips().shape)  # types alone, nothing is computed
    assert [dtype_of(F) for F in model.features(clip)] == ["bfloat16", "bfloat16"]
    outputs = model(clip, training=True)
    assert {name: dtype_of(x) for name, x in outputs.items()} == {
        "logits": "float32",
        "disagreement": "float32",
    }
    assert dtype_of(model.consistency_weight) == "float32"
    assert keras.config.dtype_policy().name == "float32"
