import keras
import numpy as np
import pytest
from harness import check_config, crossentropy, dtype_of, to_numpy
from tiny_network import EAGER, TARGETS, compiled, fit, predict, random_clips, randomize, slowfast

from keras_acl.layers.lateral_fusion import FUSIONS


@pytest.mark.parametrize(
    ("fusion", "policy"),
    [
        pytest.param("conv", "float32", marks=pytest.mark.backends),
        ("sum", "float32"),
        ("max", "mixed_bfloat16"),
        ("concat", "float32"),
        ("none", "mixed_bfloat16"),
    ],
)
def test_trained_evaluated_and_saved(fusion, policy, tmp_path):
    graph = fusion == "conv"  # one of them as users train
    model = compiled(randomize(slowfast(fusion=fusion, dtype=policy)), 1e-4, eager=not graph)
    before = to_numpy(model.classifier.kernel)
    logs = fit(model, validation_data=(random_clips(), TARGETS))
    assert set(logs) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert not np.array_equal(to_numpy(model.classifier.kernel), before)
    model.run_eagerly = EAGER
    logits = model.predict(random_clips(), verbose=0)
    tolerance = 1e-4 if policy == "float32" else 0.02
    assert logs["val_loss"] == pytest.approx(crossentropy(logits, TARGETS), rel=tolerance)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert loaded.get_config() == model.get_config()
    loaded.compile(run_eagerly=EAGER)
    np.testing.assert_array_equal(loaded.predict(random_clips(), verbose=0), logits)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_fast_frames_reach_the_slow_pathway_by_fusion_alone(fusion):
    model = randomize(slowfast(fusion=fusion))
    clip = random_clips(1)
    changed = clip.copy()
    changed[:, 1:7] = 255 - changed[:, 1:7]  # the slow pathway sees 0 and 7
    before, after = (to_numpy(model.features(x)[0]) for x in (clip, changed))
    assert (np.abs(after - before).max() > 0.1) == (fusion != "none")


def test_slow_pathway_never_reaches_the_fast_one():
    model = randomize(slowfast())
    before = [to_numpy(F) for F in model.features(random_clips())]
    for v in model.streams.variables:
        if v.path.startswith("slow_") and v.name == "kernel":
            v.assign(v * 0.5)
    after = [to_numpy(F) for F in model.features(random_clips())]
    np.testing.assert_array_equal(after[1], before[1])
    assert np.abs(after[0] - before[0]).max() > 0.1


def test_logits_are_the_means_of_the_class_maps():
    model = randomize(slowfast())
    maps = [
        np.einsum("bthwc,cl->bthwl", to_numpy(F), to_numpy(W))
        for F, W in zip(model.features(random_clips()), model.class_weights, strict=True)
    ]
    expected = sum(m.mean(axis=(1, 2, 3)) for m in maps) + to_numpy(model.classifier.bias)
    np.testing.assert_allclose(predict(model), expected, rtol=1e-4, atol=1e-5)


def test_batches_and_pixel_types():
    model = randomize(slowfast())
    together = predict(model)
    alone = np.concatenate([predict(model, clip[None]) for clip in random_clips()])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(predict(model, random_clips().astype("float32")), together)


def test_odd_and_varying_sizes():
    model = slowfast()
    assert [tuple(F.shape[2:4]) for F in model.features(random_clips(1, height=33, width=47))] == [
        (5, 6),
        (5, 6),
    ]
    assert predict(model, random_clips(1, height=33, width=47)).shape == (1, 3)


def test_without_fusion_it_is_the_two_streams():
    # SlowFast* of Table 3: the layers of the paper's network under other names.
    pair = slowfast(fusion="none")
    names = {layer.name for layer in pair.streams.layers}
    assert not any(name.startswith("fuse") for name in names)
    assert pair.streams.get_layer("slow_res2_0_a_conv").kernel.shape[-2] == 8


def test_config_holds_every_argument():
    model = slowfast(
        channel_ratio=4,
        fusion="sum",
        frame_indices="stride",
        mean=[0.4, 0.5, 0.6],
        std=0.25,
        dropout=0.1,
        form="native",
        folded=True,
        clips_per_group=4,
        multi_label=True,
        stream_supervision=0.25,
    )
    copy = check_config(model)
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(predict(copy), predict(model))


def test_arguments_that_do_not_fit():
    with pytest.raises(ValueError, match=r"one of .*'concat', 'none'\).*fusion='mean'"):
        slowfast(fusion="mean")
    with pytest.raises(ValueError, match="width=8, channel_ratio=3"):
        slowfast(channel_ratio=3)
    with pytest.raises(ValueError, match="frames=8, speed_ratio=5"):
        slowfast(speed_ratio=5)


def test_float32_logits_under_mixed_precision():
    assert dtype_of(slowfast(dtype="mixed_bfloat16")(random_clips())) == "float32"
