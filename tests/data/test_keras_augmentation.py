"""RandAugment and mixup; on all backends, as their layers run on the one that is active."""

import keras
import numpy as np
import pytest

from keras_acl.data.augmentation import Augmentation
from keras_acl.data.keras_augmentation import apply_layers, mix_up, rand_augment

pytestmark = pytest.mark.backends


class Chosen:
    """Chance that always chooses one operation, and draws seeds as usual."""

    def __init__(self, operation: int) -> None:
        self.operation = operation
        self.rng = np.random.default_rng(operation)

    def integers(self, high, size=None):
        return self.rng.integers(high) if size is None else np.array([self.operation])


@pytest.fixture(scope="module")
def still() -> np.ndarray:
    """A clip (4, 24, 32, 3) of one frame, repeated: a blurred random picture."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 200, (6, 8, 3), np.uint8)
    return np.repeat(coarse.repeat(4, 0).repeat(4, 1)[None], 4, axis=0)


@pytest.mark.parametrize("operation", range(9))
def test_every_operation_treats_all_frames_alike(still, operation):
    result = rand_augment(still, 0.7, Chosen(operation))
    assert result.shape == still.shape
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, np.repeat(result[:1], 4, axis=0))
    assert not np.array_equal(result, still)


def test_frames_do_not_mix():
    """Black and white frames stay black and white where the frame is only moved or turned."""
    clip = np.repeat(np.array([0, 255, 0], np.uint8), 16 * 16 * 3).reshape(3, 16, 16, 3)
    for operation in range(3):
        np.testing.assert_array_equal(rand_augment(clip, 1.0, Chosen(operation)), clip)


def test_contrast_is_stretched_over_the_clip_not_frame_by_frame():
    clip = np.stack([np.full((8, 8, 3), level, np.uint8) for level in (50, 100, 150)])
    stretched = rand_augment(clip, 0.5, Chosen(8))  # AutoContrast
    assert stretched[:, 0, 0, 0].tolist() == [0, 128, 255]


def test_randaugment_is_reproducible(still):
    runs = [rand_augment(still, 0.5, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_a_weak_randaugment_changes_little(still):
    def change(magnitude):  # of all operations but AutoContrast, which knows no strength
        runs = [rand_augment(still, magnitude, Chosen(operation)) for operation in range(8)]
        return np.mean([np.abs(run.astype(float) - still).mean() for run in runs])

    assert 0 < change(0.05) < 0.3 * change(1.0)


def test_mixup_blends_clips_and_classes_alike():
    levels = np.array([0, 100, 200, 250])
    clips = np.broadcast_to(levels[:, None, None, None, None], (4, 2, 3, 3, 3)).astype(np.uint8)
    mixed, classes = mix_up(clips, np.eye(4), 0.8, np.random.default_rng(3))
    assert mixed.dtype == classes.dtype == np.float32
    assert mixed.shape == clips.shape
    np.testing.assert_allclose(classes.sum(axis=1), 1, rtol=1e-6)
    # A clip is plain gray, so its level must be the blend of levels that its classes say.
    np.testing.assert_allclose(mixed, (classes @ levels)[:, None, None, None, None] + 0 * mixed)
    assert ((classes > 0.01) & (classes < 0.99)).any()


def test_mixup_weights_follow_beta():
    clips = np.zeros((500, 1, 1, 1, 3), np.uint8)
    _, classes = mix_up(clips, np.eye(500), 0.5, np.random.default_rng(0))
    weight = np.diag(classes)
    # Beta(0.5, 0.5): mean 1/2, variance 1/8
    assert weight.mean() == pytest.approx(0.5, abs=0.05)
    assert weight.var() == pytest.approx(0.125, abs=0.02)


# Layers of others


KERAS_LAYERS = {
    "hue": lambda: keras.layers.RandomHue(0.5),
    "rotation": lambda: keras.layers.RandomRotation(0.3),
    "erasing": lambda: keras.layers.RandomErasing((1.0, 1.0)),
    "pipeline": lambda: keras.Sequential(
        [keras.layers.RandomShear(0.5, 0.5), keras.layers.RandomBrightness(0.5)]
    ),
}
KERAS_CV_LAYERS = {
    "RandomCutout": {"height_factor": 0.5, "width_factor": 0.5},
    "RandomHue": {"factor": 0.5, "value_range": (0, 255)},
    "RandomShear": {"x_factor": 0.5, "y_factor": 0.5},
}


def keras_cv_layer(name):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("KerasCV computes with TensorFlow")
    keras_cv = pytest.importorskip("keras_cv", reason="keras-cv is not installed")
    return getattr(keras_cv.layers, name)(**KERAS_CV_LAYERS[name])


def check_layer(layer, still):
    """All frames alike, another draw for another seed, the same for the same."""
    runs = [apply_layers(still, [layer], np.random.default_rng(seed)) for seed in (1, 2, 3, 1)]
    for result in runs:
        assert (result.shape, result.dtype) == (still.shape, np.uint8)
        np.testing.assert_array_equal(result, np.repeat(result[:1], 4, axis=0))
    assert len({result.tobytes() for result in runs[:3]}) > 1
    assert any(not np.array_equal(result, still) for result in runs)
    np.testing.assert_array_equal(runs[0], runs[3])


@pytest.mark.parametrize("name", KERAS_LAYERS)
def test_a_layer_of_keras_draws_once_for_a_clip(name, still):
    check_layer(KERAS_LAYERS[name](), still)


@pytest.mark.parametrize("name", KERAS_CV_LAYERS)
def test_a_layer_of_keras_cv_draws_once_for_a_clip(name, still):
    check_layer(keras_cv_layer(name), still)


def test_layers_follow_each_other_and_draw_apart(still):
    layers = [keras.layers.RandomFlip("horizontal"), keras.layers.RandomFlip("horizontal")]
    kinds = {
        apply_layers(still, layers, np.random.default_rng(seed)).tobytes() for seed in range(12)
    }
    assert kinds == {still.tobytes(), still[:, :, ::-1].tobytes()}  # both, one or none turned
    doubled = apply_layers(still, [keras.layers.Rescaling(0.5)] * 2, np.random.default_rng(0))
    np.testing.assert_array_equal(doubled, np.rint(still / 4).astype(np.uint8))


def test_a_layer_that_changes_the_size_is_refused(still):
    with pytest.raises(ValueError, match=r"makes \(12, 12, 3\) of \(24, 32, 3\)"):
        apply_layers(still, [keras.layers.CenterCrop(12, 12)], np.random.default_rng(0))


def test_an_augmentation_takes_layers_and_nothing_else():
    layer = keras.layers.RandomHue(0.1)
    assert Augmentation(layers=[layer]).layers == (layer,)
    for wrong in (keras.layers.RandomHue, "hue"):
        with pytest.raises(ValueError, match=r"such as keras\.layers\.RandomHue\(0\.1\)"):
            Augmentation(layers=[wrong])
