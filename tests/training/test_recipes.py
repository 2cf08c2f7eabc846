import dataclasses

import keras
import numpy as np
import pytest
from tiny_network import CLIP, LABELS, random_clips, two_stream, write_figures

from keras_acl import recipes
from keras_acl.data import Augmentation, VideoDataset, read_directory
from keras_acl.layers import ClipBatchNormalization
from keras_acl.models import SlowClassifier
from keras_acl.system.keras_internals import all_layers
from keras_acl.training.checkpoint import ResumableCheckpoint
from keras_acl.training.consistency_loss import ConsistencyLoss
from keras_acl.training.optimizers import CoupledSGD
from keras_acl.training.precise_batch_norm import PreciseBatchNorm


class Batches:
    """Three batches of two clips."""

    batch_size = 2
    clips = random_clips(6)

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return (self.clips[2 * index : 2 * index + 2],)


def test_a_recipe_is_frozen_and_has_a_dozen_fields():
    fields = [field.name for field in dataclasses.fields(recipes.Recipe)]
    assert len(fields) <= 12
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipes.finetune().epochs = 3


@pytest.mark.parametrize("make", [recipes.kinetics400, recipes.finetune])
def test_a_wrong_field_is_a_type_error(make):
    with pytest.raises(TypeError, match="learning_rat"):
        make(learning_rat=0.1)


def test_kinetics400_is_the_published_recipe():
    recipe = recipes.kinetics400()
    assert (recipe.epochs, recipe.learning_rate, recipe.momentum) == (196, 0.1, 0.9)
    assert (recipe.warmup_epochs, recipe.warmup_start) == (34, 0.01)
    assert (recipe.weight_decay, recipe.label_smoothing) == (1e-4, 0.0)
    assert (recipe.precise_batches, recipe.batch_norm_clips) == (200, 8)
    assert recipe.consistency_weight is None  # the model's own, 1.5


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(1, 0.012434), (10, 0.034340), (34, 0.092757), (50, 0.084784), (98, 0.05), (150, 0.012986)],
)
@pytest.mark.parametrize("batch_size", [64, 8, 512])
def test_learning_rate_has_the_published_values_scaled_with_the_batch(epoch, rate, batch_size):
    schedule = recipes.kinetics400().schedule(steps_per_epoch=50, batch_size=batch_size)
    found = float(schedule(50 * epoch))
    assert found == pytest.approx(rate * batch_size / 64, rel=1e-4)


def test_a_short_run_warms_up_for_half_of_it_at_most():
    schedule = recipes.kinetics400(epochs=4).schedule(steps_per_epoch=10, batch_size=64)
    assert schedule.warmup_steps == 20
    assert float(schedule(0)) == pytest.approx(0.01)
    assert float(schedule(40)) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("learning_rate", 0.0)])
def test_recipes_that_train_nothing_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        recipes.finetune(**{name: value})


@pytest.mark.backends
def test_one_call_compiles_and_hands_back_the_callbacks_in_order(tmp_path):
    model = two_stream()
    recipe = recipes.kinetics400(epochs=2, warmup_epochs=0, precise_batches=2, batch_norm_clips=4)
    callbacks = recipe.compile(model, Batches(), tmp_path)
    kinds = [type(callback) for callback in callbacks]
    assert kinds[:3] == [keras.callbacks.TerminateOnNaN, ConsistencyLoss, PreciseBatchNorm]
    assert kinds[-1] is ResumableCheckpoint
    assert keras.callbacks.CSVLogger in kinds
    norms = [x for x in all_layers(model) if isinstance(x, ClipBatchNormalization)]
    assert {layer.clips_per_group for layer in norms} == {4}
    assert model.optimizer.coupled_weight_decay == 1e-4
    assert model.optimizer.nesterov

    clips, labels = Batches.clips, np.array([0, 1, 2, 0, 1, 2])
    history = model.fit(
        clips,
        labels,
        batch_size=2,
        epochs=2,
        validation_data=(clips, labels),
        callbacks=callbacks,
        verbose=0,
    ).history
    assert set(history) == {"accuracy", "consistency", "loss", "val_accuracy", "val_loss"}
    assert np.all(np.isfinite(list(history.values())))
    # six steps of a cosine to zero: nothing is left of 0.1 · 2 / 64
    assert float(model.optimizer.learning_rate) == pytest.approx(0, abs=1e-7)
    assert (tmp_path / "history.csv").read_text().count("\n") == 3


def test_without_data_and_folder_the_rate_is_constant_and_nothing_is_written():
    model = two_stream()
    callbacks = recipes.finetune(learning_rate=0.4).compile(model)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.4 * 8 / 64)
    kinds = [type(callback) for callback in callbacks]
    assert kinds == [keras.callbacks.TerminateOnNaN, ConsistencyLoss]


@pytest.mark.parametrize("installed", [True, False])
def test_tensorboard_is_written_where_it_is_installed(tmp_path, monkeypatch, installed):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if installed else None)
    model = SlowClassifier(3, clip=CLIP, depth=11, width=8, speed_ratio=4)
    kinds = [type(callback) for callback in recipes.finetune().compile(model, Batches(), tmp_path)]
    assert (keras.callbacks.TensorBoard in kinds) == installed


def test_a_model_without_the_term_trains_without_its_callback():
    model = SlowClassifier(3, clip=CLIP, depth=11, width=8, speed_ratio=4)
    callbacks = recipes.finetune().compile(model, Batches())
    assert not any(isinstance(callback, ConsistencyLoss) for callback in callbacks)


def test_mixed_up_labels_train_and_whole_ones_validate(tmp_path):
    videos = read_directory(write_figures(tmp_path / "videos", 2))
    data = VideoDataset(videos, CLIP, 3, augmentation=Augmentation(flip=0, mixup=0.4))
    model = two_stream(labels=LABELS)
    callbacks = recipes.finetune(epochs=1, precise_batches=1).compile(model, data)
    test = VideoDataset(videos, CLIP, 3, training=False)  # whole-number labels
    history = model.fit(data, validation_data=test, callbacks=callbacks, verbose=0).history
    assert history["loss"][0] > 0
    assert history["consistency"][0] > 0
    expected = model.evaluate(test, verbose=0, return_dict=True)
    assert history["val_loss"][0] == pytest.approx(expected["loss"], rel=1e-5)
    data.close()
    test.close()


def test_top5_is_measured_where_there_are_more_than_five_classes():
    assert [metric.name for metric in recipes.classification_metrics(5)] == ["accuracy"]
    assert [metric.name for metric in recipes.classification_metrics(6)] == ["accuracy", "top5"]


def test_the_models_own_weight_is_kept_unless_the_recipe_has_one():
    def weight(recipe):
        callbacks = recipe.compile(two_stream(consistency_weight=0.5), Batches())
        return next(c.weight for c in callbacks if isinstance(c, ConsistencyLoss))

    assert weight(recipes.finetune()) == 0.5
    assert weight(recipes.finetune(consistency_weight=2.0)) == 2.0


@pytest.mark.parametrize("labels", [("right", "left", "up"), ("left", "right")])
def test_data_of_other_classes_are_refused(labels):
    data = Batches()
    data.labels = labels
    with pytest.raises(ValueError, match="classes in the model's order"):
        recipes.finetune().compile(two_stream(labels=LABELS), data)


def test_accumulated_gradients_are_those_of_a_larger_batch():
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")

    def weights_after(batch_size, steps):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "tanh")])
        model.set_weights([np.ones((3, 2)), np.zeros(2)])
        optimizer = CoupledSGD(0.1, gradient_accumulation_steps=steps)
        model.compile(optimizer, "mse", run_eagerly=True)
        model.fit(x, np.zeros((8, 2)), batch_size, epochs=3, shuffle=False, verbose=0)
        return model.get_weights()

    for one, other in zip(weights_after(8, None), weights_after(2, 4), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5)


def test_the_learning_rate_is_scaled_to_all_clips_of_a_step():
    recipe, model = recipes.finetune(epochs=4, learning_rate=0.1), two_stream(labels=None)
    recipe.compile(model, Batches(), gradient_accumulation_steps=4)
    assert model.optimizer.gradient_accumulation_steps == 4
    expected = recipe.schedule(steps_per_epoch=3, batch_size=8)  # 4 batches of 2
    for step in (0, 5, 11):
        rate = model.optimizer._learning_rate(step)
        assert float(rate) == pytest.approx(float(expected(step)))
    with pytest.raises(ValueError, match="Received: 0"):
        recipe.compile(model, gradient_accumulation_steps=0)
