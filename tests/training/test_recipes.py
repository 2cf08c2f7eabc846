import dataclasses

import keras
import numpy as np
import pytest
from harness import to_numpy
from tiny_network import CLIP, EAGER, LABELS, random_clips, slow, two_stream, write_figures

from keras_acl import recipes
from keras_acl.data import Augmentation, VideoDataset, read_directory
from keras_acl.layers import ClipBatchNormalization
from keras_acl.models import SlowClassifier
from keras_acl.system.keras_internals import all_layers
from keras_acl.training.checkpoint import ResumableCheckpoint
from keras_acl.training.consistency_loss import ConsistencyLoss
from keras_acl.training.gradient_norm import GradientNorm
from keras_acl.training.history import HistoryFile
from keras_acl.training.optimizers import CoupledSGD
from keras_acl.training.precise_batch_norm import (
    PreciseBatchNorm,
    precise_statistics,
    training_forward,
)
from keras_acl.training.recipe import check_replicas
from keras_acl.training.stop_at_nan import StopAtNaN
from keras_acl.video.video import Video


class Batches:
    """Three batches of two clips."""

    batch_size = 2
    clips = random_clips(6)

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return (self.clips[2 * index : 2 * index + 2],)


def test_a_recipe_is_frozen_and_has_few_fields():
    fields = [field.name for field in dataclasses.fields(recipes.Recipe)]
    assert len(fields) <= 19
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("learning_rate", 0.0),
        ("head_rate", 0.0),
        ("ema", 1.0),
        ("patience", 0),
        ("stream_supervision", -0.5),
        ("stream_supervision", float("nan")),
    ],
)
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        recipes.finetune(**{name: value})


def test_streams_are_supervised_as_the_recipe_or_else_the_model_says():
    model = two_stream(stream_supervision=0.3)
    for told, expected in ((None, 0.3), (0.5, 0.5), (None, 0.5), (0.0, 0.0)):
        recipes.finetune(stream_supervision=told).compile(model)
        assert model.stream_supervision == expected
    recipes.finetune(stream_supervision=0.5).compile(SlowClassifier(3, clip=CLIP, depth=11))
    assert recipes.kinetics400().stream_supervision is None
    assert recipes.finetune().stream_supervision is None


@pytest.mark.backends
def test_one_call_compiles_and_hands_back_the_callbacks_in_order(tmp_path):
    model = two_stream()
    recipe = recipes.kinetics400(epochs=2, warmup_epochs=0, precise_batches=2, batch_norm_clips=4)
    callbacks = recipe.compile(model, Batches(), tmp_path)
    kinds = [type(callback) for callback in callbacks]
    assert kinds[:3] == [StopAtNaN, ConsistencyLoss, PreciseBatchNorm]
    assert kinds[-1] is ResumableCheckpoint
    assert HistoryFile in kinds
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
    measured = {"accuracy", "crossentropy", "loss"}
    assert set(history) == {
        "consistency",
        "gradient_norm",
        *measured,
        *(f"val_{name}" for name in measured),
    }
    assert np.all(np.isfinite(list(history.values())))
    # six steps of a cosine to zero: nothing is left of 0.1 · 2 / 64
    assert float(model.optimizer.learning_rate) == pytest.approx(0, abs=1e-7)
    assert (tmp_path / "history.csv").read_text().count("\n") == 3


def test_what_can_be_frozen_is_said():
    with pytest.raises(ValueError, match=r"streams, spatial, temporal, none\. Received: stream"):
        recipes.finetune(freeze="stream")


@pytest.mark.backends
def test_frozen_streams_keep_weights_and_running_statistics():
    model = two_stream()
    callbacks = recipes.finetune(freeze="streams", epochs=1).compile(model, Batches())
    streams = (model.spatial_stream, model.temporal_stream)
    before = [np.copy(w) for stream in streams for w in stream.get_weights()]
    head = model.classifier.get_weights()[0].copy()
    model.fit(Batches.clips, np.zeros(6), batch_size=2, callbacks=callbacks, verbose=0)
    after = [w for stream in streams for w in stream.get_weights()]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(model.classifier.get_weights()[0] - head).max() > 1e-4


def test_streams_learn_slower_than_the_head():
    model = two_stream()
    recipes.finetune(head_rate=10.0, learning_rate=0.8).compile(model)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
    names = ("kernel", "bias", "gamma")
    variables = [model.classifier.kernel, model.classifier.bias]
    variables += [v for v in model.spatial_stream.trainable_variables if v.name == "gamma"][:1]
    before = [to_numpy(v).copy() for v in variables]
    grads = [keras.ops.ones(v.shape) for v in model.trainable_variables]
    model.optimizer.coupled_weight_decay = 0.0
    model.optimizer.apply(grads, model.trainable_variables)
    moved = [np.mean(b - to_numpy(v)) for b, v in zip(before, variables, strict=True)]
    np.testing.assert_allclose(moved, [0.19, 0.19, 0.019], rtol=1e-3, err_msg=str(names))


def test_classes_of_a_data_set_are_balanced():
    data, model = Batches(), two_stream()
    data.videos = [Video(f"{i}.mp4", label=label) for i, label in enumerate([0, 0, 0, 0, 1, 2])]
    recipes.finetune(balance=True).compile(model, data)
    assert model.loss.class_weights == [0.5, 2.0, 2.0]
    with pytest.raises(ValueError, match="class_weight to fit"):
        recipes.finetune(balance=True).compile(model)


@pytest.mark.backends
@pytest.mark.parametrize("validate", [True, False])
def test_the_moving_average_of_the_weights_is_validated_and_kept(validate):
    model = two_stream(seed=1) if validate else slow()
    recipe = recipes.finetune(
        ema=0.5, epochs=2, learning_rate=2.0, precise_batches=3, stream_supervision=0.5
    )
    callbacks = recipe.compile(model, Batches())
    data = (Batches.clips, np.array([0, 1, 2, 0, 1, 2]))
    options = {"batch_size": 2, "callbacks": callbacks, "verbose": 0, "shuffle": False}
    history = model.fit(*data, epochs=2, validation_data=data if validate else None, **options)
    averages = [to_numpy(v) for v in model.optimizer.variables if v.name.endswith("_average")]
    for variable, average in zip(model.trainable_variables, averages, strict=True):
        np.testing.assert_allclose(to_numpy(variable), average, rtol=1e-4, atol=1e-6)
    # Running statistics are those of the average.
    before = [to_numpy(v).copy() for v in model.non_trainable_variables if "moving" in v.name]
    precise_statistics(training_forward(model), Batches(), 3)
    after = [to_numpy(v) for v in model.non_trainable_variables if "moving" in v.name]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    if validate:
        logs = model.evaluate(*data, batch_size=2, verbose=0, return_dict=True)
        assert set(logs) > {"loss", "spatial_accuracy", "temporal_accuracy"}
        validated = {name: history.history[f"val_{name}"][-1] for name in logs}
        assert validated == pytest.approx(logs, rel=1e-3)


def test_the_average_is_over_steps_however_many_batches_they_take():
    model = two_stream()
    recipes.finetune(ema=0.5).compile(model, gradient_accumulation_steps=4)
    assert model.optimizer.use_ema
    assert model.optimizer.ema_momentum**4 == pytest.approx(0.5)  # Keras averages every batch


def test_training_stops_when_validation_gets_no_better(eager):
    model = slow()
    callbacks = recipes.finetune(patience=2, learning_rate=1e-9).compile(model)
    data = (Batches.clips, np.array([0, 1, 2, 0, 1, 2]))
    history = model.fit(
        *data, batch_size=6, epochs=9, validation_data=data, callbacks=callbacks, verbose=0
    )
    assert len(history.epoch) == 3


@pytest.mark.parametrize(("batch_size", "pass_size"), [(8, 20), (3, 18)])
def test_replicas_want_batches_that_they_can_share(monkeypatch, batch_size, pass_size):
    monkeypatch.setattr("keras_acl.training.recipe.replicas", lambda model: 2)
    data = Batches()
    data.batch_size, data.pass_size = batch_size, pass_size
    with pytest.raises(ValueError, match=f"batch_size={batch_size} for {pass_size} clips.*drop_r"):
        check_replicas(None, data)
    data.batch_size, data.pass_size = 6, 18
    check_replicas(None, data)


def test_without_data_and_folder_the_rate_is_constant_and_nothing_is_written():
    model = two_stream()
    callbacks = recipes.finetune(learning_rate=0.4).compile(model)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.4 * 8 / 64)
    kinds = [type(callback) for callback in callbacks]
    assert kinds == [StopAtNaN, ConsistencyLoss, GradientNorm]


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


def test_mixed_up_labels_train_and_whole_ones_validate(tmp_path, eager):
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
    names = [[metric.name for metric in recipes.classification_metrics(n)] for n in (5, 6)]
    assert names == [["accuracy", "crossentropy"], ["accuracy", "top5", "crossentropy"]]


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


def test_an_extended_run_begins_its_schedule_anew():
    more = recipes.finetune(epochs=7, learning_rate=0.1, restart=3).schedule(5, 64)
    new = recipes.finetune(epochs=4, learning_rate=0.1).schedule(5, 64)
    for step in (0, 9, 20):
        assert float(more(15 + step)) == pytest.approx(float(new(step)))


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


SEVERAL = np.array([[1, 0, 1], [0, 0, 0]], "float32")  # labels of two clips


@pytest.mark.backends
def test_a_multi_label_model_learns_each_class_by_itself(tmp_path):
    model = two_stream(multi_label=True, dropout=0.0)
    recipe = recipes.finetune(label_smoothing=0.2, precise_batches=0)
    callbacks = recipe.compile(model, run_folder=tmp_path)
    model.run_eagerly = EAGER  # tracing takes longer
    logs = model.fit(
        random_clips(), SEVERAL, validation_data=(random_clips(), SEVERAL), callbacks=callbacks,
        verbose=0,
    ).history  # fmt: skip
    assert "accuracy" not in logs
    logits = to_numpy(model(random_clips(), training=False))
    targets = 0.8 * SEVERAL + 0.1
    losses = np.logaddexp(0, logits) - targets * logits  # -t log σ(z) - (1 - t) log σ(-z)
    assert logs["val_loss"][0] == pytest.approx(losses.mean(), rel=1e-4)
    assert logs["val_crossentropy"][0] == pytest.approx(losses.mean(), rel=1e-4)
    assert "val_mean_average_precision" in (tmp_path / "checkpoint" / "best.json").read_text()


@pytest.mark.backends
def test_streams_are_judged_by_mean_average_precision_too():
    model = two_stream(multi_label=True, stream_supervision=0.5)
    recipes.finetune(precise_batches=0).compile(model)
    model.run_eagerly = EAGER
    logs = model.evaluate(random_clips(), SEVERAL, verbose=0, return_dict=True)
    for stream in ("", "spatial_", "temporal_"):
        assert 0 <= logs[f"{stream}mean_average_precision"] <= 1
    assert not [name for name in logs if "accuracy" in name]


def test_training_stops_when_mean_average_precision_gets_no_better():
    callbacks = recipes.finetune(patience=2).compile(two_stream(multi_label=True))
    [stopping] = [each for each in callbacks if isinstance(each, keras.callbacks.EarlyStopping)]
    assert (stopping.monitor, stopping.mode) == ("val_mean_average_precision", "max")


def test_videos_of_several_classes_are_not_balanced():
    with pytest.raises(ValueError, match="balance=True weighs each video by its class"):
        recipes.finetune(balance=True).compile(two_stream(multi_label=True))


def test_processes_that_train_together_scale_the_rate_by_all_their_clips(monkeypatch):
    alone = two_stream()
    recipes.finetune(learning_rate=0.4).compile(alone, Batches())
    monkeypatch.setattr("keras_acl.training.recipe.process", lambda: (1, 2))
    together = two_stream()
    recipes.finetune(learning_rate=0.4).compile(together, Batches())
    assert float(together.optimizer.learning_rate) == pytest.approx(
        2 * float(alone.optimizer.learning_rate)
    )


def test_a_process_that_is_not_the_first_keeps_no_log(monkeypatch, tmp_path):
    monkeypatch.setattr("keras_acl.training.recipe.is_first", lambda: False)
    kinds = [type(each) for each in recipes.finetune().compile(two_stream(), Batches(), tmp_path)]
    assert not {HistoryFile, keras.callbacks.TensorBoard} & {*kinds}
    assert kinds[-1] is ResumableCheckpoint
