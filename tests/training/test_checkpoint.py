import json
import math

import keras
import numpy as np
import pytest

from keras_acl.training.checkpoint import (
    ResumableCheckpoint,
    best_state,
    latest_state,
    saved_states,
)
from keras_acl.training.losses import Crossentropy
from keras_acl.training.optimizers import CoupledSGD, WarmupCosine
from keras_acl.training.recipe import classification_metrics
from keras_acl.training.stop_at_nan import StopAtNaN

pytestmark = pytest.mark.backends

BACKEND = keras.backend.backend()


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
    assert [epoch for epoch, _ in saved_states(tmp_path / "cut")] == [1, 2]
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


def test_the_two_newest_states_are_kept(tmp_path):
    fit(dropout_model(seed=1), tmp_path, epochs=3)
    states = {"epoch-0002.weights.h5", "epoch-0003.weights.h5"}
    assert {file.name for file in tmp_path.iterdir()} == {*states, "labels.json", "checksums.json"}
    assert states <= set(json.loads((tmp_path / "checksums.json").read_text()))
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


def epochs_ended(callback, accuracies, first=1) -> keras.Model:
    """Let epochs end with these accuracies."""
    model = dropout_model(seed=1)
    model.optimizer.build(model.trainable_variables)
    callback.set_model(model)
    callback.set_params({"epochs": 9})
    callback.on_train_begin()
    for epoch, accuracy in enumerate(accuracies, first):
        callback.on_epoch_end(epoch - 1, {"loss": 1.0, "val_accuracy": accuracy})
    return model


def test_where_the_states_were_removed_no_older_epoch_is_the_best(tmp_path):
    epochs_ended(ResumableCheckpoint(tmp_path), [0.5, 0.9])
    for _, file in saved_states(tmp_path):
        file.unlink()
    epochs_ended(ResumableCheckpoint(tmp_path), [0.7, 0.6])
    assert best_state(tmp_path) == (1, tmp_path / "epoch-0001.weights.h5")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"epoch": "a", "val_accuracy": 1}', '{"a": 1}'])
def test_a_damaged_note_of_the_best_epoch_is_none(text, tmp_path):
    (tmp_path / "best.json").write_text(text)
    epochs_ended(ResumableCheckpoint(tmp_path), [0.7, 0.6])
    assert best_state(tmp_path) == (1, tmp_path / "epoch-0001.weights.h5")


@pytest.mark.parametrize(("restart", "stops"), [(0, True), (3, False)])
def test_patience_begins_anew_with_the_learning_rate(tmp_path, restart, stops):
    epochs_ended(ResumableCheckpoint(tmp_path, patience=2), [0.9, 0.5, 0.5])
    longer = ResumableCheckpoint(tmp_path, patience=2, restart=restart)
    assert epochs_ended(longer, [0.6], first=4).stop_training == stops
    assert epochs_ended(longer, [0.6], first=5).stop_training


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
    extra = [Spoil(), StopAtNaN(), count]
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


def test_a_resumed_run_says_so(tmp_path, caplog):
    fit(dropout_model(seed=1), tmp_path, epochs=2)
    callbacks = [ResumableCheckpoint(tmp_path)]
    with caplog.at_level("INFO", logger="keras_acl"):
        dropout_model(seed=1).fit(Noise(), epochs=2, callbacks=callbacks, shuffle=False, verbose=0)
    assert f"Going on after epoch 2 ({tmp_path}" in caplog.text


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


def spoil(file):
    """Change one bit in the middle, as a failing disk does."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_damaged_state_falls_back_to_the_one_before(tmp_path, caplog):
    whole = dropout_model(seed=1)
    history = fit(whole, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(dropout_model(seed=1), tmp_path / "cut", extra=[Stop(epoch=3)])
    newest = tmp_path / "cut" / "epoch-0003.weights.h5"
    spoil(newest)
    assert latest_state(tmp_path / "cut")[0] == 2
    assert f"{newest} is damaged" in caplog.text
    resumed = dropout_model(seed=99)
    rest = fit(resumed, tmp_path / "cut")
    assert_same_state(resumed, whole)
    assert rest["loss"] == history["loss"][2:]
    assert [epoch for epoch, _ in saved_states(tmp_path / "cut")] == [3, 4]
    assert latest_state(tmp_path / "cut")[0] == 4


def test_a_damaged_best_state_is_none(tmp_path, caplog):
    end_epochs(tmp_path, [0.5, 0.25, 0.25], dropout_model(seed=1))
    spoil(tmp_path / "epoch-0001.weights.h5")
    assert best_state(tmp_path) is None
    assert "epoch-0001.weights.h5 is damaged" in caplog.text
    assert latest_state(tmp_path)[0] == 3


def test_where_every_state_is_damaged_nothing_starts_anew_unasked(tmp_path):
    fit(dropout_model(seed=1), tmp_path, epochs=2)
    for _, file in saved_states(tmp_path):
        spoil(file)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"No saved state in .* the newest of epoch 2"):
        fit(dropout_model(seed=1), tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("text", ["", "[1]", "null", '{"epoch-0002.weights.h5": null}'])
def test_a_damaged_note_of_checksums_accuses_no_state(text, tmp_path):
    fit(dropout_model(seed=1), tmp_path, epochs=2)
    (tmp_path / "checksums.json").write_text(text)
    assert latest_state(tmp_path)[0] == 2


def test_states_are_ordered_by_number(tmp_path):
    for name in ("epoch-0009", "epoch-10000", "epoch-0010", "epoch-x"):
        (tmp_path / f"{name}.weights.h5").touch()
    assert [epoch for epoch, _ in saved_states(tmp_path)] == [9, 10, 10000]
    assert saved_states(tmp_path / "nowhere") == []


def end_epochs(folder, values, model, **options):
    """Tell a callback of epochs with these accuracies; the epochs before are there already."""
    callback = ResumableCheckpoint(folder, **options)
    callback.set_model(model)
    model.optimizer.build(model.trainable_variables)
    first = (latest_state(folder) or (0,))[0]
    for epoch, value in enumerate(values, start=first):
        callback.on_epoch_end(epoch, {"loss": 1.0, "val_accuracy": value})
        if model.stop_training:
            break


def test_the_best_state_is_kept_beside_the_newest(tmp_path):
    model = dropout_model(seed=1)
    end_epochs(tmp_path, [0.5, 0.625, 0.25], model)
    assert [epoch for epoch, _ in saved_states(tmp_path)] == [2, 3]
    assert best_state(tmp_path) == (2, tmp_path / "epoch-0002.weights.h5")
    end_epochs(tmp_path, [0.625, 0.75], model)  # of equal epochs the first is the best
    assert [epoch for epoch, _ in saved_states(tmp_path)] == [4, 5]
    assert best_state(tmp_path) == (5, tmp_path / "epoch-0005.weights.h5")


def test_without_validation_there_is_no_best_state(tmp_path):
    fit(dropout_model(seed=1), tmp_path, epochs=2)
    assert best_state(tmp_path) is None


def test_patience_counts_on_in_a_resumed_run(tmp_path):
    model = dropout_model(seed=1)
    end_epochs(tmp_path, [0.5, 0.4], model, patience=2)
    assert not model.stop_training
    end_epochs(tmp_path, [0.5, 0.9], model, patience=2)
    assert model.stop_training
    assert latest_state(tmp_path)[0] == 3
    callbacks = [ResumableCheckpoint(tmp_path, patience=2)]
    history = model.fit(Noise(), epochs=9, callbacks=callbacks, shuffle=False, verbose=0).history
    assert history == {}


@pytest.mark.parametrize(
    "callback",
    [
        lambda folder: keras.callbacks.EarlyStopping("val_accuracy", patience=1),
        lambda folder: keras.callbacks.ModelCheckpoint(
            folder / "m.keras", "val_accuracy", save_best_only=True
        ),
        lambda folder: keras.callbacks.EarlyStopping("val_crossentropy"),
    ],
)
def test_keras_callbacks_know_which_way_the_metrics_of_a_recipe_go(tmp_path, callback):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    model.compile("sgd", Crossentropy(), metrics=classification_metrics(2))
    x, y = np.eye(6, dtype="float32"), np.arange(6) % 2
    callbacks = [callback(tmp_path)]
    history = model.fit(x, y, validation_data=(x, y), callbacks=callbacks, epochs=2, verbose=0)
    assert len(history.epoch) >= 1
    assert callbacks[0].monitor_op is (
        keras.ops.less if "entropy" in callbacks[0].monitor else keras.ops.greater
    )


def test_processes_that_see_another_folder_do_not_go_on(tmp_path, monkeypatch):
    fit(dropout_model(seed=1), tmp_path, epochs=1)
    monkeypatch.setattr("keras_acl.training.checkpoint.from_first", lambda value: 5)
    with pytest.raises(ValueError, match="goes on after epoch 5, and this one finds that of 1"):
        fit(dropout_model(seed=1), tmp_path, epochs=2)


def test_a_process_that_is_not_the_first_saves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_acl.training.checkpoint.is_first", lambda: False)
    fit(dropout_model(seed=1), tmp_path, epochs=1)
    assert not list(tmp_path.iterdir())
