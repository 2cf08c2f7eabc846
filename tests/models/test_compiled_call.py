import keras
import numpy as np
import pytest
from harness import to_numpy
from keras import ops
from tiny_network import slow, slowfast, two_stream

from keras_acl.models.compiled_call import CompiledCall, predict_padded
from keras_acl.system.keras_internals import all_layers


@pytest.mark.backends
def test_a_call_is_what_its_function_says_and_follows_the_layers_weights():
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    call = CompiledCall(lambda x: {"sum": ops.sum(dense(x), axis=-1), "input": x}, [dense])
    x = np.arange(6, dtype="float32").reshape(2, 3)
    for kernel in (np.ones((3, 2)), np.eye(3, 2)):
        dense.kernel.assign(kernel)
        outputs = call.predict_on_batch(x)
        np.testing.assert_allclose(to_numpy(outputs["sum"]), (x @ kernel).sum(axis=-1))
        np.testing.assert_array_equal(to_numpy(outputs["input"]), x)


@pytest.mark.parametrize("network", [two_stream, slowfast, slow])
def test_everything_is_built_before_the_first_call(network):
    """Keras on JAX runs what is not, operation by operation, before each batch."""
    call = CompiledCall(lambda x: x, [network()])
    assert [layer.name for layer in all_layers(call) if not layer.built] == []


def test_inputs_are_not_rounded_whatever_the_policy_is():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        call = CompiledCall(lambda x: x + 0, [])
    finally:
        keras.config.set_dtype_policy(before)
    assert to_numpy(call.predict_on_batch(np.float32([[1.0001]]))) == np.float32(1.0001)


@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_every_part_has_one_size_and_nothing_of_the_padding_is_returned(count):
    shapes = []

    class Doubles:
        def predict_on_batch(self, x):
            shapes.append(x.shape)
            return [2 * x, x[:, 0]]

    x = np.arange(2 * count).reshape(count, 2)
    twice, first = predict_padded(Doubles(), x, 3)
    np.testing.assert_array_equal(twice, 2 * x)
    np.testing.assert_array_equal(first, x[:, 0])
    assert shapes == [(3, 2)] * (-(-count // 3))
