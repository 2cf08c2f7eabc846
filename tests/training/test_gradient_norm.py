import logging

import keras
import numpy as np
import pytest
from harness import to_numpy
from keras import ops

from keras_acl.training.gradient_norm import GradientNorm, gradient_norm
from keras_acl.training.optimizers import CoupledSGD

pytestmark = pytest.mark.backends


def linear(optimizer) -> keras.Model:
    """y = w x, whose gradient for x = 1, y = 0 is 2 w."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer, "mse")
    model.layers[0].kernel.assign([[3.0]])
    return model


def test_one_step_by_hand():
    model = linear(CoupledSGD(0.5, momentum=0.9, coupled_weight_decay=0.1))
    history = model.fit(np.ones((1, 1)), np.zeros((1, 1)), callbacks=[GradientNorm()], verbose=0)
    # v = 2 · 3 + 0.1 · 3, of which a tenth
    assert history.history["gradient_norm"] == [pytest.approx(0.63, rel=1e-5)]


def test_an_explosion_is_said_once(caplog):
    # Each step multiplies w by 1 - 2 · 30.
    model = linear(CoupledSGD(30.0, coupled_weight_decay=0.0, nesterov=False, momentum=0.01))
    with caplog.at_level(logging.WARNING, "keras_acl"):
        model.fit(
            np.ones((1, 1)), np.zeros((1, 1)), epochs=4, callbacks=[GradientNorm()], verbose=0
        )
    (record,) = caplog.records
    assert "explodes" in record.getMessage()
    assert "after epoch 3" in record.getMessage()


def test_an_optimizer_that_gathers_no_gradients_has_none():
    assert gradient_norm(None) is None
    assert gradient_norm(keras.optimizers.SGD(0.1, momentum=0.9)) is None
    without = CoupledSGD(0.1, momentum=0.0)
    without.build([keras.Variable(np.ones(2, "float32"))])
    assert gradient_norm(without) is None


def test_all_weights_count():
    optimizer = CoupledSGD(0.1, momentum=0.5, coupled_weight_decay=0.0)
    weights = [keras.Variable(np.zeros(2, "float32")), keras.Variable(np.zeros(1, "float32"))]
    optimizer.build(weights)
    optimizer.apply([ops.convert_to_tensor([2.0, 3.0]), ops.convert_to_tensor([6.0])])
    assert gradient_norm(optimizer) == pytest.approx(0.5 * 7)
    assert np.all(to_numpy(weights[1]) < 0)
