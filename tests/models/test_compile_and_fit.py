"""What users know from Keras; and a model goes to other engines as it is, in float32."""

import logging

import keras
import numpy as np
import pytest
from harness import to_numpy
from tiny_network import (
    CLIP,
    EAGER,
    LABELS,
    TARGETS,
    compiled,
    predict,
    random_clips,
    randomize,
    slow,
    slowfast,
    two_stream,
)

from keras_acl import load_model, optimize
from keras_acl.models import compile_and_fit
from keras_acl.pretrained import load_pretrained, save_pretrained
from keras_acl.system.devices import tensorflow

needs_tensorflow = pytest.mark.skipif(tensorflow() is None, reason="the exporter is TensorFlow's")


def loaded(model, folder):
    model.save(folder / "model.keras")
    return load_model(folder / "model.keras")


def optimized(model, folder):
    return optimize(model, "bfloat16")


def mixed(model, folder):
    return model.copy_with(dtype="mixed_bfloat16")


def used(model, folder):
    model.predict(random_clips().astype("float32"), verbose=0)
    return model


@pytest.mark.backends
@pytest.mark.parametrize("prepare", [loaded, optimized, mixed, used])
def test_any_model_is_exported_for_uint8_clips_in_float32(prepare, tmp_path, monkeypatch):
    exported = {}

    def export(model, filepath, format, verbose, input_signature):
        exported.update(model=model, path=filepath, signature=input_signature)

    monkeypatch.setattr(keras.Model, "export", export)
    model = randomize(slow())
    expected = predict(model)
    prepare(model, tmp_path).export(tmp_path / "exported")
    (spec,) = exported["signature"]
    assert exported["path"] == str(tmp_path / "exported")  # OpenVINO's exporter takes no path
    assert (spec.name, spec.dtype) == ("clip", "uint8")
    assert spec.shape == (None, CLIP.frames, CLIP.size, CLIP.size, 3)
    assert {weight.dtype for weight in exported["model"].weights} == {"float32"}
    found = predict(exported["model"])
    tolerance = 0.05 if prepare is optimized else 1e-5  # its weights were rounded before
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@needs_tensorflow
@pytest.mark.parametrize(
    ("build", "prepare"), [(two_stream, loaded), (slowfast, optimized), (slow, used)]
)
def test_a_saved_model_computes_the_same(build, prepare, tmp_path):
    model = prepare(randomize(build()), tmp_path)
    expected = predict(model.copy_with(dtype="float32"))
    model.export(tmp_path / "exported", verbose=False)
    reloaded = tensorflow().saved_model.load(tmp_path / "exported")
    found = to_numpy(reloaded.serve(random_clips()))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@needs_tensorflow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # tf2onnx asks for np.object
def test_onnx_runtime_computes_the_same(tmp_path):
    import onnxruntime

    model = optimize(randomize(two_stream()), "bfloat16")
    expected = predict(model.copy_with(dtype="float32"))
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()
    assert (given.name, given.type) == ("clip", "tensor(uint8)")
    assert given.shape[1:] == [CLIP.frames, CLIP.size, CLIP.size, 3]
    (found,) = session.run(None, {"clip": random_clips()})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@needs_tensorflow
def test_a_signature_of_ones_own(tmp_path):
    model = randomize(slow())
    spec = keras.InputSpec(dtype="float32", shape=(1, CLIP.frames, None, None, 3), name="frames")
    model.export(tmp_path / "exported", verbose=False, input_signature=[spec])
    wide = random_clips(1, width=48)
    reloaded = tensorflow().saved_model.load(tmp_path / "exported")
    found = to_numpy(reloaded.serve(wide.astype("float32")))
    np.testing.assert_allclose(found, predict(model, wide), rtol=1e-4, atol=1e-4)


@pytest.mark.backends
@pytest.mark.parametrize("fast", [True, False])
def test_xla_is_chosen_again_where_a_file_is_loaded(fast, tmp_path, monkeypatch):
    model = slow()
    monkeypatch.setattr(compile_and_fit, "compile_with_xla", lambda: not fast)
    model.compile("sgd", "mse")
    assert model.jit_compile is not fast
    model.save(tmp_path / "model.keras")
    monkeypatch.setattr(compile_and_fit, "compile_with_xla", lambda: fast)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.jit_compile is fast
    assert loaded.optimizer.built


def test_xla_can_still_be_asked_for():
    model = slow()
    model.compile("sgd", "mse", jit_compile=True)
    assert model.jit_compile
    model.compile("sgd", "mse", run_eagerly=True)
    assert not model.jit_compile


class Named(keras.utils.PyDataset):
    """One batch that knows the names of its classes."""

    def __init__(self, labels=LABELS):
        super().__init__()
        self.labels = labels

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return random_clips(), TARGETS


@pytest.mark.backends
def test_a_model_without_labels_takes_those_of_the_data_and_keeps_them(tmp_path, caplog):
    model = compiled(slow(labels=None), eager=True)
    with caplog.at_level(logging.INFO, "keras_acl"):
        model.fit(Named(), validation_data=Named(), verbose=0)
    assert model.labels == model.class_names == LABELS
    assert [record.name for record in caplog.records] == ["keras_acl"]
    assert "left, right, up" in caplog.text
    model.save(tmp_path / "a.keras")
    assert keras.saving.load_model(tmp_path / "a.keras", compile=False).labels == LABELS
    save_pretrained(model, tmp_path / "folder")
    assert load_pretrained(tmp_path / "folder").labels == LABELS
    caplog.clear()
    model.fit(Named(), verbose=0)
    assert not caplog.records


def test_other_labels_than_the_models_are_refused_before_anything_is_trained():
    turned, two = Named(LABELS[::-1]), Named(("fight", "no_fight"))
    for data, validation, owner, received in [
        (turned, None, "training", "class 0 is 'up' in the data and 'left' in the model"),
        (Named(), turned, "validation", "class 0 is 'up'"),
        (two, None, "training", r"2 classes \(fight, no_fight\) for a model of 3 classes \(left"),
    ]:
        with pytest.raises(ValueError, match=f"^The {owner} data must have .*{received}"):
            slow().fit(data, validation_data=validation)
    model = slow(labels=None)
    with pytest.raises(ValueError, match="3 classes without names"):
        model.fit(two)
    with pytest.raises(ValueError, match=r"^The validation data"):
        model.fit(Named(), validation_data=turned)
    assert model.labels is None
    with pytest.raises(ValueError, match="class 0 is 'up'"):
        slow().evaluate(turned)


SEVERAL = np.array([[1, 0, 1], [0, 0, 0]], "float32")  # labels of two clips


@pytest.mark.backends
def test_several_labels_a_clip_by_hand():
    model = two_stream(multi_label=True)
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True), run_eagerly=EAGER)
    model.fit(random_clips(), SEVERAL, verbose=0)
    logits = to_numpy(model(random_clips(), training=False))
    found = model.evaluate(random_clips(), SEVERAL, verbose=0)
    expected = np.mean(np.logaddexp(0, logits) - SEVERAL * logits)
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.backends
def test_a_multi_label_model_refuses_weights_of_classes():
    """Keras would take those of the first label alone."""
    model = compiled(slow(multi_label=True))
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(random_clips(), np.eye(3)[:2], class_weight={0: 1, 1: 2, 2: 3})


@pytest.mark.backends
@pytest.mark.parametrize("labels", [TARGETS, TARGETS[:, None], SEVERAL[:, :2]])
def test_a_multi_label_model_refuses_class_indices(labels):
    model = slow(multi_label=True)
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True), run_eagerly=True)
    with pytest.raises(
        ValueError, match=r"labels of shape \(batch, classes\).*expected \(batch, 3\)"
    ):
        model.fit(random_clips(), labels, verbose=0)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return random_clips(), TARGETS


@pytest.mark.backends
def test_class_indices_of_a_data_set_are_refused_in_the_same_words():
    """Compiled with a metric, which torch and JAX build first."""
    model = slow(multi_label=True)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=[keras.metrics.BinaryAccuracy()], run_eagerly=True)
    with pytest.raises(ValueError, match=r"labels of shape \(batch, classes\)"):
        model.fit(Batches(), verbose=0)


@pytest.mark.backends
@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([[1, 1, 0], [0, 1, 0]], "row 0 adds up to 2; 1 of 2 rows"),
        ([[0, 1, 0], [0, 0, 0]], "row 1 adds up to 0"),
        ([[0, 1, 0], [0, float("nan"), 0]], "row 1 adds up to nan"),
        ([3, 0], "from 0 to 2. Received: values from 0 to 3"),
        ([-1, 0], "values from -1 to 0"),
    ],
)
def test_a_model_of_one_label_refuses_several(rows, found):
    model = slow()
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True), run_eagerly=True)
    for run in (
        lambda y: model.fit(random_clips(), y),
        lambda y: model.fit(random_clips(), np.eye(3)[:2], validation_data=(random_clips(), y)),
        lambda y: model.evaluate(random_clips(), y),
    ):
        with pytest.raises(ValueError, match=found):
            run(np.array(rows))


def test_soft_and_mixed_labels_are_of_one_label():
    rows = np.array([[0.9, 0.05, 0.05], [0.3, 0.7, 0]], "float16")
    model = slow()
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True), run_eagerly=True)
    assert np.isfinite(model.evaluate(random_clips(), rows, verbose=0))


class OfKind(Named):
    def __init__(self, multi_label):
        super().__init__()
        self.multi_label = multi_label


def test_data_of_the_other_kind_of_labels_are_refused():
    one, several = OfKind(False), OfKind(True)
    with pytest.raises(
        ValueError, match=r"^The training data may have several labels .* one: make"
    ):
        slow().fit(several)
    with pytest.raises(ValueError, match=r"^The validation data may have several"):
        slow().fit(one, validation_data=several)
    with pytest.raises(ValueError, match=r"^The data may have several"):
        slow().evaluate(several)
    with pytest.raises(ValueError, match=r"have one label for each .*read_csv\(.*multi_label=True"):
        slow(multi_label=True).fit(one)
