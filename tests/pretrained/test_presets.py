import re

import pytest

from keras_acl.models import (
    LateFusionClassifier,
    SlowClassifier,
    SlowFastClassifier,
    TwoStreamClassifier,
)
from keras_acl.models.single_stream import SingleStreamClassifier
from keras_acl.pretrained.i3d_presets import I3D
from keras_acl.pretrained.labels import read_labels
from keras_acl.pretrained.presets import ALIASES, PRESETS, find_preset
from keras_acl.pretrained.zoo_presets import ZOO
from keras_acl.speed.cost import count_multiply_adds, count_parameters

NAMES = [preset.name for preset in PRESETS]


# tests/speed/test_architectures.py counts the networks of the others.
@pytest.mark.parametrize(
    "name",
    [
        *("demo", "x3d_xs_k400", "r2plus1d_18_k400"),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("slowfast_r101_8x8_k400", *(preset.name for preset in (*I3D, *ZOO)))
            if name not in ("x3d_xs_k400", "r2plus1d_18_k400")
        ),
    ],
)
def test_record_is_what_its_network_counts(name):
    preset = find_preset(name)
    model = preset.architecture(**preset.arguments)
    assert count_parameters(model) == preset.parameters
    assert count_multiply_adds(model) == preset.multiply_adds


def test_labels_are_those_of_the_classes():
    for preset in PRESETS:
        if preset.labels is not None:
            assert len(read_labels(preset.labels)) == preset.arguments.get("num_classes", 400)


def test_counts_follow_from_each_other():
    slow, twice = find_preset("slow_r50_4x16_k400"), find_preset("slow_r50_8x8_k400")
    dense = 2048 * 400
    assert twice.parameters == slow.parameters
    assert twice.multiply_adds - dense == 2 * (slow.multiply_adds - dense)  # twice the frames
    k400, ucf101 = find_preset("k400"), find_preset("ucf101")
    assert ucf101.architecture is k400.architecture
    assert ucf101.arguments == {**k400.arguments, "num_classes": 101}
    fewer = (2048 + 256) * (400 - 101)  # weights of the dense layer
    assert k400.parameters - ucf101.parameters == fewer + 400 - 101
    assert k400.multiply_adds - ucf101.multiply_adds == fewer


def test_parameters_are_those_that_others_published():
    """PyTorchVideo's model zoo, millions: it pins the lateral kernels down, 5 or 7."""
    published = {
        "slow_r50_4x16_k400": 32.45,
        "slow_r50_8x8_k400": 32.45,
        "slowfast_r50_4x16_k400": 34.48,
        "slowfast_r50_8x8_k400": 34.57,
        "slowfast_r101_8x8_k400": 62.83,
        "c2d_r50_8x8_k400": 24.33,
        "i3d_r50_8x8_k400": 28.04,
        "csn_r101_32x2_k400": 22.21,
        "r2plus1d_r50_16x4_k400": 28.11,
        "x3d_m_k400": 3.79,
        "x3d_l_k400": 6.15,
    }
    for name, millions in published.items():
        assert round(find_preset(name).parameters / 1e6, 2) == millions


def test_names_and_aliases():
    assert len(set(NAMES)) == len(NAMES)
    assert {"ucf101", "demo", *ALIASES.values()} <= set(NAMES)
    assert find_preset("k400") is find_preset("acl_r50_4x16_k400")
    architectures = {"acl": TwoStreamClassifier, "slowfast": SlowFastClassifier}
    architectures["slow"] = SlowClassifier
    for preset in PRESETS:
        if preset.name == "i3d_two_stream_k400":
            assert preset.architecture is LateFusionClassifier
            continue
        if preset in (*ZOO, *I3D):
            assert issubclass(preset.architecture, SingleStreamClassifier)
            continue
        kind = architectures.get(preset.name.split("_")[0], TwoStreamClassifier)
        assert preset.architecture is kind


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"no preset 'slowfast_r50_4x16'. Did you mean slowfast_r"):
        find_preset("slowfast_r50_4x16")
    with pytest.raises(ValueError, match=r"no preset 'zzz'\. Known: k400, "):
        find_preset("zzz")


def test_every_number_has_a_protocol_and_somebody_who_measured_it():
    for preset in PRESETS:
        preset.card.check_publishable()
        for metric in preset.card.metrics:
            if "pytorch.org" in preset.card.source:
                assert metric.measured_by.startswith("torchvision")
                assert re.match(
                    r"[15] clips? of (16|128) frames at 15 fps, centre", metric.protocol
                )
                continue
            if "pytorch-i3d" in preset.card.source:
                assert metric.measured_by.startswith("kinetics-i3d")
                assert metric.dataset == "Kinetics-400 test"
                assert "does not say of how many views" in metric.protocol
                continue
            if "ig65m" in preset.card.source:
                assert metric.measured_by.startswith("VMZ's model zoo")
                assert "does not say of how many views" in metric.protocol
                continue
            assert metric.measured_by.startswith("PyTorchVideo")
            side = {"x3d_xs": 182, "x3d_s": 182, "x3d_l": 356}.get(preset.name[:-5], 256)
            assert f"10 clips x 3 crops of {side} " in metric.protocol


def test_every_preset_says_where_it_comes_from():
    for preset in PRESETS:
        assert preset.card.licence
        assert preset.hub.endswith(f"/{preset.name}")
        assert preset.revision or preset.checkpoints or preset.command
        for checkpoint in preset.checkpoints:
            endings = {"pytorchvideo": "pyth", "pytorch-i3d": "pt"}
            found = [end for name, end in endings.items() if f"/{name}/" in checkpoint.url]
            (ending,) = found or ["pth"]
            assert re.fullmatch(rf"https://\S+\.{ending}", checkpoint.url)
            assert checkpoint.url in preset.card.source


def test_k400_does_not_claim_the_papers_number():
    card = find_preset("k400").card
    assert not card.metrics  # the sum of two networks' logits, which nobody has measured
    assert "Nobody has measured its accuracy" in card.notes
    assert "75.7" in card.notes
    assert "has not been trained with the attention-consistency loss" in card.notes


def test_labels():
    labels = read_labels("kinetics400")
    assert len(set(labels)) == 400
    assert list(labels) == sorted(labels)
    assert (labels[0], labels[399]) == ("abseiling", "zumba")
    with pytest.raises(ValueError, match=r"no labels 'k400'. Expected: kinetics400"):
        read_labels("k400")
