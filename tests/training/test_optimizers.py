import math

import keras
import numpy as np
import pytest
from harness import to_numpy

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


class TorchSGD:
    """torch.optim.SGD of one weight, line by line from its documentation."""

    def __init__(self, weight, momentum, nesterov, decay):
        self.weight, self.momentum, self.nesterov, self.decay = weight, momentum, nesterov, decay
        self.buffer = np.zeros_like(weight)

    def step(self, gradient, rate):
        gradient = gradient + self.decay * self.weight
        self.buffer = self.momentum * self.buffer + gradient
        step = gradient + self.momentum * self.buffer if self.nesterov else self.buffer
        self.weight = self.weight - rate * step


@pytest.mark.parametrize("nesterov", [True, False])
def test_is_torchs_sgd_while_the_rate_changes(nesterov):
    schedule = WarmupCosine(0.5, total_steps=20, warmup_steps=6, warmup_start=0.01)
    start = np.array([2.0, -1.0], "float32")
    variable = keras.Variable(start, name="kernel")
    ours = CoupledSGD(schedule, nesterov=nesterov, coupled_weight_decay=0.1)
    theirs = TorchSGD(start.astype("float64"), 0.9, nesterov, 0.1)
    rng = np.random.default_rng(0)
    for step in range(20):
        gradient = rng.normal(size=2).astype("float32")
        ours.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        theirs.step(gradient.astype("float64"), rate(schedule, step))
        np.testing.assert_allclose(to_numpy(variable), theirs.weight, rtol=1e-4, atol=1e-5)


def test_the_rule_of_the_test_is_torchs():
    torch = pytest.importorskip("torch")
    start = np.array([2.0, -1.0])
    weight = torch.tensor(start, requires_grad=True)
    torchs = torch.optim.SGD([weight], 0.1, momentum=0.9, nesterov=True, weight_decay=0.1)
    rule, rng = TorchSGD(start, 0.9, True, 0.1), np.random.default_rng(0)
    for step in range(12):
        gradient, rate = rng.normal(size=2), 0.1 * (step + 1 if step < 5 else 1 / step)
        weight.grad = torch.tensor(gradient)
        torchs.param_groups[0]["lr"] = rate
        torchs.step()
        rule.step(gradient, rate)
    np.testing.assert_allclose(weight.detach().numpy(), rule.weight, rtol=1e-10)


def test_an_extended_training_has_the_schedule_once_more():
    first, more = WarmupCosine(0.3, 50, 20, 0.02), WarmupCosine(0.3, 50, 20, 0.02, first_step=80)
    for step in (0, 10, 35, 50):
        assert float(more(80 + step)) == pytest.approx(float(first(step)))


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
        now = to_numpy(variable)
        # First Nesterov step: v = g, w ← w − lr·(g + 0.9·v) with g = λ·w.
        factor = 1 - 1.9 * 0.1 * DECAY if is_decayed(variable) else 1.0
        np.testing.assert_allclose(now, factor * before[variable.path], rtol=1e-5)


def test_two_nesterov_steps_by_hand():
    variable = keras.Variable(np.array([2.0, -1.0], "float32"), name="kernel")
    optimizer = CoupledSGD(0.5, momentum=0.8, coupled_weight_decay=0.1)
    # 1: g + λw = [1.2, 0.4] = v; 2: g + λw = [−0.158, 1.864], v = [0.802, 2.184]
    steps = [([1.0, 0.5], [0.92, -1.36]), ([-0.25, 2.0], [0.6782, -3.1656])]
    for gradient, expected in steps:
        optimizer.apply([keras.ops.convert_to_tensor(np.array(gradient, "float32"))], [variable])
        np.testing.assert_allclose(to_numpy(variable), expected, rtol=1e-6)


def test_momenta_that_held_the_rate_are_rid_of_it():
    schedule = WarmupCosine(0.5, total_steps=20, warmup_steps=6, warmup_start=0.01)
    variable = keras.Variable(np.array([2.0, -1.0], "float32"), name="kernel")
    gradient = np.array([1.0, -3.0], "float32")
    before = keras.optimizers.SGD(schedule, momentum=0.9)  # as 0.1.0 kept them
    for _ in range(12):
        before.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    saved: dict = {}
    before.save_own_variables(saved)
    now = CoupledSGD(schedule)
    now.build([variable])
    now.load_own_variables(saved)
    expected = gradient * (1 - 0.9**12) / (1 - 0.9)  # the gradients, weighted by momentum
    np.testing.assert_allclose(to_numpy(now.momentums[0]), expected, rtol=1e-4)
    again: dict = {}
    now.save_own_variables(again)
    now.load_own_variables(again)
    np.testing.assert_allclose(to_numpy(now.momentums[0]), expected, rtol=1e-4)


def test_a_state_of_other_variables_is_left_alone():
    optimizer = CoupledSGD()
    optimizer.build([keras.Variable(np.ones(2, "float32"), name="kernel")])
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        optimizer.load_own_variables({"0": np.array(4)})
    assert int(optimizer.iterations) == 0


def test_some_variables_learn_at_a_rate_of_their_own():
    models = [
        toy_model(CoupledSGD(0.1, rate_factors=f)) for f in (None, {"dense_[^/]*/kernel": 0.1})
    ]
    x, y = np.linspace(0, 1, 30).reshape(6, 5), np.linspace(1, -1, 12).reshape(6, 2)
    moved = []
    for model in models:
        before = [to_numpy(v).copy() for v in model.trainable_variables]
        model.train_on_batch(x, y)
        after = model.trainable_variables
        moved.append([to_numpy(v) - b for v, b in zip(after, before, strict=True)])
    names = [v.path for v in models[1].trainable_variables]
    for name, one, other in zip(names, *moved, strict=True):
        factor = 0.1 if "kernel" in name else 1.0
        np.testing.assert_allclose(other, factor * one, rtol=1e-3, atol=1e-6)


def test_the_first_pattern_that_is_found_counts():
    optimizer = CoupledSGD(rate_factors={"classifier/": 1.0, "": 0.1})
    names = ("classifier/kernel", "stem/kernel")
    variables = []
    for name in names:
        with keras.name_scope(name.split("/")[0]):
            variables.append(keras.Variable(np.ones(1, "float32"), name="kernel"))
    ones = [keras.ops.ones(1) for _ in variables]
    optimizer.coupled_weight_decay = 0.0
    optimizer.apply(ones, variables)
    steps = [1 - float(to_numpy(v)[0]) for v in variables]
    np.testing.assert_allclose(steps, [0.19, 0.019], rtol=1e-3)


def test_a_negative_factor_is_refused():
    with pytest.raises(ValueError, match=r"rate_factors=\{'x': -1\}"):
        CoupledSGD(rate_factors={"x": -1})


def test_replicas_of_tensorflow_do_not_accumulate(monkeypatch):
    monkeypatch.setattr("keras_acl.training.optimizers.replicas", lambda: 2)
    CoupledSGD()
    if keras.backend.backend() != "tensorflow":
        CoupledSGD(gradient_accumulation_steps=4)
        return
    with pytest.raises(ValueError, match="gradient_accumulation_steps=4 on 2 of them"):
        CoupledSGD(gradient_accumulation_steps=4)


@pytest.mark.parametrize("options", [{"clipnorm": 0.1}, {"global_clipnorm": 0.1}])
def test_gradients_are_clipped_before_they_decay(options):
    variable = keras.Variable(np.array([3.0, 0.0], "float32"), name="kernel")
    optimizer = CoupledSGD(
        1.0,
        momentum=0.0,
        nesterov=False,
        coupled_weight_decay=0.5,
        rate_factors={"": 0.5},
        **options,
    )
    optimizer.apply([keras.ops.convert_to_tensor(np.array([0.0, 8.0], "float32"))], [variable])
    np.testing.assert_allclose(to_numpy(variable), [3 - 0.5 * 1.5, -0.5 * 0.1], rtol=1e-5)


def test_averaged_weights_follow_the_weights():
    model = toy_model(CoupledSGD(0.1, use_ema=True, ema_momentum=0.75))
    x, y = np.linspace(0, 1, 30).reshape(6, 5), np.linspace(1, -1, 12).reshape(6, 2)
    averages = None
    for _ in range(3):
        model.train_on_batch(x, y)
        now = [to_numpy(v).copy() for v in model.trainable_variables]
        averages = (
            now
            if averages is None
            else [0.75 * old + 0.25 * new for old, new in zip(averages, now, strict=True)]
        )
    model.optimizer.finalize_variable_values(model.trainable_variables)
    for variable, expected in zip(model.trainable_variables, averages, strict=True):
        np.testing.assert_allclose(to_numpy(variable), expected, rtol=1e-5)


def test_optimizer_config_round_trip():
    optimizer = CoupledSGD(
        0.3,
        momentum=0.7,
        nesterov=False,
        coupled_weight_decay=0.02,
        rate_factors={"stem": 0.5},
        clipnorm=1,
    )
    copy = CoupledSGD.from_config(optimizer.get_config())
    assert copy.get_config() == optimizer.get_config()
    assert (copy.coupled_weight_decay, copy.momentum, copy.nesterov) == (0.02, 0.7, False)
    assert (copy.clipnorm, copy.rate_factors) == (1, {"stem": 0.5})


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
    schedule = WarmupCosine(0.3, 50, 20, 0.02, 4)
    copy = WarmupCosine.from_config(schedule.get_config())
    assert copy.get_config() == {
        "peak": 0.3,
        "total_steps": 50,
        "warmup_steps": 20,
        "warmup_start": 0.02,
        "first_step": 4,
    }
    assert rate(copy, 7) == rate(schedule, 7)


@pytest.mark.parametrize(("total", "warmup"), [(0, 0), (10, 11), (10, -1)])
def test_schedule_rejects_impossible_lengths(total, warmup):
    with pytest.raises(ValueError, match=f"total_steps={total}, warmup_steps={warmup}"):
        WarmupCosine(0.1, total, warmup)
