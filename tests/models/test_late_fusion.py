"""Late fusion: a network of colours and one of flow."""

import dataclasses

import keras
import numpy as np
import pytest
from harness import check_config, to_numpy
from models.zoo import LONG, SEGMENTS, SHORT, clips_for
from tiny_network import LABELS, TARGETS, compiled, predict, randomize

from keras_acl import export, load_model, load_pretrained, optimize, recipes, save_pretrained
from keras_acl.attention import attention_maps
from keras_acl.clip import ClipSpec
from keras_acl.evaluation.view_scorer import ViewScorer
from keras_acl.models import (
    I3DClassifier,
    LateFusionClassifier,
    R3DClassifier,
    TSNClassifier,
    X3DClassifier,
    late_fusion,
    video_classifier,
)
from keras_acl.models.late_fusion import NETWORKS, parts_of
from keras_acl.profiling import count_multiply_adds, count_parameters
from keras_acl.training.fine_tuning import freeze_streams

BOTH = dataclasses.replace(SEGMENTS, modality="rgb+flow", stack=2)
TSN = {"network": "TSNClassifier", "network_options": {"backbone": "bn_inception", "width": 8}}


def make(**options):
    keras.utils.set_random_seed(0)
    return LateFusionClassifier(3, **{"clip": BOTH, "labels": LABELS, **TSN, **options})


@pytest.fixture(scope="module")
def fused():
    return randomize(make(fusion_weights=(1.0, 1.5)))


@pytest.mark.backends
def test_logits_are_the_weighted_sum_of_two_networks(fused):
    x = clips_for(fused)
    rgb, flow = fused.spatial_stream, fused.temporal_stream
    assert (rgb.clip.frames, flow.clip.frames) == (4, 8)
    alone = to_numpy(rgb(x[:, ::2, ..., :3])), to_numpy(flow(x[..., 3:]))
    logits = predict(fused, x)
    np.testing.assert_allclose(logits, alone[0] + 1.5 * alone[1], rtol=1e-4, atol=1e-3)
    named = {name: to_numpy(value) for name, value in fused.stream_logits(x).items()}
    np.testing.assert_allclose(named["logits"], logits, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(named["spatial_logits"], alone[0], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(named["temporal_logits"], alone[1], rtol=1e-4, atol=1e-3)
    assert min(np.ptp(each, axis=0).min() for each in alone) > 1e-3


@pytest.mark.backends
def test_a_stack_is_channels_of_one_frame():
    clip = dataclasses.replace(SEGMENTS, modality="flow", stack=2)
    model = TSNClassifier(3, clip=clip, backbone="bn_inception", width=8)
    assert model.stream.input_shape == (None, 4, None, None, 4)
    x = clips_for(model, 1)
    found = to_numpy(model.prepare(x))
    expected = (np.concatenate([x[:, ::2], x[:, 1::2]], axis=-1) - 128.0) / (255 * model.std)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.backends
def test_a_step_of_both_lowers_the_loss():
    model = compiled(make(dropout=0.0, stream_supervision=0.5), 0.02, eager=True)
    x = clips_for(model)
    history = model.fit(x, TARGETS, epochs=3, batch_size=2, shuffle=False, verbose=0).history
    assert history["loss"][-1] < 0.99 * history["loss"][0]
    assert {"spatial_accuracy", "temporal_accuracy"} <= set(history)


def test_the_same_logits_after_every_way_of_saving(fused, tmp_path):
    x = clips_for(fused, 1)
    expected = to_numpy(fused(x))
    fused.save(tmp_path / "model.keras")
    save_pretrained(fused, tmp_path / "folder")
    for loaded in (load_model(tmp_path / "model.keras"), load_pretrained(tmp_path / "folder")):
        assert type(loaded) is LateFusionClassifier
        np.testing.assert_array_equal(to_numpy(loaded(x)), expected)
    other = load_pretrained(tmp_path / "folder", num_classes=5)
    assert to_numpy(other(x)).shape == (1, 5)


@pytest.mark.backends
def test_optimized_it_says_the_same(fused):
    x = clips_for(fused, 1)
    fast = optimize(fused, "float32")
    np.testing.assert_allclose(predict(fast, x), predict(fused, x), rtol=1e-4, atol=1e-3)
    assert fast.count_params() < fused.count_params()
    assert fast.temporal_stream.folded


@pytest.mark.slow
def test_exported_it_says_the_same(fused, tmp_path):
    x = clips_for(fused)
    exported = load_model(export(fused, tmp_path / "model.onnx", maps="all").path)
    np.testing.assert_allclose(exported.predict(x), predict(fused, x), rtol=1e-3, atol=1e-3)
    assert exported.scored_streams == ("spatial", "temporal")
    with pytest.raises(ValueError, match=r"takes RGB\+flow clips of shape"):
        exported.predict(x[..., :3])


def test_both_networks_have_maps_and_scores(fused):
    x = clips_for(fused, 1, 64)
    maps = attention_maps(fused, x)
    assert (maps.spatial.shape, maps.temporal.shape) == ((1, 64, 64), (1, 8, 64, 64))
    for convolutional in (False, True):
        scores = to_numpy(ViewScorer(fused, convolutional)(x))
        assert scores.shape == (1, 3, 3)
        np.testing.assert_allclose(scores.sum(axis=-1), 1, rtol=1e-5)


def test_the_config_makes_it_again():
    colours = {"mean": [0.1, 0.2, 0.3, 0.4, 0.5], "std": [0.3, 0.3, 0.3, 0.2, 0.2]}
    flags = {"multi_label": True, "folded": True, "clips_per_group": 4, "dropout": 0.1}
    model = make(
        **colours, **flags, form="native", fusion_weights=(0.5, 2.0), stream_supervision=0.3
    )
    check_config(model)
    assert (model.spatial_stream.mean, model.temporal_stream.mean) == ([0.1, 0.2, 0.3], [0.4, 0.5])
    assert model.temporal_stream.multi_label
    copy = make().copy_with(clip=dataclasses.replace(BOTH, frames=50, span=50))
    assert (copy.spatial_stream.clip.frames, copy.temporal_stream.clip.frames) == (25, 50)


def test_two_networks_are_set_side_by_side():
    clip = dataclasses.replace(LONG, modality="rgb+flow")
    rgb, flow = (
        randomize(I3DClassifier(3, clip=part, width=8, labels=labels), seed)
        for seed, (part, labels) in enumerate(zip(parts_of(clip), (LABELS, None), strict=True))
    )
    model = late_fusion([rgb, flow], (2.0, 1.0))
    assert (model.clip, model.labels, model.network) == (clip, LABELS, "I3DClassifier")
    x = clips_for(model, 1)
    expected = 2 * to_numpy(rgb(x[..., :3])) + to_numpy(flow(x[..., 3:]))
    np.testing.assert_allclose(to_numpy(model(x)), expected, rtol=1e-4, atol=1e-3)
    assert count_parameters(model) == count_parameters(rgb) + count_parameters(flow)
    parts = count_multiply_adds(rgb, 32) + count_multiply_adds(flow, 32)
    assert count_multiply_adds(model, 32) == parts


@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_network_of_one_stream_reads_flow(name):
    options = {"TSNClassifier": {"depth": 14}, "T3DClassifier": {"depth": 13, "growth": 4}}
    small = {"I3DClassifier": {"width": 8}, "C3DClassifier": {"width": 4, "hidden": 8}, **options}
    clip = LONG if name in ("I3DClassifier", "S3DClassifier", "C3DClassifier") else SHORT
    clip = dataclasses.replace(clip, modality="flow")
    model = NETWORKS[name](3, clip=clip, **small.get(name, {}))
    assert model.stream.input_shape[-1] == 2
    assert model.input_shape == (None, clip.frames, None, None, 2)
    assert np.size(model.mean) == np.size(model.std) == 1


def test_rematerialized_both_networks_train_the_same(fused, monkeypatch):
    used = []
    honest = video_classifier.rematerialized

    def watched(*arguments):
        used.append(arguments[0])
        return honest(*arguments)

    monkeypatch.setattr(video_classifier, "rematerialized", watched)
    model = make(dropout=0.0)
    model.set_weights(fused.get_weights())
    x = clips_for(model)
    plain = to_numpy(model(x, training=True))
    assert not used
    model.rematerialize = True
    np.testing.assert_allclose(to_numpy(model(x, training=True)), plain, rtol=1e-3, atol=1e-3)
    assert used == [model.spatial_stream.stream, model.temporal_stream.stream]


def test_freezing_a_network(fused):
    model = make()
    freeze_streams(model, "spatial")
    assert not model.spatial_stream.trainable_variables
    assert model.temporal_stream.trainable_variables
    with pytest.raises(ValueError, match="each network has a dense layer of its own"):
        freeze_streams(model, "streams")
    recipes.finetune(epochs=1).compile(make())


def test_what_does_not_fit_is_refused():
    rgb = R3DClassifier(3, clip=SHORT, depth=10, width=8)
    flow_clip = dataclasses.replace(SHORT, modality="flow")
    flow = R3DClassifier(3, clip=flow_clip, depth=10, width=8)
    late_fusion([rgb, flow])
    for pair in ([flow, rgb], [rgb, rgb]):
        with pytest.raises(ValueError, match="first colours, then flow"):
            late_fusion(pair)
    for other in (
        R3DClassifier(3, clip=flow_clip, depth=10, width=16),
        R3DClassifier(4, clip=flow_clip, depth=10, width=8),
        R3DClassifier(3, clip=flow_clip, depth=10, width=8, multi_label=True),
        R3DClassifier(3, clip=dataclasses.replace(flow_clip, fps=25.0), depth=10, width=8),
        TSNClassifier(3, clip=flow_clip, depth=14, width=8),
    ):
        with pytest.raises(ValueError, match="of one class and with the same arguments"):
            late_fusion([rgb, other])
    with pytest.raises(ValueError, match="Expected two networks of one stream"):
        late_fusion([rgb])
    named = [
        R3DClassifier(3, clip=one.clip, depth=10, width=8, labels=labels)
        for one, labels in ((rgb, list("abc")), (flow, list("acb")))
    ]
    with pytest.raises(ValueError, match="of the same classes in the same order"):
        late_fusion(named)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="Received: network='X3DClassifier'"):
        make(network="X3DClassifier")
    with pytest.raises(ValueError, match="Expected two weights"):
        make(fusion_weights=(1.0,))
    with pytest.raises(ValueError, match="Expected `fusion_weights` to be 0 or more"):
        make(fusion_weights=(1.0, -1.0))
    with pytest.raises(ValueError, match=r"takes clips of rgb\+flow\."):
        make(clip=SEGMENTS)
    with pytest.raises(ValueError, match="to be a value, or 5, one for each channel"):
        make(mean=[0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="rgb or flow without stacks of frames"):
        X3DClassifier(3, clip=dataclasses.replace(SEGMENTS, stack=2))
    with pytest.raises(ValueError, match=r"takes flow clips of shape \(batch, 8, height, width, 2"):
        R3DClassifier(
            3, clip=ClipSpec(frames=8, span=8, modality="flow"), depth=10, width=8
        ).check_clip(np.zeros((1, 8, 32, 32, 3)))
