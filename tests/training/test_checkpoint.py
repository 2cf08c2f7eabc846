import contextlib
import csv
import math

import keras
import numpy as np
import pytest
from tiny_network import CLIP, random_clips, two_stream, write_figures

from keras_acl.data import LoadingOptions, VideoDataset, read_directory
from keras_acl.training.checkpoint import (
    ResumableCheckpoint,
    latest_state,
    saved_states,
)
from keras_acl.training.consistency_loss import ConsistencyLoss, weight_at_epoch
from keras_acl.training.optimizers import CoupledSGD, WarmupCosine
from keras_acl.training.precise_batch_norm import (
    PreciseBatchNorm,
    precise_statistics,
    training_forward,
)

pytestmark = pytest.mark.backends

BACKEND = keras.backend.backend()


# ConsistencyLoss


def test_weight_by_epoch():
    weights = [weight_at_epoch(epoch, 1.5, warmup_epochs=3, end_epoch=6) for epoch in range(8)]
    assert weights == [0.0, 0.5, 1.0, 1.5, 1.5, 1.5, 0.0, 0.0]
    assert [weight_at_epoch(epoch, 2.0) for epoch in (0, 1, 99)] == [2.0, 2.0, 2.0]


@pytest.fixture(scope="module")
def consistency_run(tmp_path_factory):
    """Four epochs of one batch at learning rate 0, so that λ alone changes the loss."""
    folder = tmp_path_factory.mktemp("consistency")
    # One scale, no dropout: nothing then differs between the epochs.
    model = two_stream(scales=(1.0,), dropout=0.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, jit_compile=BACKEND == "jax")
    traces, after_epoch = [], []
    compute_loss = model.compute_loss

    def counted(*args, **kwargs):
        traces.append(1)
        return compute_loss(*args, **kwargs)

    model.compute_loss = counted
    callbacks = [
        ConsistencyLoss(2.0, warmup_epochs=2, end_epoch=3),
        keras.callbacks.CSVLogger(str(folder / "history.csv")),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: after_epoch.append(len(traces))),
    ]
    if BACKEND == "tensorflow":
        callbacks.append(keras.callbacks.TensorBoard(str(folder / "tensorboard")))
    clips, labels = random_clips(2), np.array([0, 2])
    history = model.fit(clips, labels, epochs=4, callbacks=callbacks, verbose=0).history
    return folder, history, after_epoch


def test_loss_follows_the_weight(consistency_run):
    _, history, _ = consistency_run
    term = history["consistency"][0]
    assert term > 1e-3
    np.testing.assert_allclose(history["consistency"], [term] * 4, rtol=1e-5)
    classification = history["loss"][0]
    assert classification == pytest.approx(math.log(3), abs=0.2)
    expected = [classification + weight * term for weight in (0.0, 1.0, 2.0, 0.0)]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)


@pytest.mark.skipif(BACKEND == "torch", reason="torch runs the Python code at every step")
def test_a_new_weight_needs_no_new_trace(consistency_run):
    _, _, traces = consistency_run
    assert traces[0] >= 1
    assert traces == [traces[0]] * 4


def test_the_term_stands_in_the_csv_log(consistency_run):
    folder, history, _ = consistency_run
    with open(folder / "history.csv") as lines:
        logged = [float(row["consistency"]) for row in csv.DictReader(lines)]
    np.testing.assert_allclose(logged, history["consistency"], rtol=1e-6)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the callback writes with TensorFlow")
def test_the_term_stands_in_the_tensorboard_log(consistency_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    folder, history, _ = consistency_run
    events = EventAccumulator(str(folder / "tensorboard" / "train"))
    events.Reload()
    logged = events.Tensors("epoch_consistency")
    assert [event.step for event in logged] == [0, 1, 2, 3]
    values = [float(make_ndarray(event.tensor_proto)) for event in logged]
    np.testing.assert_allclose(values, history["consistency"], rtol=1e-6)


def test_a_model_without_the_term_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"needs a model with a consistency term.*a Sequential"):
        model.fit(np.ones((2, 3)), np.ones((2, 1)), callbacks=[ConsistencyLoss()], verbose=0)


def test_a_two_stream_network_built_without_the_term_is_refused():
    callback = ConsistencyLoss()
    callback.set_model(two_stream(consistency_weight=None))
    with pytest.raises(ValueError, match="`consistency_weight` that is not None"):
        callback.on_train_begin()


@pytest.mark.parametrize("arguments", [{"weight": -1.0}, {"warmup_epochs": -2}])
def test_negative_weights_and_epochs_are_refused(arguments):
    (name, value), *_ = arguments.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        ConsistencyLoss(**arguments)


# PreciseBatchNorm


def batches_of(count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Batches (4, 3) whose statistics differ, and targets (4, 1)."""
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(index, 1 + index, (4, 3)).astype("float32"), rng.normal(size=(4, 1)))
        for index in range(count)
    ]


def normalized_model(learning_rate: float = 0.0, momentum: float = 0.7) -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.BatchNormalization(momentum=momentum), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(keras.optimizers.SGD(learning_rate), "mse", jit_compile=BACKEND == "jax")
    return model


def normalizations(model) -> list[keras.layers.BatchNormalization]:
    kind = keras.layers.BatchNormalization
    return [layer for layer in model._flatten_layers() if isinstance(layer, kind)]


def running_statistics(model) -> list[np.ndarray]:
    return [
        keras.ops.convert_to_numpy(variable).copy()
        for layer in normalizations(model)
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


def test_statistics_are_the_mean_over_batches_and_stand_before_validation():
    model, data = normalized_model(), batches_of(5)
    x, y = data[4]
    history = model.fit(
        np.concatenate([x for x, _ in data]),
        np.concatenate([y for _, y in data]),
        batch_size=4,
        validation_data=(x, y),
        callbacks=[PreciseBatchNorm(data, batches=3)],
        verbose=0,
    ).history
    mean = np.mean([x.mean(axis=0) for x, _ in data[:3]], axis=0)
    variance = np.mean([x.var(axis=0) for x, _ in data[:3]], axis=0)
    found_mean, found_variance = running_statistics(model)
    np.testing.assert_allclose(found_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(found_variance, variance, rtol=1e-5)
    kernel, bias = (keras.ops.convert_to_numpy(v) for v in model.layers[-1].trainable_variables)
    outputs = (x - mean) / np.sqrt(variance + 1e-3) @ kernel + bias
    assert history["val_loss"][0] == pytest.approx(np.mean((outputs - y) ** 2), rel=1e-4)


def test_more_batches_than_there_are_means_all_of_them():
    model, data = normalized_model(), batches_of(2)
    precise_statistics(training_forward(model), data, 200)
    mean = np.mean([x.mean(axis=0) for x, _ in data], axis=0)
    np.testing.assert_allclose(running_statistics(model)[0], mean, rtol=1e-5)


@pytest.mark.skipif(BACKEND == "jax", reason="compiles for long; test_recipes.py estimates there")
def test_a_two_stream_network_gets_what_a_loop_over_batches_gives():
    model = two_stream()
    forward = training_forward(model)
    batches = [random_clips(2, seed) for seed in (1, 2)]
    precise_statistics(forward, [(batch,) for batch in batches], 2)
    precise, singles = running_statistics(model), []
    for batch in batches:  # a step moves a running value to 0.9 · old + 0.1 · batch
        before = running_statistics(model)
        forward.predict_on_batch(batch)
        after = running_statistics(model)
        singles.append([(b - 0.9 * a) / 0.1 for a, b in zip(before, after, strict=True)])
    assert len(precise) > 20
    for found, *each in zip(precise, *singles, strict=True):
        np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-4, atol=2e-5)
    assert max(np.abs(a - b).max() for a, b in zip(*singles, strict=True)) > 1e-2


def test_frozen_layers_keep_their_statistics():
    model = normalized_model()
    model.layers[0].trainable = False
    precise_statistics(training_forward(model), batches_of(2), 2)
    np.testing.assert_array_equal(running_statistics(model), [[0, 0, 0], [1, 1, 1]])


class Failing:
    """Two batches, the second of which cannot be read."""

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 2

    def __getitem__(self, index):
        if index:
            raise self.error
        return batches_of(1)[0]


@pytest.mark.parametrize("error", [RuntimeError("no such clip"), KeyboardInterrupt()])
def test_an_interrupted_estimate_leaves_the_running_averages(error):
    model = normalized_model()
    layer = model.layers[0]
    layer.moving_mean.assign([1.0, 2.0, 3.0])
    layer.moving_variance.assign([4.0, 5.0, 6.0])
    callback = PreciseBatchNorm(Failing(error))
    callback.set_model(model)
    with pytest.raises(type(error)):
        callback.on_test_begin()
    np.testing.assert_array_equal(running_statistics(model), [[1, 2, 3], [4, 5, 6]])


def test_the_order_of_the_training_data_is_not_disturbed(tmp_path):
    videos = read_directory(write_figures(tmp_path / "videos", 3))

    def weights_after(precise: bool) -> list[np.ndarray]:
        # Training does not use the running averages: other weights would mean other batches.
        train = VideoDataset(videos, CLIP, batch_size=2, loading=LoadingOptions(threads=1))
        keras.utils.set_random_seed(0)
        layers = [keras.layers.GlobalAveragePooling3D(), keras.layers.BatchNormalization()]
        inputs = keras.Input((None, None, None, 3))
        model = keras.Sequential([inputs, *layers, keras.layers.Dense(3)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.5), loss, jit_compile=BACKEND == "jax")
        callbacks = [PreciseBatchNorm(train, batches=3)] if precise else []
        with contextlib.closing(train):
            test = train[0]
            model.fit(train, validation_data=test, epochs=3, callbacks=callbacks, verbose=0)
        weights = [keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables]
        return [*weights, *running_statistics(model)]

    plain, precise = weights_after(False), weights_after(True)
    for mine, other in zip(plain[:4], precise[:4], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert np.abs(plain[4] - precise[4]).max() > 0.1


def test_a_model_without_batch_normalisation_is_left_alone():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    before = model.get_weights()
    precise_statistics(model, Failing(RuntimeError("not to be read")), 5)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(("data", "batches"), [([], 5), (batches_of(1), 0)])
def test_nothing_to_estimate_from_is_refused(data, batches):
    with pytest.raises(ValueError, match=rf"batches={batches}, len\(data\)={len(data)}"):
        PreciseBatchNorm(data, batches)


# ResumableCheckpoint


class Noise(keras.utils.PyDataset):
    """Five batches an epoch, which depend on the epoch that `set_epoch` names."""

    def __init__(self):
        super().__init__()
        self.epoch = None

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return 5

    def __getitem__(self, index):
        rng = np.random.default_rng((self.epoch or 0, index))
        x = rng.normal(size=(4, 6)).astype("float32")
        return x, x[:, :2].sum(axis=1, keepdims=True)


class Stop(keras.callbacks.Callback):
    """Raises in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.last = epoch
        self.now = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.now, batch) == (self.last, 2):
            raise KeyboardInterrupt


def dropout_model(seed: int, units: int = 8) -> keras.Model:
    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Dense(units, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential([keras.Input((6,)), *layers])
    schedule = WarmupCosine(0.05, total_steps=20, warmup_steps=5)
    model.compile(CoupledSGD(schedule), "mse", jit_compile=BACKEND == "jax")
    return model


def fit(model, folder, epochs=4, extra=()):
    data = Noise()
    callbacks = [ResumableCheckpoint(folder, data, seed=7), *extra]
    return model.fit(data, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=0).history


def state_of(model) -> list[np.ndarray]:
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def assert_same_state(model, other):
    ours, theirs = state_of(model), state_of(other)
    assert len(ours) == len(theirs) > 10
    for mine, yours in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_a_run_interrupted_and_resumed_equals_one_that_was_not(tmp_path):
    whole = dropout_model(seed=1)
    history = fit(whole, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(dropout_model(seed=1), tmp_path / "cut", extra=[Stop(epoch=2)])
    assert [epoch for epoch, _ in saved_states(tmp_path / "cut")] == [2]
    resumed = dropout_model(seed=99)  # other weights, to be replaced by the state's
    rest = fit(resumed, tmp_path / "cut")
    assert_same_state(resumed, whole)
    assert rest["loss"] == history["loss"][2:]
    assert len(set(history["loss"])) == 4


def test_dropout_differs_from_epoch_to_epoch_and_from_seed_to_seed():
    model = dropout_model(seed=1)
    seeds = []
    for epoch, seed in [(0, 7), (1, 7), (0, 8), (0, 7)]:
        callback = ResumableCheckpoint("unused", seed=seed)
        callback.set_model(model)
        callback.on_epoch_begin(epoch)
        [state] = [v for v in model.non_trainable_variables if v.name == "seed_generator_state"]
        seeds.append(tuple(keras.ops.convert_to_numpy(state).tolist()))
    assert seeds[0] == seeds[3]
    assert len(set(seeds)) == 3


def test_only_the_newest_state_is_kept(tmp_path):
    fit(dropout_model(seed=1), tmp_path, epochs=3)
    assert {file.name for file in tmp_path.iterdir()} == {"epoch-0003.weights.h5", "labels.json"}
    assert latest_state(tmp_path) == (3, tmp_path / "epoch-0003.weights.h5")


def test_a_finished_run_is_not_trained_again_and_a_later_fit_is(tmp_path):
    model = dropout_model(seed=1)
    fit(model, tmp_path, epochs=2)
    before = state_of(model)
    assert fit(model, tmp_path, epochs=2) == {}
    for mine, yours in zip(before, state_of(model), strict=True):
        np.testing.assert_array_equal(mine, yours)
    later = model.fit(Noise(), epochs=1, shuffle=False, verbose=0).history
    assert len(later["loss"]) == 1


def test_a_fit_after_an_interrupted_one_starts_at_its_own_first_epoch(tmp_path):
    fit(dropout_model(seed=1), tmp_path, epochs=2)
    model = dropout_model(seed=1)
    with pytest.raises(KeyboardInterrupt):
        fit(model, tmp_path, epochs=4, extra=[Stop(epoch=2)])
    later = model.fit(Noise(), epochs=1, shuffle=False, verbose=0).history
    assert len(later["loss"]) == 1


@pytest.mark.parametrize("logs", [{"loss": math.nan}, {"loss": 1.0, "val_loss": math.inf}])
def test_no_state_is_saved_for_a_loss_that_is_not_finite(tmp_path, logs):
    callback = ResumableCheckpoint(tmp_path / "states")
    callback.set_model(dropout_model(seed=1))
    callback.on_epoch_end(0, logs)
    assert latest_state(tmp_path / "states") is None
    callback.on_epoch_end(0, {"loss": 1.0})
    assert latest_state(tmp_path / "states") == (1, tmp_path / "states/epoch-0001.weights.h5")


def test_a_run_stops_at_a_nan_and_keeps_the_state_before(tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                kernel = self.model.layers[-1].kernel
                kernel.assign(np.full(kernel.shape, np.nan))

    model = dropout_model(seed=1)
    batches = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda i, logs: batches.append(i))
    extra = [Spoil(), keras.callbacks.TerminateOnNaN(), count]
    history = fit(model, tmp_path, extra=extra)
    assert batches == [0, 1, 2, 3, 4, 0]
    assert len(history["loss"]) == 2
    assert math.isnan(history["loss"][1])
    assert [epoch for epoch, _ in saved_states(tmp_path)] == [1]


@pytest.mark.parametrize("content", [None, b"", b"no HDF5"])
def test_a_state_that_does_not_fit_is_refused(tmp_path, content):
    if content is None:
        fit(dropout_model(seed=1, units=5), tmp_path, epochs=1)
    else:
        (tmp_path / "epoch-0001.weights.h5").write_bytes(content)
    with pytest.raises(ValueError, match=r"epoch-0001\.weights\.h5 does not fit this model"):
        fit(dropout_model(seed=1), tmp_path)


def test_a_state_of_other_classes_is_refused(tmp_path):
    model = dropout_model(seed=1)
    model.labels = ("jump", "run")
    fit(model, tmp_path, epochs=1)
    model.labels = ("run", "jump")
    with pytest.raises(ValueError, match=r"epoch-0001\.weights\.h5 was trained for other classes"):
        fit(model, tmp_path)


def test_a_resumed_run_says_so(tmp_path, capsys):
    fit(dropout_model(seed=1), tmp_path, epochs=2)
    callbacks = [ResumableCheckpoint(tmp_path)]
    dropout_model(seed=1).fit(Noise(), epochs=2, callbacks=callbacks, shuffle=False, verbose=2)
    assert f"Going on after epoch 2 ({tmp_path}" in capsys.readouterr().out


def test_what_an_interrupted_save_left_is_ignored(tmp_path):
    names = ["saving.weights.h5", "saving-epoch-0003.weights.h5", "epoch-0003.weights.h5.part"]
    for name in names:
        (tmp_path / name).write_bytes(b"half a file")
    assert latest_state(tmp_path) is None
    fit(dropout_model(seed=1), tmp_path, epochs=1)
    assert latest_state(tmp_path) == (1, tmp_path / "epoch-0001.weights.h5")


def test_a_save_that_fails_leaves_the_state_before(tmp_path, monkeypatch):
    model = dropout_model(seed=1)
    fit(model, tmp_path, epochs=1)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}

    def fail(file, overwrite):
        file.write_bytes(b"half a")
        raise OSError("No space left on device")

    monkeypatch.setattr(model, "save_weights", fail)
    callback = ResumableCheckpoint(tmp_path)
    callback.set_model(model)
    with pytest.raises(OSError, match="No space left"):
        callback.on_epoch_end(1, {"loss": 1.0})
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_states_are_ordered_by_number(tmp_path):
    for name in ("epoch-0009", "epoch-10000", "epoch-0010", "epoch-x"):
        (tmp_path / f"{name}.weights.h5").touch()
    assert [epoch for epoch, _ in saved_states(tmp_path)] == [9, 10, 10000]
    assert saved_states(tmp_path / "nowhere") == []
