"""Names that no parity file has: networks with one pathway, and fusion with normalisation."""

import pickle
import re

import numpy as np
import pytest
import torch
from pretrained.importers.parity import FOLDER

from keras_acl.pretrained.importers import import_checkpoint
from keras_acl.pretrained.importers.formats import (
    CAFFE2,
    IGNORED,
    MMACTION2,
    PYSLOWFAST,
    PYTORCHVIDEO,
    TWO_PATHWAYS,
)

NAMES = [
    (PYTORCHVIDEO, "blocks.0.conv.weight", "slow_stem_conv/kernel"),
    (
        PYTORCHVIDEO,
        "blocks.0.multipathway_blocks.1.norm.running_var",
        "fast_stem_bn/moving_variance",
    ),
    (PYTORCHVIDEO, "blocks.4.res_blocks.2.branch2.conv_c.weight", "slow_res5_2_c_conv/kernel"),
    (PYTORCHVIDEO, "blocks.1.res_blocks.0.branch1_norm.bias", "slow_res2_0_shortcut_bn/beta"),
    (PYTORCHVIDEO, "blocks.3.multipathway_fusion.norm.weight", "fuse4_bn/gamma"),
    (PYTORCHVIDEO, "blocks.5.proj.weight", "classifier/kernel"),
    (PYTORCHVIDEO, "blocks.0.norm.num_batches_tracked", IGNORED),
    (PYTORCHVIDEO, "blocks.7.conv.weight", None),
    (PYSLOWFAST, "s1.pathway0_stem.conv.weight", "slow_stem_conv/kernel"),
    (PYSLOWFAST, "s4.pathway1_res22.branch2.b_bn.weight", "fast_res4_22_b_bn/gamma"),
    (PYSLOWFAST, "s3.pathway0_res0.branch1.weight", "slow_res3_0_shortcut_conv/kernel"),
    (PYSLOWFAST, "s2_fuse.conv_f2s.weight", "fuse2_conv/kernel"),
    (PYSLOWFAST, "head.projection.bias", "classifier/bias"),
    (CAFFE2, "conv1_w", "slow_stem_conv/kernel"),
    (CAFFE2, "t_res_conv1_bn_riv", "fast_stem_bn/moving_variance"),
    (CAFFE2, "res4_22_branch2c_bn_rm", "slow_res4_22_c_bn/moving_mean"),
    (CAFFE2, "t_pool1_subsample_w", "fuse1_conv/kernel"),
    (CAFFE2, "t_res4_22_branch2c_bn_subsample_bn_s", "fuse4_bn/gamma"),
    (CAFFE2, "pred_b", "classifier/bias"),
    (CAFFE2, "res2_0_branch2a_w_momentum", IGNORED),
    (CAFFE2, "lr", IGNORED),
    (MMACTION2, "backbone.conv1.conv.weight", "slow_stem_conv/kernel"),
    (MMACTION2, "backbone.fast_path.layer4.2.conv3.bn.weight", "fast_res5_2_c_bn/gamma"),
    (MMACTION2, "backbone.layer3.0.downsample.conv.weight", "slow_res4_0_shortcut_conv/kernel"),
    (MMACTION2, "backbone.slow_path.layer2_lateral.conv.weight", "fuse3_conv/kernel"),
    (MMACTION2, "backbone.slow_path.conv1_lateral.bn.running_mean", "fuse1_bn/moving_mean"),
    (MMACTION2, "cls_head.fc_cls.weight", "classifier/kernel"),
]


@pytest.mark.parametrize(("format_", "foreign", "ours"), NAMES)
def test_translate(format_, foreign, ours):
    assert format_.translate(foreign) == ours


def test_no_name_belongs_to_two_formats():
    for format_, foreign, ours in NAMES:
        if ours and ours != IGNORED:
            others = [other.translate(foreign) for other in TWO_PATHWAYS if other is not format_]
            assert others == [None] * 3


def slow_state() -> dict:
    return torch.load(FOLDER / "ptv_slow.pyth", weights_only=True)["model_state"]


def renamed(name: str, rules: dict[str, str]) -> str:
    """A PyTorchVideo name in another format, by substitutions written out for this test."""
    for pattern, replacement in rules.items():
        name = re.sub(pattern, replacement, name)
    return name


STAGES = {rf"blocks\.{stage}\.res_blocks": rf"layer{stage}" for stage in (1, 2, 3, 4)}
SLOW_ONLY = {
    r"blocks\.5\.proj": "cls_head.fc_cls",
    r"^blocks\.0\.(conv|norm)": r"conv1.\1",
    **STAGES,
    **{rf"branch2\.(conv|norm)_{part}": rf"conv{i}.\1" for i, part in enumerate("abc", 1)},
    r"branch1_": "downsample.",
    r"\.norm\.": ".bn.",
    r"^(conv1|layer)": r"backbone.\1",
}
PYSLOWFAST_SLOW = {
    r"blocks\.5\.proj": "head.projection",
    r"^blocks\.0\.": "s1.pathway0_stem.",
    **{rf"blocks\.{stage}\.res_blocks\.": rf"s{stage + 1}.pathway0_res" for stage in (1, 2, 3, 4)},
    r"conv_([abc])": r"\1",
    r"norm_([abc])": r"\1_bn",
    r"branch1_conv": "branch1",
    r"branch1_norm": "branch1_bn",
    r"stem\.norm": "stem.bn",
}


@pytest.mark.parametrize(
    ("rules", "name"), [(SLOW_ONLY, "MMAction2"), (PYSLOWFAST_SLOW, "PySlowFast")]
)
def test_one_pathway_in_other_formats(tmp_path, rules, name):
    state = {renamed(key, rules): value for key, value in slow_state().items()}
    torch.save({"state_dict": state, "meta": {}}, tmp_path / "slow.pth")
    model, report = import_checkpoint(tmp_path / "slow.pth", speed_ratio=8)
    reference, _ = import_checkpoint(FOLDER / "ptv_slow.pyth", speed_ratio=8)
    assert report.sources[0].format == name
    assert model.frame_indices == ("stride" if name == "MMAction2" else "linspace")
    for ours, theirs in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_one_pathway_from_caffe2(tmp_path):
    leaves = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
    blobs = {"lr": np.float32(0.1)}
    for key, value in slow_state().items():
        *path, leaf = renamed(key, PYSLOWFAST_SLOW).split(".")
        if leaf == "num_batches_tracked":
            continue
        if path[0] == "head":
            name = f"pred_{leaf[0]}"
        elif path[0] == "s1":
            name = "conv1_w" if path[-1] == "conv" else f"res_conv1_bn_{leaves[leaf]}"
        else:
            block = f"res{path[0][1]}_{path[1].removeprefix('pathway0_res')}"
            part = "".join(path[2:])  # branch2a, branch2a_bn, branch1, branch1_bn
            name = f"{block}_{part}_{leaves[leaf] if part.endswith('_bn') else 'w'}"
        blobs[name] = value.numpy()
    with open(tmp_path / "slow.pkl", "wb") as file:
        pickle.dump({"blobs": blobs}, file, protocol=2)
    model, _ = import_checkpoint(tmp_path / "slow.pkl", speed_ratio=8)
    reference, _ = import_checkpoint(FOLDER / "ptv_slow.pyth", speed_ratio=8)
    for ours, theirs in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
