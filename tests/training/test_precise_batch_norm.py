import contextlib

import keras
import numpy as np
import pytest
from tiny_network import CLIP, random_clips, two_stream, write_figures

from keras_acl.data import LoadingOptions, VideoDataset, read_directory
from keras_acl.system.keras_internals import all_layers
from keras_acl.training.precise_batch_norm import (
    PreciseBatchNorm,
    precise_statistics,
    training_forward,
)

pytestmark = pytest.mark.backends

BACKEND = keras.backend.backend()


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
    return [layer for layer in all_layers(model) if isinstance(layer, kind)]


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
