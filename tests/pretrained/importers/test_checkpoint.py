import shutil

import keras
import numpy as np
import pytest
import torch
from pretrained.importers.parity import FILES, FOLDER, assert_close, clip, expected
from tiny_network import at_once

from keras_acl import ClipSpec
from keras_acl.models import SlowClassifier, SlowFastClassifier, TwoStreamClassifier
from keras_acl.pretrained.importers import import_checkpoint, warm_start


@pytest.fixture(scope="module", params=FILES)
def imported(request):
    return request.param, *import_checkpoint(FOLDER / request.param, speed_ratio=8)


def run(model, clip):
    """Features of the streams and logits."""
    outputs = at_once(model, lambda clips: [*model.features(clips), model(clips, training=False)])
    return outputs(clip)


@pytest.mark.backends
def test_outputs_are_those_of_the_reference_implementation(imported):
    file, model, _ = imported
    *maps, logits = run(model, clip())
    assert_close(logits, expected(file, "logits_64"))
    probabilities = expected(file, "probs_64")
    if probabilities is not None:
        assert_close(keras.ops.softmax(logits), probabilities)
    for features, stream in zip(maps, ("slow", "fast"), strict=False):
        reference = expected(file, f"{stream}_res5_64")
        if reference is not None:
            assert_close(features, reference)


def test_architecture_is_read_from_the_tensors(imported):
    file, model, _ = imported
    assert (model.depth, model.width, model.num_classes) == (50, 8, 13)
    if file == "ptv_slow.pyth":
        assert type(model) is SlowClassifier
        return
    assert type(model) is SlowFastClassifier
    assert model.channel_ratio == 8
    assert model.fusion_kernel == (7 if file == "ptv_slowfast.pyth" else 5)
    assert model.fusion == ("conv_linear" if file.startswith("mmaction2") else "conv")


def test_normalisation_and_slow_frames_travel_with_the_model(imported):
    file, model, _ = imported
    if file.startswith("mmaction2"):
        assert model.frame_indices == "stride"
        np.testing.assert_allclose(np.multiply(model.mean, 255), (123.675, 116.28, 103.53))
        np.testing.assert_allclose(np.multiply(model.std, 255), (58.395, 57.12, 57.375))
    else:
        assert (model.frame_indices, model.mean, model.std) == ("linspace", 0.45, 0.225)


def test_report_accounts_for_every_tensor(imported):
    file, model, report = imported
    (source,) = report.sources
    path = FOLDER / file
    if path.suffix == ".pkl":
        import pickle

        with open(path, "rb") as pickled:  # a file of our own
            names = pickle.load(pickled, encoding="latin1")["blobs"].keys()
    else:
        content = torch.load(path, weights_only=True)
        names = content.get("model_state", content.get("state_dict")).keys()
    assert source.used.keys() | source.ignored.keys() >= set(names)
    beside = source.ignored.keys() - set(names)
    assert beside == (
        {"epoch", "optimizer_state", "cfg"}
        if file == "psf_slowfast.pyth"
        else {"meta"}
        if file.startswith("mm")
        else set()
    )
    assert not source.used.keys() & source.ignored.keys()
    weights = [v for v in model.variables if "seed_generator" not in v.path]
    assert len(set(source.used.values())) == len(source.used) == len(weights)
    assert not report.notes
    assert str(len(source.used)) in str(report)
    assert f">{len(source.used)}<" in report._repr_html_()


@pytest.mark.backends
def test_warm_start_is_the_slow_network_and_the_fast_pathway():
    model, report = warm_start(
        FOLDER / "ptv_slowfast.pyth", FOLDER / "ptv_slow.pyth", speed_ratio=8
    )
    assert type(model) is TwoStreamClassifier
    _, temporal, logits = run(model, clip())
    fast = expected("ptv_slowfast", "fast_res5_64")
    assert_close(temporal, fast)
    # Slow's logits, and what the fast pathway adds to SlowFast's.
    state = torch.load(FOLDER / "ptv_slowfast.pyth", weights_only=True)["model_state"]
    kernel = state["blocks.6.proj.weight"].numpy().T
    added = fast.mean(axis=(1, 2, 3)) @ kernel[-fast.shape[-1] :]
    assert np.abs(added).max() > 0.01
    assert_close(logits, expected("ptv_slow", "logits_64") + added)
    assert len(report.sources) == 2
    assert "never trained together" in str(report)


def test_warm_start_from_slowfast_alone_is_both_pathways_without_lateral_inputs():
    file = "psf_slowfast.pyth"
    model, report = warm_start(FOLDER / file, speed_ratio=8)
    assert "not a model" in str(report)
    spatial, temporal, _ = run(model, clip())
    assert_close(temporal, expected("psf_slowfast", "fast_res5_64"))
    # The same as SlowFast whose lateral features are zero.
    fused, _ = import_checkpoint(FOLDER / file, speed_ratio=8)
    for variable in fused.streams.variables:
        if "fuse" in variable.path and variable.path.endswith(("gamma", "beta")):
            variable.assign(np.zeros(variable.shape))
    slow, *_ = run(fused, clip())
    assert_close(spatial, slow, tolerance=1e-5)
    np.testing.assert_array_equal(*(m.classifier.get_weights()[0] for m in (model, fused)))
    lateral = [name for name, why in report.sources[0].ignored.items() if "lateral" in why]
    assert len(lateral) == 4 * 5


def test_speed_ratio_and_labels_can_be_given():
    labels = [f"class {index}" for index in range(13)]
    model, report = import_checkpoint(FOLDER / "ptv_slow.pyth", labels=labels, speed_ratio=4)
    assert model.speed_ratio == 4
    assert model.labels == tuple(labels)
    assert not report.notes
    with pytest.raises(ValueError, match=r"Expected one label for each class: 13. Received: 2"):
        import_checkpoint(FOLDER / "ptv_slow.pyth", labels=["a", "b"], speed_ratio=8)


@pytest.mark.parametrize(
    ("file", "key", "text", "speed_ratio"),
    [
        (
            "psf_slowfast.pyth",
            "cfg",
            "MIXUP:\n  ALPHA: 0.8\nSLOWFAST:\n  FUSION: x\n  ALPHA: 4\n  BETA: 8\nX:\n  ALPHA: 1\n",
            4,
        ),
        ("mmaction2_slowfast.pth", "meta", {"config": "resample_rate=4,  # tau\n"}, 4),
        ("ptv_slow.pyth", "cfg", "DATA:\n  MEAN:\n  - 0.45\n  NUM_FRAMES: 8\n", 4),
    ],
)
def test_speed_ratio_is_read_from_a_configuration_in_the_file(
    tmp_path, file, key, text, speed_ratio
):
    content = torch.load(FOLDER / file, weights_only=True)
    torch.save({**content, key: text}, tmp_path / file)
    model, report = import_checkpoint(tmp_path / file)
    assert model.speed_ratio == speed_ratio
    assert not report.notes


@pytest.mark.parametrize(
    ("name", "speed_ratio"),
    [
        ("SLOWFAST_4x16_R50.pyth", 8),
        ("SLOWFAST_8x8_R50.pyth", 4),
        ("slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb.pth", 4),
    ],
)
def test_speed_ratio_is_read_from_the_name_and_the_report_says_so(tmp_path, name, speed_ratio):
    shutil.copy(FOLDER / "ptv_slowfast.pyth", tmp_path / name)
    model, report = import_checkpoint(tmp_path / name)
    assert model.speed_ratio == speed_ratio
    assert report.notes == (f"α = {speed_ratio}, as the name of {tmp_path / name} says.",)
    model, report = warm_start(tmp_path / name, FOLDER / "ptv_slow.pyth")
    assert model.speed_ratio == speed_ratio


def test_a_slow_network_sees_as_many_frames_as_its_name_says(tmp_path):
    shutil.copy(FOLDER / "ptv_slow.pyth", tmp_path / "SLOW_8x8_R50.pyth")
    for frames in (32, 16):
        clip = ClipSpec(frames=frames, span=64)
        model, _ = import_checkpoint(tmp_path / "SLOW_8x8_R50.pyth", clip=clip)
        assert model.spatial_stream.input_shape[1] == 8


@pytest.mark.parametrize("name", ["model.pyth", "slowfast_14x16_8x81.pyth", "4x16_or_8x8.pyth"])
def test_a_speed_ratio_that_nothing_says_is_asked_for(tmp_path, name):
    shutil.copy(FOLDER / "psf_slowfast.pyth", tmp_path / name)
    for read in (import_checkpoint, warm_start):
        with pytest.raises(ValueError, match=r"tells the speed ratio α. Pass speed_ratio=8 for a"):
            read(tmp_path / name)


def test_the_files_of_a_pair_may_not_say_different_speed_ratios(tmp_path):
    for file, name in (("ptv_slowfast", "SLOWFAST_4x16.pyth"), ("ptv_slow", "SLOW_8x8.pyth")):
        shutil.copy(FOLDER / f"{file}.pyth", tmp_path / name)
    with pytest.raises(ValueError, match=r"numbers of slow frames: speed ratios \[4, 8\]"):
        warm_start(tmp_path / "SLOWFAST_4x16.pyth", tmp_path / "SLOW_8x8.pyth")


def changed(tmp_path, change, file="ptv_slow.pyth"):
    """A copy of a checkpoint whose tensors went through `change`."""
    state = dict(torch.load(FOLDER / file, weights_only=True)["model_state"])
    torch.save({"model_state": change(state) or state}, tmp_path / file)
    return tmp_path / file


@pytest.mark.parametrize("prefix", ["model.", "module."])
def test_prefix_of_a_wrapper(tmp_path, prefix):
    file = changed(tmp_path, lambda state: {prefix + key: value for key, value in state.items()})
    model, _ = import_checkpoint(file, speed_ratio=8)
    reference, _ = import_checkpoint(FOLDER / "ptv_slow.pyth", speed_ratio=8)
    for ours, theirs in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_missing_tensor(tmp_path):
    def drop(state):
        del state["blocks.2.res_blocks.1.branch2.norm_b.bias"]

    file = changed(tmp_path, drop)
    with pytest.raises(ValueError, match=r"lacks 1 of 267 tensors.*slow_res3_1_b_bn/beta"):
        import_checkpoint(file, speed_ratio=8)


def test_tensor_without_a_place(tmp_path):
    def add(state):
        state["blocks.2.res_blocks.1.nonlocal.weight"] = torch.zeros(3)

    with pytest.raises(ValueError, match=r"1 of its 321 tensors have no place.*nonlocal"):
        import_checkpoint(changed(tmp_path, add), speed_ratio=8)


def test_tensor_of_a_layer_that_the_network_does_not_have(tmp_path):
    def add(state):
        state["blocks.2.res_blocks.1.branch1_conv.weight"] = torch.zeros(64, 64, 1, 1, 1)

    with pytest.raises(ValueError, match="no place for: slow_res3_1_shortcut_conv/kernel"):
        import_checkpoint(changed(tmp_path, add), speed_ratio=8)


def test_wrong_shape(tmp_path):
    def cut(state):
        name = "blocks.3.res_blocks.0.branch2.conv_a.weight"
        state[name] = state[name][:, :, :1]

    with pytest.raises(ValueError, match=r"slow_res4_0_a_conv/kernel has the shape \(1, 1, 1,"):
        import_checkpoint(changed(tmp_path, cut), speed_ratio=8)


def test_value_that_is_not_finite(tmp_path):
    def spoil(state):
        state["blocks.0.norm.running_var"][1] = float("nan")

    with pytest.raises(ValueError, match=r"blocks\.0\.norm\.running_var holds values that are not"):
        import_checkpoint(changed(tmp_path, spoil), speed_ratio=8)


def test_unknown_depth(tmp_path):
    def drop(state):
        return {key: value for key, value in state.items() if "blocks.3.res_blocks.5." not in key}

    with pytest.raises(ValueError, match=r"stages of \(3, 4, 5, 3\) bottleneck blocks"):
        import_checkpoint(changed(tmp_path, drop), speed_ratio=8)


def test_pair_of_checkpoints_must_fit(tmp_path):
    def cut(state):
        for name in ("blocks.5.proj.weight", "blocks.5.proj.bias"):
            state[name] = state[name][:12]

    with pytest.raises(ValueError, match=r"must have the same num_classes. Received: 12 in"):
        warm_start(FOLDER / "ptv_slowfast.pyth", changed(tmp_path, cut))
    with pytest.raises(ValueError, match=r"has one pathway. Expected a SlowFast checkpoint"):
        warm_start(FOLDER / "ptv_slow.pyth")
    with pytest.raises(ValueError, match="Expected a Slow network with the normalisation"):
        warm_start(FOLDER / "ptv_slowfast.pyth", FOLDER / "psf_slowfast.pyth")


def test_other_clip():
    spec = ClipSpec(frames=16, span=32, size=64)
    model, _ = import_checkpoint(FOLDER / "ptv_slow.pyth", speed_ratio=8, clip=spec)
    assert model.clip == spec
    assert model.spatial_stream.input_shape[1] == 2
