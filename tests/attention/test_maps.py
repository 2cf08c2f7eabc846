import gc
import re
import weakref

import keras
import numpy as np
import pytest
from tiny_network import CLIP, NETWORK, random_clips, two_stream

import keras_acl.attention.stream_maps as module
from keras_acl.attention import attention_maps
from keras_acl.models import SlowClassifier, SlowFastClassifier


@pytest.fixture(scope="module")
def clips():
    return random_clips(2)


def resized(maps: np.ndarray) -> np.ndarray:
    """(N, h, w) -> (N, 32, 32) by Keras."""
    large = keras.ops.image.resize(
        maps[..., None].astype("float32"), (32, 32), data_format="channels_last"
    )
    return keras.ops.convert_to_numpy(large)[..., 0]


def stretched(maps: np.ndarray) -> np.ndarray:
    return (maps - maps.min()) / (maps.max() - maps.min())


@pytest.mark.backends
def test_maps_are_dense_weights_times_features(model, clips):
    found = attention_maps(model, clips)
    F_s, F_t = (keras.ops.convert_to_numpy(x) for x in model.features(clips))
    W_s, W_t = (keras.ops.convert_to_numpy(w) for w in model.class_weights)
    for index, chosen in enumerate(found.classes):
        S = np.einsum("thwc,c->hw", F_s[index], W_s[:, chosen]) / len(F_s[index])
        T = np.einsum("thwc,c->thw", F_t[index], W_t[:, chosen])
        np.testing.assert_allclose(found.spatial[index], stretched(resized(S[None])[0]), atol=1e-3)
        np.testing.assert_allclose(found.temporal[index], stretched(resized(T)), atol=1e-3)


@pytest.mark.backends
def test_shapes_ranges_and_scores(model, clips):
    found = attention_maps(model, clips)
    assert found.spatial.shape == (2, 32, 32)
    assert found.temporal.shape == (2, 8, 32, 32)
    for maps in (found.spatial, found.temporal):
        np.testing.assert_allclose(maps.reshape(2, -1).min(axis=1), 0, atol=1e-6)
        np.testing.assert_allclose(maps.reshape(2, -1).max(axis=1), 1, atol=1e-6)
    logits = keras.ops.convert_to_numpy(model(clips, training=False))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-4)
    np.testing.assert_array_equal(found.classes, logits.argmax(axis=1))


def test_asked_classes_have_their_own_maps(model, clips):
    first, second = (attention_maps(model, clips, [label, label]) for label in (0, 1))
    assert first.classes.tolist() == [0, 0]
    assert np.abs(first.spatial - second.spatial).max() > 0.05


def test_a_clip_alone_has_the_maps_it_has_in_a_batch(model, clips):
    both = attention_maps(model, clips, [0, 1])
    alone = attention_maps(model, clips[1:], [1])
    np.testing.assert_allclose(alone.temporal[0], both.temporal[1], atol=1e-4)


@pytest.mark.backends
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (SlowFastClassifier, {"channel_ratio": 2}),
        (SlowClassifier, {}),
        (SlowClassifier, {"scales": (1.0, 0.5)}),
        (SlowClassifier, {"multi_label": True}),
    ],
)
def test_baselines_have_maps_and_their_own_scores(kind, options, clips):
    keras.utils.set_random_seed(1)
    shared = {key: value for key, value in NETWORK.items() if key != "channel_ratio"}
    baseline = kind(3, clip=CLIP, **shared, **options)
    found = attention_maps(baseline, clips, batch_size=2)
    assert found.spatial.shape == (2, 32, 32)
    assert (found.temporal is None) == (kind is SlowClassifier)
    scores = keras.ops.sigmoid if baseline.multi_label else keras.ops.softmax
    expected = keras.ops.convert_to_numpy(scores(baseline(clips, training=False)))
    np.testing.assert_allclose(found.scores, expected, atol=1e-5)


@pytest.mark.backends
def test_what_is_compiled_is_kept_follows_the_weights_and_goes_with_the_model(clips):
    model = two_stream(seed=3)
    layers = len(model.layers)
    before = attention_maps(model, clips[:1])
    compiled = module._compiled[model]
    other = (int(before.classes[0]) + 1) % 3
    model.classifier.bias.assign(5.0 * np.eye(3)[other])
    after = attention_maps(model, clips[:1], [1])
    assert module._compiled[model] is compiled
    assert after.scores.argmax() == other
    assert len(model.layers) == layers  # nothing was put into the model

    other_size = module.compiled_for(model, (32, 24))
    assert other_size is not compiled
    assert module._compiled[model] is other_size
    assert other_size.size == (32, 24)
    gone = weakref.ref(model)
    del model, compiled, other_size
    keras.utils.clear_session(free_memory=True)
    gc.collect()
    assert gone() is None


def test_each_stream_runs_once(model, clips, monkeypatch):
    calls = []
    kind = type(model.temporal_stream)
    original = kind.call

    def counted(self, *arguments, **options):
        calls.append(self.name)
        return original(self, *arguments, **options)

    monkeypatch.setattr(kind, "call", counted)
    compiled = module.StreamMaps(model, (32, 32))
    compiled(clips)
    assert sorted(name for name in calls if "_stream" in name) == [
        "spatial_stream",
        "temporal_stream",
    ]


def test_maps_of_another_size_have_their_peak_in_the_same_place(model, clips):
    small, large = attention_maps(model, clips), attention_maps(model, clips, size=(64, 96))
    assert large.temporal.shape == (2, 8, 64, 96)
    for one, other in zip(small.spatial, large.spatial, strict=True):
        place = np.array(np.unravel_index(other.argmax(), (64, 96))) / (2, 3)
        assert one[tuple(place.astype(int))] > 0.9


@pytest.mark.parametrize("classes", [[0], [0, 3], [-1, 0]])
def test_classes_that_do_not_fit_are_refused(model, clips, classes):
    with pytest.raises(ValueError, match=re.escape(f"classes={classes}")):
        attention_maps(model, clips, classes)


def test_one_clip_without_a_batch_gets_a_hint(model, clips):
    with pytest.raises(ValueError, match="batch of one"):
        attention_maps(model, clips[0])


@pytest.mark.parametrize(("count", "batch_size"), [(0, 4), (2, 0)])
def test_nothing_to_compute_is_refused(model, clips, count, batch_size):
    with pytest.raises(ValueError, match=f"{count} clips, batch_size={batch_size}"):
        attention_maps(model, clips[:count], batch_size=batch_size)
