import importlib

import keras
import numpy as np
import pytest
from harness import to_numpy
from tiny_network import (
    LABELS,
    TARGETS,
    compiled,
    random_clips,
    randomize,
    slow,
    slowfast,
    two_stream,
)

from keras_acl import load_model
from keras_acl.attention import attention_maps
from keras_acl.layers import ClipBatchNormalization, PaddedConv3D
from keras_acl.models import optimize

optimizing = importlib.import_module(optimize.__module__)  # a function hides it in its package
BUILDERS = (two_stream, slowfast, slow)
tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow's graphs have constants"
)


def layers_of(model, kind) -> list:
    return [layer for layer in model._flatten_layers() if isinstance(layer, kind)]


@pytest.mark.backends
@pytest.mark.parametrize("build", BUILDERS)
def test_the_outputs_are_those_of_the_model(build):
    model, x = randomize(build()), random_clips()
    before = [to_numpy(weight) for weight in model.weights]
    fast = optimize(model, "float32")
    expected = to_numpy(model(x, training=False))
    np.testing.assert_allclose(to_numpy(fast(x)), expected, rtol=1e-5, atol=1e-4)
    assert np.ptp(expected) > 1  # outputs that differ
    assert not layers_of(fast, ClipBatchNormalization)
    assert layers_of(model, ClipBatchNormalization)
    for weight, kept in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), kept)


def test_a_convolution_is_folded_as_computed_by_hand():
    model = randomize(slow())
    fast = optimize(model, "float32")
    stem, norm = (
        model.spatial_stream.get_layer(name).get_weights() for name in ("stem_conv", "stem_bn")
    )
    gamma, beta, mean, variance = norm
    kernel, bias = fast.spatial_stream.get_layer("stem_conv").get_weights()
    np.testing.assert_allclose(kernel, stem[0] * gamma / np.sqrt(variance + 1e-5), rtol=1e-6)
    np.testing.assert_allclose(bias, beta - mean * gamma / np.sqrt(variance + 1e-5), atol=1e-6)


@pytest.mark.parametrize("fusion", ["conv", "conv_linear", "sum", "max", "concat", "none"])
def test_every_lateral_fusion(fusion):
    model, x = randomize(slowfast(fusion=fusion)), random_clips(1)
    np.testing.assert_allclose(
        to_numpy(optimize(model, "float32")(x)), to_numpy(model(x)), rtol=1e-5, atol=1e-4
    )


def test_all_convolutions_but_linear_ones_have_a_bias():
    fast = optimize(randomize(slowfast(fusion="conv_linear")), "float32")
    without = [layer.name for layer in layers_of(fast, PaddedConv3D) if not layer.use_bias]
    assert without
    assert all(name.startswith("fuse") for name in without)


@pytest.mark.parametrize(
    "precision", [pytest.param("bfloat16", marks=pytest.mark.backends), "float16"]
)
def test_low_precision_is_near_and_small(precision):
    model, x = randomize(two_stream()), random_clips()
    fast = optimize(model, precision)
    kinds = {
        keras.backend.standardize_dtype(layer.kernel.dtype)
        for layer in layers_of(fast, PaddedConv3D)
    }
    assert kinds == {precision}
    assert keras.backend.standardize_dtype(fast.classifier.kernel.dtype) == "float32"
    logits, expected = to_numpy(fast(x)), to_numpy(model(x))
    assert 0 < np.abs(logits - expected).max() < 0.03 * np.ptp(expected)


@pytest.mark.parametrize(("has", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_the_device_chooses_the_precision(monkeypatch, has, expected):
    monkeypatch.setattr(optimizing, "fast_bfloat16", lambda: has)
    assert optimize(slow()).compute_dtype == expected


def test_none_keeps_the_precision():
    assert optimize(slow(dtype="mixed_bfloat16"), None).compute_dtype == "bfloat16"
    assert optimize(slow(), None).compute_dtype == "float32"


@pytest.mark.backends
def test_it_is_saved_and_loaded_as_any_model(tmp_path):
    fast, x = optimize(randomize(two_stream()), "float32"), random_clips()
    fast.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(loaded(x)), to_numpy(fast(x)))
    assert loaded.folded
    assert loaded.labels == LABELS


def test_it_looks_where_the_model_looks():
    model, x = randomize(two_stream()), random_clips()
    maps, fast = attention_maps(model, x), attention_maps(optimize(model, "float32"), x)
    np.testing.assert_allclose(fast.spatial, maps.spatial, atol=1e-4)
    np.testing.assert_allclose(fast.temporal, maps.temporal, atol=1e-4)


def test_what_only_training_needs_is_gone():
    fast = optimize(two_stream(), "float32")
    assert fast.initial_consistency_weight is None
    assert not hasattr(fast, "consistency_weight")
    for train in (compiled(fast).fit, fast.train_on_batch):
        with pytest.raises(ValueError, match=r"cannot be trained: .* Train the original"):
            train(random_clips(), TARGETS)


@pytest.fixture
def plain_cpu(monkeypatch):
    monkeypatch.setattr(optimizing, "has_accelerator", lambda: False)


@tensorflow
@pytest.mark.parametrize(
    ("build", "form"), [(two_stream, "native"), (slowfast, "2d"), (slow, "2d")]
)
def test_constant_weights_change_nothing(build, form, plain_cpu):
    model, x = randomize(build(form=form)), random_clips()
    plain = optimize(model, "float32")
    fast = optimize(model, "float32", constant_weights=True)
    expected = plain.predict(x, verbose=0)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(fast.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(to_numpy(fast(x)), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.backends
def test_constant_weights_are_tensorflows_alone(plain_cpu):
    fast = optimize(slow(), "float32", constant_weights=True)
    constant = {layer.constant_kernel for layer in layers_of(fast, PaddedConv3D)}
    assert constant == {keras.backend.backend() == "tensorflow"}


@tensorflow
def test_constant_weights_in_low_precision(plain_cpu):
    model, x = randomize(slow()), random_clips()
    plain = optimize(model, "bfloat16")
    fast = optimize(model, "bfloat16", constant_weights=True)
    expected = plain.predict(x, verbose=0)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(fast.predict(x, verbose=0), expected, rtol=1e-2, atol=1e-2)


@tensorflow
def test_constant_weights_are_constants_of_the_graph(monkeypatch, plain_cpu):
    import tensorflow as tf

    def kernels(model) -> set[str]:
        graph = tf.function(lambda x: model(x)).get_concrete_function(random_clips(1)).graph
        return {op.inputs[1].op.type for op in graph.get_operations() if op.type == "Conv3D"}

    model = randomize(two_stream())
    assert kernels(optimize(model, "float32")) == {"ReadVariableOp"}
    assert kernels(optimize(model, "float32", constant_weights=True)) == {"Const"}
    monkeypatch.setattr(optimizing, "has_accelerator", lambda: True)
    assert kernels(optimize(model, "float32", constant_weights=True)) == {"ReadVariableOp"}


@tensorflow
def test_constant_weights_stay_as_they_are(tmp_path, plain_cpu):
    model, x = randomize(slow()), random_clips(1)
    fast = optimize(model, "float32", constant_weights=True)
    expected = fast.predict(x, verbose=0)
    zeros = [0 * weight for weight in fast.get_weights()]
    other = optimize(slow(), "float32")
    other.save_weights(tmp_path / "other.weights.h5")
    for change, given in (
        (fast.set_weights, zeros),
        (fast.load_weights, tmp_path / "other.weights.h5"),
    ):
        with pytest.raises(ValueError, match="Change the original and optimise it again"):
            change(given)
    np.testing.assert_array_equal(fast.predict(x, verbose=0), expected)
    fast.save(tmp_path / "fast.keras")
    loaded = load_model(tmp_path / "fast.keras")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-5)
    loaded.set_weights(loaded.get_weights())  # an ordinary optimised model again


def test_twice_is_once():
    fast, x = optimize(randomize(two_stream()), "float32"), random_clips()
    np.testing.assert_array_equal(to_numpy(optimize(fast, "float32")(x)), to_numpy(fast(x)))


def test_the_card_stays():
    model = slow()
    model.card = "card"
    assert optimize(model).card == "card"


@pytest.mark.parametrize("given", [keras.Sequential(), "model.keras"])
def test_other_things_are_refused(given):
    with pytest.raises(ValueError, match=r"Expected a classifier of keras-acl.*load_model"):
        optimize(given)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match=r"one of \('auto', .*Received: precision='int8'"):
        optimize(slow(), "int8")
