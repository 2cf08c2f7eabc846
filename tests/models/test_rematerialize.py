import keras
import numpy as np
import pytest
from harness import to_numpy
from tiny_network import LABELS, compiled, fit, random_clips, randomize, slow, slowfast, two_stream

from keras_acl import recipes
from keras_acl.models import video_classifier as classifier
from keras_acl.models.rematerialize import _segments, rematerialized

X = random_clips()


def trained(build, rematerialize: bool, **options):
    keras.utils.set_random_seed(0)
    model = compiled(randomize(build(dropout=0.0, **options)))
    model.rematerialize = rematerialize
    return model, fit(model, X)["loss"]


@pytest.mark.parametrize(
    ("build", "options", "tolerance"),
    [
        pytest.param(two_stream, {"stream_supervision": 0.5}, 2e-4, marks=pytest.mark.backends),
        (slow, {"dtype": "mixed_bfloat16"}, 2e-2),
    ],
)
def test_the_training_is_the_same(build, options, tolerance):
    """Losses, weights and the running statistics of batch normalisation.

    The tolerance is for rounding: in float64 on JAX both forms gave the same to the last bit.
    """
    plain, loss = trained(build, False, scales=(1.0, 0.5), **options)
    saved, same = trained(build, True, scales=(1.0, 0.5), **options)
    assert same == pytest.approx(loss, rel=tolerance)
    for one, other in zip(plain.variables, saved.variables, strict=True):
        np.testing.assert_allclose(
            to_numpy(other), to_numpy(one), rtol=10 * tolerance, atol=tolerance
        )


@pytest.mark.parametrize("build", [two_stream, slow])
def test_smaller_scales_are_rematerialised_too(build, monkeypatch):
    sizes = []

    def noting(stream, frames, batch_statistics=True):
        sizes.append((stream.name, frames.shape[2]))
        return rematerialized(stream, frames, batch_statistics)

    monkeypatch.setattr(classifier, "rematerialized", noting)
    model = build(scales=(1.0, 0.5))
    model.rematerialize = True
    model(X, training=True)
    assert ("spatial_stream", 32) in sizes
    assert ("spatial_stream", 16) in sizes


def test_a_stream_is_cut_at_its_blocks():
    stream = two_stream().spatial_stream
    segments = _segments(stream)
    names = [segment.layers[-1].name for segment in segments]
    assert names[0] == "stem_pool"
    assert names[-1] == stream.layers[-1].name
    assert len(names) == 1 + sum(layer.name.endswith("_out") for layer in stream.layers)
    held = {id(v) for segment in segments for v in segment.variables}
    assert held == {id(v) for v in stream.variables}
    assert _segments(stream) is segments


def test_the_recipe_asks_for_it():
    model = two_stream()
    recipes.finetune(epochs=1).compile(model, rematerialize=True)
    assert model.rematerialize
    recipes.finetune(epochs=1).compile(model)
    assert not model.rematerialize


def test_the_fused_pair_has_no_such_form():
    with pytest.raises(ValueError, match="A SlowFastClassifier cannot be rematerialised"):
        recipes.finetune(epochs=1).compile(slowfast(), rematerialize=True)


def test_a_saved_model_does_not_remember_it(tmp_path):
    model = two_stream()
    model.rematerialize = True
    model.save(tmp_path / "model.keras")
    assert not keras.saving.load_model(tmp_path / "model.keras").rematerialize
    assert model.labels == LABELS
