import math

import keras
import numpy as np
import pytest

from keras_acl.training.optimizers import CoupledSGD, WarmupCosine, is_decayed

pytestmark = pytest.mark.backends

DECAY = 0.05  # large, so that a step without it cannot pass


def toy_model(optimizer, decay: float = 0.0) -> keras.Model:
    """Dense, batch normalisation with scale and offset, dense; the same weights every time."""
    keras.utils.set_random_seed(3)
    l2 = keras.regularizers.L2(decay / 2) if decay else None
    dense = {"kernel_regularizer": l2, "bias_regularizer": l2, "bias_initializer": "normal"}
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(4, **dense),
            keras.layers.BatchNormalization(beta_initializer="ones"),
            keras.layers.Dense(2, **dense),
        ]
    )
    model.compile(optimizer, "mse", jit_compile=False)
    return model


def test_equals_keras_sgd_with_l2_on_kernels_and_biases():
    ours = toy_model(CoupledSGD(0.1, coupled_weight_decay=DECAY))
    theirs = toy_model(keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), DECAY)
    start = [np.copy(value) for value in ours.get_weights()]
    rng = np.random.default_rng(0)
    for _ in range(4):
        x, y = rng.normal(size=(6, 5)), rng.normal(size=(6, 2))
        ours.train_on_batch(x, y)
        theirs.train_on_batch(x, y)
        for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)
    for before, after in zip(start, ours.get_weights(), strict=True):
        assert np.abs(after - before).max() > 1e-3


def test_scale_and_offset_of_batch_normalisation_do_not_decay():
    model = toy_model(CoupledSGD(0.1, coupled_weight_decay=DECAY))
    decayed = {v.path.split("/", 1)[1]: is_decayed(v) for v in model.trainable_variables}
    assert [key.split("/")[1] for key, value in decayed.items() if not value] == ["gamma", "beta"]
    assert len(decayed) == 6
    # With a loss that is zero everywhere, decay alone moves weights.
    before = {v.path: keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables}
    model.train_on_batch(np.ones((3, 5)), np.ones((3, 2)), sample_weight=np.zeros(3))
    for variable in model.trainable_variables:
        now = keras.ops.convert_to_numpy(variable)
        # First Nesterov step: v = −lr·g, w ← w + 0.9·v − lr·g with g = λ·w.
        factor = 1 - 1.9 * 0.1 * DECAY if is_decayed(variable) else 1.0
        np.testing.assert_allclose(now, factor * before[variable.path], rtol=1e-5)


def test_two_nesterov_steps_by_hand():
    variable = keras.Variable(np.array([2.0, -1.0], "float32"), name="kernel")
    optimizer = CoupledSGD(0.5, momentum=0.8, coupled_weight_decay=0.1)
    # 1: g + λw = [1.2, 0.4], v = [−0.6, −0.2]; 2: g + λw = [−0.158, 1.864], v = [−0.401, −1.092]
    steps = [([1.0, 0.5], [0.92, -1.36]), ([-0.25, 2.0], [0.6782, -3.1656])]
    for gradient, expected in steps:
        optimizer.apply([keras.ops.convert_to_tensor(np.array(gradient, "float32"))], [variable])
        np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), expected, rtol=1e-6)


def test_optimizer_config_round_trip():
    optimizer = CoupledSGD(0.3, momentum=0.7, nesterov=False, coupled_weight_decay=0.02, clipnorm=1)
    copy = CoupledSGD.from_config(optimizer.get_config())
    assert copy.get_config() == optimizer.get_config()
    assert (copy.coupled_weight_decay, copy.momentum, copy.nesterov) == (0.02, 0.7, False)
    assert copy.clipnorm == 1


def test_a_saved_model_goes_on_as_if_it_had_not_been_saved(tmp_path):
    schedule = WarmupCosine(0.2, total_steps=10, warmup_steps=4, warmup_start=0.05)
    model = toy_model(CoupledSGD(schedule, coupled_weight_decay=DECAY))
    x, y = np.linspace(0, 1, 30).reshape(6, 5), np.linspace(1, -1, 12).reshape(6, 2)
    model.train_on_batch(x, y)
    model.save(tmp_path / "toy.keras")
    loaded = keras.saving.load_model(tmp_path / "toy.keras")
    assert isinstance(loaded.optimizer, CoupledSGD)
    assert loaded.optimizer.coupled_weight_decay == DECAY
    for each in (model, loaded):
        each.train_on_batch(x, y)
    for mine, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


# Reference values of PySlowFast's SLOWFAST_4x16_R50, for 64 clips per batch.
CHECKS = {1: 0.012434, 10: 0.034340, 34: 0.092757, 50: 0.084784, 98: 0.05, 150: 0.012986}


def rate(schedule, step) -> float:
    return float(keras.ops.convert_to_numpy(schedule(step)))


@pytest.mark.parametrize("steps", [1, 7, 3750])
@pytest.mark.parametrize("epoch", CHECKS)
def test_schedule_has_the_published_values(epoch, steps):
    schedule = WarmupCosine(0.1, 196 * steps, 34 * steps, 0.01)
    assert rate(schedule, epoch * steps) == pytest.approx(CHECKS[epoch], abs=5e-7)


def test_schedule_begins_and_ends_where_it_should():
    schedule = WarmupCosine(0.1, 1960, 340, 0.01)
    assert rate(schedule, 0) == pytest.approx(0.01)
    assert rate(schedule, 1960) == pytest.approx(0.0, abs=1e-8)
    assert rate(schedule, 5000) == pytest.approx(0.0, abs=1e-8)
    # No jump where the warm-up hands over.
    assert rate(schedule, 340) - rate(schedule, 339) == pytest.approx(0.0827572 / 340, abs=1e-5)


def test_schedule_without_warm_up_is_half_a_cosine():
    schedule = WarmupCosine(0.4, 8)
    expected = [0.2 * (1 + math.cos(math.pi * step / 8)) for step in range(9)]
    np.testing.assert_allclose([rate(schedule, step) for step in range(9)], expected, atol=1e-7)


def test_schedule_config_round_trip():
    schedule = WarmupCosine(0.3, 50, 20, 0.02)
    copy = WarmupCosine.from_config(schedule.get_config())
    assert copy.get_config() == {
        "peak": 0.3,
        "total_steps": 50,
        "warmup_steps": 20,
        "warmup_start": 0.02,
    }
    assert rate(copy, 7) == rate(schedule, 7)


@pytest.mark.parametrize(("total", "warmup"), [(0, 0), (10, 11), (10, -1)])
def test_schedule_rejects_impossible_lengths(total, warmup):
    with pytest.raises(ValueError, match=f"total_steps={total}, warmup_steps={warmup}"):
        WarmupCosine(0.1, total, warmup)
