import keras
import numpy as np
import pytest
from harness import check_config, crossentropy, dtype_of, to_numpy
from tiny_network import EAGER, TARGETS, compiled, fit, predict, random_clips, randomize, slow

from keras_acl.layers import SCAM
from keras_acl.models.scam_scales import resize_frames


@pytest.mark.parametrize(
    ("scales", "policy"),
    [
        ((1.0,), "float32"),
        pytest.param((1.0, 0.5), "float32", marks=pytest.mark.backends),
        ((1.0, 0.5), "mixed_bfloat16"),
    ],
)
def test_trained_evaluated_and_saved(scales, policy, tmp_path):
    graph = policy == "float32" and len(scales) > 1  # one of them as users train
    model = compiled(randomize(slow(scales=scales, dtype=policy)), 1e-4, eager=not graph)
    before = to_numpy(model.classifier.kernel)
    logs = fit(model, validation_data=(random_clips(), TARGETS))
    assert set(logs) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert not np.array_equal(to_numpy(model.classifier.kernel), before)
    model.run_eagerly = EAGER
    logits = model.predict(random_clips(), verbose=0)
    tolerance = 1e-4 if policy == "float32" else 0.02
    assert logs["val_loss"] == pytest.approx(crossentropy(logits, TARGETS), rel=tolerance)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert loaded.get_config() == model.get_config()
    loaded.compile(run_eagerly=EAGER)
    np.testing.assert_array_equal(loaded.predict(random_clips(), verbose=0), logits)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_one_scale_is_pooling_and_the_dense_layer(policy):
    model = randomize(slow(dtype=policy))
    (F,) = model.features(random_clips())
    (W,) = model.class_weights
    bias = to_numpy(model.classifier.bias)
    expected = to_numpy(F).mean(axis=(1, 2, 3)) @ to_numpy(W) + bias
    np.testing.assert_allclose(predict(model), expected, rtol=1e-4, atol=1e-5)
    # and S^l at that scale, averaged, plus the bias
    S = to_numpy(SCAM()(([F], W)))
    np.testing.assert_allclose(predict(model), S.mean(axis=(1, 2)) + bias, rtol=1e-4, atol=1e-5)


def test_logits_with_scam_are_the_mean_map_plus_the_bias():
    model = randomize(slow(scales=(1.0, 0.5)))
    frames, _ = model.pathways(model.normalize(random_clips()))
    W, bias = to_numpy(model.classifier.kernel), to_numpy(model.classifier.bias)
    maps = [
        (to_numpy(model.spatial_stream(x, training=False)) @ W).mean(axis=1)
        for x in (frames, resize_frames(frames, 0.5))
    ]
    assert [m.shape[1:3] for m in maps] == [(4, 4), (2, 2)]
    # Doubling a map bilinearly keeps its mean.
    expected = sum(m.mean(axis=(1, 2)) for m in maps) / 2 + bias
    np.testing.assert_allclose(predict(model), expected, rtol=1e-4, atol=1e-5)
    plain = randomize(slow())
    assert np.abs(predict(plain) - predict(model)).max() > 1e-3


def test_scales_are_normalised_by_their_own_batch_in_training():
    model, x = randomize(slow(scales=(1.0, 0.5), dropout=0.0)), random_clips(3)
    logits = to_numpy(model(x, training=True))
    frames = model.pathways(model.normalize(x))[0]
    kernel, bias = (to_numpy(w) for w in model.classifier.weights)
    expected = bias
    for scaled in (frames, resize_frames(frames, 0.5)):
        features = to_numpy(model.spatial_stream(scaled, training=True))
        expected = expected + features.mean(axis=(1, 2, 3)) @ kernel / 2
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-3)
    assert np.abs(to_numpy(model(x)) - logits).max() > 0.01


def test_scam_drops_whole_channels_in_training():
    model = slow(scales=(1.0, 0.5), dropout=0.5)
    channels = to_numpy(model.dropout_channels(np.ones((1, 2, 2, 2, 64), "float32"), training=True))
    of_channel = channels.reshape(-1, 64)
    np.testing.assert_array_equal(of_channel, np.broadcast_to(of_channel[0], of_channel.shape))
    assert set(of_channel[0]) == {0.0, 2.0}


def test_only_its_frames_count():
    model = randomize(slow())
    clip = random_clips()
    changed = clip.copy()
    changed[:, 1:7] = 0
    np.testing.assert_array_equal(predict(model, changed), predict(model, clip))
    changed[:, 7] = 0
    assert np.abs(predict(model, changed) - predict(model, clip)).max() > 1e-3


def test_odd_and_varying_sizes():
    for scales in ((1.0,), (1.0, 0.5)):
        model = slow(scales=scales)
        assert (
            predict(model, random_clips(1, height=33, width=47)).shape
            == predict(model, random_clips(1)).shape
            == (1, 3)
        )


def test_config_holds_every_argument():
    model = slow(
        scales=(1.0, 0.5),
        frame_indices="stride",
        mean=[0.4, 0.5, 0.6],
        std=0.25,
        dropout=0.1,
        form="native",
        folded=True,
        clips_per_group=4,
        multi_label=True,
    )
    copy = check_config(model)
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(predict(copy), predict(model))


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.5)])
def test_float32_logits_under_mixed_precision(scales):
    assert dtype_of(slow(scales=scales, dtype="mixed_bfloat16")(random_clips())) == "float32"
