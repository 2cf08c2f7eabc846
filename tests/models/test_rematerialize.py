import keras
import numpy as np
import pytest
from harness import to_numpy
from models import tiny
from models.tiny import clips, compiled, randomize, slow, slowfast, two_stream

from keras_acl import recipes
from keras_acl.models import video_classifier as classifier
from keras_acl.models.rematerialize import _segments, rematerialized

X = clips(4)
Y = np.array([0, 1, 2, 0])


def trained(build, rematerialize: bool, **options):
    keras.utils.set_random_seed(0)
    model = compiled(randomize(build(dropout=0.0, **options)))
    model.rematerialize = rematerialize
    losses = model.fit(X, Y, batch_size=2, epochs=1, shuffle=False, verbose=0).history["loss"]
    return model, losses


@pytest.mark.backends
@pytest.mark.parametrize(
    ("build", "scales"), [(two_stream, (1.0, 0.5)), (slow, (1.0,)), (slow, (1.0, 0.5))]
)
def test_the_training_is_the_same(build, scales):
    """Losses, weights and the running statistics of batch normalisation."""
    plain, losses = trained(build, False, scales=scales)
    saved, same = trained(build, True, scales=scales)
    np.testing.assert_allclose(same, losses, rtol=1e-4)
    for one, other in zip(plain.variables, saved.variables, strict=True):
        np.testing.assert_allclose(to_numpy(other), to_numpy(one), rtol=2e-3, atol=2e-4)


def test_in_mixed_precision_too():
    _, losses = trained(slow, True, dtype="mixed_bfloat16")
    assert np.isfinite(losses).all()


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
    assert model.labels == tiny.LABELS
