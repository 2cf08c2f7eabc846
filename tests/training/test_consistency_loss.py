import csv
import math

import keras
import numpy as np
import pytest
from tiny_network import random_clips, two_stream

from keras_acl.training.consistency_loss import ConsistencyLoss, weight_at_epoch

pytestmark = pytest.mark.backends

BACKEND = keras.backend.backend()


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
    with pytest.raises(ValueError, match="a Sequential"):
        model.fit(np.ones((2, 3)), np.ones((2, 1)), callbacks=[ConsistencyLoss()], verbose=0)


def test_a_two_stream_network_built_without_the_term_is_refused():
    callback = ConsistencyLoss()
    callback.set_model(two_stream(consistency_weight=None))
    with pytest.raises(ValueError, match="`consistency_weight` that is not None"):
        callback.on_train_begin()


def test_epochs_are_counted_over_several_fits_and_the_weight_is_left_whole():
    model = two_stream(scales=(1.0,))
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    callback = ConsistencyLoss(2.0, warmup_epochs=2)
    weights = []
    seen = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: weights.append(float(model.consistency_weight.value))
    )
    clips, labels = random_clips(2), np.array([0, 2])
    for epochs in (1, 2):
        model.fit(clips, labels, epochs=epochs, callbacks=[callback, seen], verbose=0)
        assert float(model.consistency_weight.value) == 2.0  # what a saved model holds
    assert weights == [0.0, 1.0, 2.0]
    callback.set_model(two_stream(seed=1))
    callback.on_epoch_begin(0)
    assert float(callback.model.consistency_weight.value) == 0.0  # another model, from the start


@pytest.mark.parametrize("arguments", [{"weight": -1.0}, {"warmup_epochs": -2}])
def test_negative_weights_and_epochs_are_refused(arguments):
    (name, value), *_ = arguments.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        ConsistencyLoss(**arguments)
