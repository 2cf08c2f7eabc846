import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from tiny_network import LABELS, random_clips, randomize, two_stream
from video_files import numbered_frames, write_video

import keras_acl
from keras_acl.engines import InferenceModel
from keras_acl.pretrained.card import Card
from keras_acl.system.devices import tensorflow

ENDINGS = {".xml": "openvino", ".onnx": "onnxruntime", ".tflite": "ai_edge_litert"}

pytestmark = [
    pytest.mark.skipif(tensorflow() is None, reason="TensorFlow has the exporters"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def model():
    made = randomize(two_stream())
    made.card = Card("mine", "A description", "MIT", "here")
    return made


@pytest.fixture(scope="module", params=ENDINGS)
def file(request, model, tmp_path_factory):
    pytest.importorskip(ENDINGS[request.param])
    path = tmp_path_factory.mktemp("exported") / f"tiny{request.param}"
    return keras_acl.export(model, path, maps="all").path


@pytest.fixture(scope="module")
def loaded(file):
    return keras_acl.load_model(file)


def test_it_knows_what_the_model_knows(loaded, model):
    assert isinstance(loaded, InferenceModel)
    assert (loaded.clip, loaded.labels, loaded.class_names) == (model.clip, LABELS, LABELS)
    assert (loaded.num_classes, loaded.multi_label, loaded.card) == (3, False, model.card)
    assert loaded.saved_as == "tiny"
    assert "TwoStreamClassifier" in repr(loaded)


def test_it_computes_the_same_some_clips_at_a_time(loaded, model):
    clips = random_clips(5)
    expected = keras.ops.convert_to_numpy(model(clips, training=False))
    for size in (2, 8):
        np.testing.assert_allclose(loaded.predict(clips, size), expected, rtol=1e-4, atol=1e-4)
    scores = keras.ops.convert_to_numpy(model.scores(expected))
    np.testing.assert_allclose(loaded.scores(expected), scores, rtol=1e-5)


def test_many_batches_come_in_their_order(loaded):
    batches = [random_clips(2, seed) for seed in range(7)]
    found = list(loaded.run_many(iter(batches)))
    assert len(found) == 7
    for batch, outputs in zip(batches, found, strict=True):
        np.testing.assert_allclose(outputs["logits"], loaded.predict(batch), rtol=1e-4, atol=1e-4)


def test_maps_of_any_class(loaded, model):
    clips = random_clips(2)
    bias = keras.ops.convert_to_numpy(model.classifier.bias)
    logits = loaded.predict(clips)
    for classes in (None, np.array([2, 0])):
        spatial, temporal = loaded.maps(clips, classes)
        assert (spatial.shape, temporal.shape) == ((2, 4, 4), (2, 8, 4, 4))
        chosen = logits.argmax(axis=1) if classes is None else classes
        # The mean of a class's map is its logit without the bias.
        means = spatial.mean((1, 2)) + temporal.mean((1, 2, 3)) + bias[chosen]
        np.testing.assert_allclose(means, logits[range(2), chosen], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("clips", "said"),
    [
        (np.zeros((8, 32, 32, 3), np.uint8), r"One clip is a batch of one: clip\[None\]"),
        (np.zeros((1, 7, 32, 32, 3), np.uint8), r"Received: shape=\(1, 7, 32, 32, 3\)"),
        (np.zeros((1, 8, 32, 32, 3), np.float32), "uint8 clips.*dtype=float32"),
        (np.zeros((0, 8, 32, 32, 3), np.uint8), "at least one clip"),
    ],
    ids=["one-clip", "frames", "dtype", "none"],
)
def test_clips_that_do_not_fit(clips, said, loaded):
    with pytest.raises(ValueError, match=said):
        loaded.predict(clips)


@pytest.mark.parametrize("left", [0, 0.5, 0.98], ids=["empty", "half", "almost"])
def test_truncated_files(left, file, tmp_path):
    broken = tmp_path / file.name
    for source in file.parent.iterdir():
        content = source.read_bytes()
        (tmp_path / source.name).write_bytes(content[: int(left * len(content))])
    with pytest.raises(ValueError, match="is damaged"):
        keras_acl.load_model(broken).predict(random_clips(1))


@pytest.mark.parametrize("ending", ENDINGS)
def test_files_that_are_no_models(ending, tmp_path):
    pytest.importorskip(ENDINGS[ending])
    with pytest.raises(FileNotFoundError, match="There is no file"):
        keras_acl.load_model(tmp_path / f"none{ending}")
    foreign = tmp_path / f"foreign{ending}"
    foreign.write_bytes(b"<net>" * 100)
    with pytest.raises(ValueError, match=f"foreign{ending} is damaged, or was not written by"):
        keras_acl.load_model(foreign)


def test_a_batch_that_the_file_fixes(model, tmp_path):
    pytest.importorskip("openvino")
    fixed = keras_acl.load_model(keras_acl.export(model, tmp_path / "two.xml", batch=2).path)
    clips = random_clips(3)
    assert fixed.input_shape == (2, 8, 32, 32, 3)
    expected = keras.ops.convert_to_numpy(model(clips, training=False))
    np.testing.assert_allclose(fixed.predict(clips), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=r'has no attention maps.*maps="all"'):
        fixed.maps(clips)


def test_maps_of_the_predicted_class_alone(model, tmp_path):
    pytest.importorskip("openvino")
    loaded = keras_acl.load_model(keras_acl.export(model, tmp_path / "a.xml", maps=True).path)
    clips = random_clips(2)
    best = loaded.predict(clips).argmax(axis=1)
    np.testing.assert_array_equal(loaded.maps(clips)[0], loaded.maps(clips, best)[0])
    with pytest.raises(ValueError, match="of the predicted class only"):
        loaded.maps(clips, (best + 1) % 3)


LIGHT = """
import sys
for name in ("keras", "tensorflow", "torch", "jax"):
    sys.modules[name] = None
import json, keras_acl
file, video = sys.argv[1:]
model = keras_acl.load_model(file)
(prediction,) = keras_acl.predict_videos(model, [video])
timeline = keras_acl.predict_timeline(model, video)
features = keras_acl.features(model, [video])
scores = keras_acl.evaluate_views(model, [video], 1, 1) if file.endswith(".xml") else None
keras_acl.explain(model, video, video + "_attention.gif", clips=1)
assert scores is None or scores.done.all()
found = prediction.scores, timeline.scores, features.features
print(json.dumps([array.tolist() for array in found]))
"""


@pytest.mark.slow
def test_videos_without_keras(file, model, tmp_path):
    video = write_video(tmp_path / "video.mp4", numbered_frames(60))
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, str(file), str(video)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    scores, timeline, features = json.loads(done.stdout)
    (prediction,) = keras_acl.predict_videos(model, [video])
    np.testing.assert_allclose(scores, prediction.scores, atol=1e-4)
    expected = keras_acl.predict_timeline(model, video).scores
    np.testing.assert_allclose(timeline, expected, atol=1e-4)
    expected = keras_acl.features(model, [video]).features
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


def test_what_an_interrupted_computation_asks(file, loaded, tmp_path):
    for source in file.parent.iterdir():
        shutil.copy(source, tmp_path)
    same = keras_acl.load_model(tmp_path / file.name)
    assert same.fingerprint("a") == loaded.fingerprint("a") != loaded.fingerprint("b")
