import keras
import numpy as np
import pytest
from harness import to_numpy
from tiny_network import predict, randomize, slow, slowfast, two_stream

from keras_acl.layers import PaddedConv3D
from keras_acl.models import resnet_streams
from keras_acl.models.resnet_streams import (
    least_parameters,
    resnet_stream,
    slowfast_streams,
    spatial_kernels,
    temporal_kernels,
    temporal_width,
)
from keras_acl.system.keras_internals import all_layers


def kernels_of(model) -> dict[str, tuple]:
    """Kernel size and filters of every convolution."""
    return {
        layer.name.removesuffix("_conv"): (layer.kernel_size, layer.filters)
        for layer in model.layers
        if hasattr(layer, "kernel_size")
    }


@pytest.mark.parametrize(
    ("depth", "size", "expected"),
    [
        (11, (32, 32), (4, 4, 32)),  # output stride 8
        (11, (33, 47), (5, 6, 32)),
        (14, (33, 65), (2, 3, 64)),  # output stride 32
        (14, (64, 32), (2, 1, 64)),
    ],
)
def test_output_shape(depth, size, expected):
    stream = resnet_stream(2, temporal_kernels(depth), depth, width=2)
    assert stream.output_shape == (None, 2, None, None, expected[-1])
    assert tuple(stream(np.zeros((1, 2, *size, 3), "float32")).shape) == (1, 2, *expected)


def test_small_spatial_stream_layer_by_layer():
    stream = resnet_stream(2, spatial_kernels(11), 11, width=2, name="spatial_stream")
    assert stream.name == "spatial_stream"
    assert kernels_of(stream) == {
        "stem": ((1, 7, 7), 2),
        "res2_0_shortcut": ((1, 1, 1), 8),
        "res2_0_a": ((1, 1, 1), 2),
        "res2_0_b": ((1, 3, 3), 2),
        "res2_0_c": ((1, 1, 1), 8),
        "res3_0_shortcut": ((1, 1, 1), 16),
        "res3_0_a": ((3, 1, 1), 4),
        "res3_0_b": ((1, 3, 3), 4),
        "res3_0_c": ((1, 1, 1), 16),
        "res4_0_shortcut": ((1, 1, 1), 32),
        "res4_0_a": ((3, 1, 1), 8),
        "res4_0_b": ((1, 3, 3), 8),
        "res4_0_c": ((1, 1, 1), 32),
    }


@pytest.mark.parametrize(("depth", "blocks"), [(50, (3, 4, 6, 3)), (101, (3, 4, 23, 3))])
def test_published_depths(depth, blocks):
    stream = resnet_stream(4, spatial_kernels(depth), depth, width=1)
    kernels = kernels_of(stream)
    # Three convolutions a block, a shortcut a stage, the stem: 53 and 104.
    assert len(kernels) == 3 * sum(blocks) + 4 + 1
    for stage, count in enumerate(blocks):
        names = [f"res{stage + 2}_{block}_a" for block in range(count)]
        temporal = 3 if stage >= 2 else 1
        assert [kernels[name] for name in names] == [((temporal, 1, 1), 2**stage)] * count
        assert f"res{stage + 2}_{count}_a" not in kernels
    assert stream.output_shape == (None, 4, None, None, 32)


def test_temporal_kernels_of_the_paper():
    assert spatial_kernels(50) == (1, 1, 1, 3, 3)
    assert temporal_kernels(50) == (5, 3, 3, 3, 3)
    assert spatial_kernels(11) == (1, 1, 3, 3)
    assert temporal_kernels(11) == (5, 3, 3, 3)


def symmetric(stream, axis: int):
    """Random weights, the kernels their own mirror images along an axis."""
    randomize(stream)
    for v in stream.variables:
        if v.name == "kernel":
            v.assign((v + keras.ops.flip(v, axis)) / 2)
    return stream


@pytest.mark.parametrize("axis", [1, 2, 3], ids=["time", "height", "width"])
def test_mirrored_clip_has_mirrored_features(axis):
    # With kernels that are their own mirror images, and odd sizes (33 -> 17 -> 9 -> 5) that leave
    # the strides a middle. Class maps are made of these features pixel by pixel.
    stream = symmetric(resnet_stream(3, temporal_kernels(11), 11, width=2), axis - 1)
    clip = np.random.default_rng(1).normal(size=(1, 3, 33, 33, 3)).astype("float32")
    features, mirrored = (to_numpy(stream(x)) for x in (clip, np.flip(clip, axis).copy()))
    assert features.std() > 0.1
    np.testing.assert_allclose(np.flip(mirrored, axis), features, atol=1e-4 * features.max())
    assert np.abs(mirrored - features).max() > 0.1  # the clip itself is no mirror image


def test_fused_pair_widens_the_slow_pathway():
    pair = slowfast_streams(8, 4, 4, 14, 8, "conv", 5)
    assert pair.output_shape == [(None, 2, None, None, 256), (None, 8, None, None, 64)]
    channels = {
        name: pair.get_layer(f"slow_{name}_0_a_conv").kernel.shape[-2]
        for name in ("res2", "res3", "res4", "res5")
    }
    # What the slow pathway had and twice what the fast one has, a quarter of it.
    assert channels == {"res2": 8 + 4, "res3": 32 + 16, "res4": 64 + 32, "res5": 128 + 64}
    fused = [pair.get_layer(f"fuse{stage}_conv") for stage in (1, 2, 3, 4)]
    assert [layer.filters for layer in fused] == [4, 16, 32, 64]
    assert {(layer.kernel_size, layer.strides) for layer in fused} == {((5, 1, 1), (4, 1, 1))}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resnet_stream(4, (1, 1, 3, 3), 18), r"one of \[11, 14, 50, 101\].*depth=18"),
        (lambda: resnet_stream(4, (1, 3), 11), r"4 temporal kernels .* depth 11.*\(1, 3\)"),
        (lambda: temporal_width(64, 7), "multiple of `channel_ratio`.*width=64, channel_ratio=7"),
        (lambda: temporal_width(8, 16), "whole number of channels.*channel_ratio=16"),
        (lambda: slowfast_streams(30, 8, 8, 11, 8, "conv", 5), "frames=30, speed_ratio=8"),
        (lambda: slowfast_streams(8, 4, 2, 11, 8, "add", 5), "one of .*'sum'.* fusion='add'"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_least_number_of_parameters_is_one():
    assert least_parameters(400, 50, 64) == 2048 * 400 + 9 * 512**2
    for model in (two_stream(), slowfast(), slow()):
        assert least_parameters(3, 11, 8) < sum(weight.size for weight in model.get_weights())


@pytest.mark.parametrize("build", [two_stream, slowfast, slow])
def test_a_network_that_memory_cannot_hold_is_refused_before_it_is_made(build, monkeypatch):
    monkeypatch.setattr(resnet_streams, "available_memory", lambda: 100.0)
    monkeypatch.setattr(keras.layers.Layer, "add_weight", None)  # not reached
    with pytest.raises(ValueError, match=r"more than [\d,]+ MiB of memory; 100 .* width=4096"):
        build(width=4096)


@pytest.mark.backends
@pytest.mark.parametrize("build", [two_stream, slowfast, slow])
def test_a_network_in_2d_computes_the_same(build):
    native, lowered = (build(form=form) for form in ("native", "2d"))
    lowered.set_weights(randomize(native).get_weights())
    forms = {layer.form for layer in all_layers(lowered) if isinstance(layer, PaddedConv3D)}
    assert forms == {"2d"}  # the stems' too
    expected = predict(native)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(predict(lowered), expected, rtol=1e-4, atol=1e-4)
