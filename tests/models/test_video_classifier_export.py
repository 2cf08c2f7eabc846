"""A model goes to other engines as it is: without a call before, uint8 clips in, float32 inside."""

import keras
import numpy as np
import pytest
from harness import to_numpy
from tiny_network import CLIP, predict, random_clips, randomize, slow, slowfast, two_stream

from keras_acl import load_model, optimize
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
