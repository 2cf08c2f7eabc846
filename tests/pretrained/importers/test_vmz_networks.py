"""VMZ's R(2+1)D, CSN and C3D, in caffe2's pickles and in torch's files."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from pretrained.importers import vmz
from pretrained.importers.drawn import clip_of, drawn
from pretrained.importers.parity import answer, assert_close

from keras_acl import ClipSpec
from keras_acl.models import C3DClassifier, CSNClassifier, R2Plus1DClassifier
from keras_acl.models.resnet3d import MEAN, STD
from keras_acl.pretrained.importers import import_checkpoint
from keras_acl.pretrained.importers.vmz_networks import IR_CSN, R2PLUS1D

CLASSES = 7
NETWORKS = {
    "R(2+1)D-34": ("2.5d", (3, 4, 6, 3), False),
    "R(2+1)D-152": ("2.5d", (3, 8, 36, 3), True),
    "ir-CSN-50": ("3d-sep", (3, 4, 6, 3), True),
    "ip-CSN-50": ("0.3d", (3, 4, 6, 3), True),
}
SHORT = ClipSpec(frames=8, span=8, size=32)


def with_drawn_weights(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """Fill a network, and return its tensors."""
    state = drawn({name: value.shape for name, value in network.state_dict().items()})
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    network.eval()
    return state


def logits_of(network: torch.nn.Module, clip: np.ndarray) -> np.ndarray:
    """What it says of RGB frames, normalised as VMZ does."""
    frames = (torch.from_numpy(clip).float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    with torch.no_grad():
        return network(frames.permute(0, 4, 1, 2, 3)).numpy()


def pickled(blobs: dict, file: Path) -> Path:
    """A file as VMZ's `minidb_to_pickle.py` writes it."""
    file.write_bytes(pickle.dumps({"blobs": blobs}, 2))
    return file


@pytest.mark.backends
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if "152" in n else ()) for n in NETWORKS]
)
def test_logits_are_those_of_caffe2s_network(name, tmp_path):
    kind, blocks, deep = NETWORKS[name]
    network = vmz.ResNet(kind, blocks, CLASSES, 8, deep)
    state = with_drawn_weights(network)
    clip = clip_of(8, 32)
    expected = logits_of(network, clip)
    assert np.ptp(expected) > 1
    blobs = vmz.blobs(state, kind)
    model, report = import_checkpoint(pickled(blobs, tmp_path / "vmz.pkl"), clip=SHORT)
    assert type(model) is (R2Plus1DClassifier if kind == "2.5d" else CSNClassifier)
    assert (model.depth, model.width) == (int(name.split("-")[-1]), 8)
    (source,) = report.sources
    assert len(source.used) == len(blobs) == len(model.weights)
    assert_close(answer(model, clip), expected)


@pytest.mark.backends
@pytest.mark.parametrize("name", ["ir-CSN-50", "ip-CSN-50"])
def test_torch_files_of_csn_have_torchvisions_names(name, tmp_path):
    kind, blocks, deep = NETWORKS[name]
    network = vmz.ResNet(kind, blocks, CLASSES, 8, deep)
    state = with_drawn_weights(network)
    clip = clip_of(8, 32)
    if kind == "3d-sep":  # there the convolution is no sequence of its own
        state = {name.replace("conv2.0.0.", "conv2.0."): value for name, value in state.items()}
    tensors = {name: torch.from_numpy(np.asarray(value)) for name, value in state.items()}
    torch.save(tensors, tmp_path / "csn.pth")
    model, report = import_checkpoint(tmp_path / "csn.pth", clip=SHORT)
    assert model.preserved == (kind == "0.3d")
    assert len(report.sources[0].used) == len(model.weights)
    assert_close(answer(model, clip), logits_of(network, clip))


@pytest.mark.backends
def test_logits_are_those_of_c3d_with_biases_before_its_normalisation(tmp_path):
    network = vmz.C3D(CLASSES, width=4, hidden=16)
    state = with_drawn_weights(network)
    clip = clip_of(16, 112)
    model, report = import_checkpoint(pickled(vmz.c3d_blobs(state), tmp_path / "c3d.pkl"))
    assert type(model) is C3DClassifier
    assert model.normalized
    assert len(report.sources[0].used) == 8 * 6 + 6
    expected = logits_of(network, clip)
    assert np.ptp(expected) > 0.1
    assert_close(answer(model, clip), expected)


def test_a_block_is_found_by_the_projections_before_it():
    """Names that VMZ's code gives, of 34 layers and of ir-CSN."""
    stages = [f"shortcut_projection_{number}_w" for number in (3, 7, 13)]
    names = [*stages, "comp_0_conv_1_middle_w", "comp_12_spatbn_2_riv", "comp_13_conv_1_w"]
    known = R2PLUS1D.renamed(names)
    assert [R2PLUS1D.translate(known[name]) for name in names] == [
        "res3_0_shortcut_conv/kernel",
        "res4_0_shortcut_conv/kernel",
        "res5_0_shortcut_conv/kernel",
        "res2_0_a_spatial_conv/kernel",
        "res4_5_b_temporal_bn/moving_variance",
        "res5_0_a_temporal_conv/kernel",
    ]
    names = ["shortcut_projection_0_w", "shortcut_projection_3_spatbn_s", "comp_4_spatbn_3_b"]
    known = IR_CSN.renamed(names)
    assert [IR_CSN.translate(known[name]) for name in names] == [
        "res2_0_shortcut_conv/kernel",
        "res3_0_shortcut_bn/gamma",
        "res3_1_b_bn/beta",
    ]


def test_what_does_not_fit_is_named(tmp_path):
    network = vmz.ResNet("2.5d", (3, 4, 6, 3), CLASSES, 8, False)
    blobs = vmz.blobs(with_drawn_weights(network), "2.5d")
    file = tmp_path / "vmz.pkl"
    pickled({**blobs, "comp_15_conv_3_w": np.zeros((1, 1), "float32")}, file)
    with pytest.raises(
        ValueError, match=r"no place in an R\(2\+1\)D of basic blocks: comp_15_conv_3_w"
    ):
        import_checkpoint(file)
    pickled({name: value for name, value in blobs.items() if "comp_15_" not in name}, file)
    with pytest.raises(ValueError, match=r"vmz\.pkl: it has stages of \(3, 4, 6, 2\) basic blocks"):
        import_checkpoint(file)
    flow = {**blobs, "conv1_middle_w": blobs["conv1_middle_w"][:, :2]}
    with pytest.raises(ValueError, match="takes 2 channels, which is optical flow"):
        import_checkpoint(pickled(flow, file))
    assert import_checkpoint(pickled(blobs, file))[0].clip == ClipSpec(32, 32, 30.0, 112)
