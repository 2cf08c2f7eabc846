"""ECO, the full network: two streams that begin as one."""

import keras
import numpy as np
import pytest
from harness import check_config, to_numpy
from models.zoo import SEGMENTS, clips_for
from tiny_network import LABELS, TARGETS, at_once, compiled, predict, randomize

from keras_acl import export, load_model, load_pretrained, optimize, save_pretrained
from keras_acl.attention import attention_maps
from keras_acl.models import ECOClassifier


def make(**options):
    keras.utils.set_random_seed(0)
    return ECOClassifier(3, **{"clip": SEGMENTS, "labels": LABELS, "width": 8, **options})


@pytest.fixture(scope="module")
def eco():
    return randomize(make())


@pytest.mark.backends
def test_logits_are_those_of_both_streams(eco):
    x = clips_for(eco)
    of_both = at_once(
        eco, lambda clips: (eco.features(clips), eco.stream_logits(clips), eco(clips))
    )
    (frames, over_time), logits, found = of_both(x)
    assert tuple(frames.shape) == (2, 8, 1, 1, 128)
    assert tuple(over_time.shape) == (2, 2, 1, 1, 64)
    logits = {name: to_numpy(value) for name, value in logits.items()}
    bias = to_numpy(eco.classifier.bias)
    both = logits["spatial_logits"] + logits["temporal_logits"] - bias
    np.testing.assert_allclose(logits["logits"], both, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(to_numpy(found), both, rtol=1e-4, atol=1e-4)
    assert np.ptp(logits["spatial_logits"], axis=0).min() > 1e-3
    assert np.ptp(logits["temporal_logits"], axis=0).min() > 1e-3


@pytest.mark.backends
def test_a_step_of_both_streams_lowers_the_loss():
    model = compiled(make(dropout=0.0, stream_supervision=0.5), 0.02, eager=True)
    x = clips_for(model)
    history = model.fit(x, TARGETS, epochs=3, batch_size=2, shuffle=False, verbose=0).history
    assert history["loss"][-1] < 0.99 * history["loss"][0]
    assert "temporal_accuracy" in history


def test_the_same_logits_after_every_way_of_saving(eco, tmp_path):
    x = clips_for(eco, 1)
    expected = predict(eco, x)
    eco.save(tmp_path / "model.keras")
    save_pretrained(eco, tmp_path / "folder")
    for loaded in (load_model(tmp_path / "model.keras"), load_pretrained(tmp_path / "folder")):
        np.testing.assert_array_equal(predict(loaded, x), expected)
    np.testing.assert_allclose(predict(optimize(eco, "float32"), x), expected, rtol=1e-4, atol=1e-3)


def test_both_streams_have_maps(eco):
    maps = attention_maps(eco, clips_for(eco, 1, 64), size=(64, 64))
    assert maps.spatial.shape == (1, 64, 64)
    assert maps.temporal.shape == (1, 8, 64, 64)  # of every frame, from two
    np.testing.assert_array_equal(maps.temporal[:, :4], maps.temporal[:, :1].repeat(4, axis=1))
    assert not np.array_equal(maps.temporal[:, 3], maps.temporal[:, 4])
    assert np.ptp(maps.temporal) == pytest.approx(1)


def test_the_config_makes_it_again():
    options = {"mean": [0.4, 0.5, 0.6], "std": 0.3, "dropout": 0.1, "form": "native"}
    flags = {"multi_label": True, "folded": True, "clips_per_group": 4}
    check_config(make(stream_supervision=0.5, **options, **flags))


@pytest.mark.slow
def test_exported_it_says_the_same(eco, tmp_path):
    x = clips_for(eco)
    exported = load_model(export(eco, tmp_path / "model.onnx", maps="all").path)
    assert exported.scored_streams == ("spatial", "temporal")
    np.testing.assert_allclose(exported.predict(x), predict(eco, x), rtol=1e-3, atol=1e-3)
