"""MMAction2's I3D, R(2+1)D and CSN."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pretrained.importers.drawn import clip_of, drawn
from pretrained.importers.mmaction2 import IMAGENET, Network
from pretrained.importers.parity import answer, assert_close

from keras_acl import ClipSpec
from keras_acl.models import CSNClassifier, InflatedResNetClassifier, R2Plus1DClassifier
from keras_acl.models.resnet3d import MEAN, STD
from keras_acl.pretrained.importers import import_checkpoint

CLASSES = 7
KINDS = {
    "i3d": (InflatedResNetClassifier, 50),
    "r2plus1d": (R2Plus1DClassifier, 34),
    "ircsn": (CSNClassifier, 50),
    "ipcsn": (CSNClassifier, 50),
}
CONFIGURATION = (
    "model = dict(\n    data_preprocessor=dict(\n        mean=[123.675, 116.28, 103.53],\n"
    "        std=[58.395, 57.12, 57.375],\n        format_shape='NCTHW'))\n"
)


def saved(kind: str, file: Path, **beside) -> Network:
    """A network with drawn weights, whose checkpoint is written."""
    network = Network(kind, (3, 4, 6, 3), CLASSES, 8).eval()
    state = drawn({name: value.shape for name, value in network.state_dict().items()})
    state = {name: torch.from_numpy(np.asarray(value)) for name, value in state.items()}
    network.load_state_dict(state)
    torch.save({"state_dict": state, **beside}, file)
    return network


def logits_of(network: Network, clip: np.ndarray, mean, std) -> np.ndarray:
    frames = (torch.from_numpy(clip).float() - torch.tensor(mean)) / torch.tensor(std)
    with torch.no_grad():
        return network(frames.permute(0, 4, 1, 2, 3)).numpy()


@pytest.mark.backends
@pytest.mark.parametrize("kind", list(KINDS))
def test_logits_are_those_of_its_network(kind, tmp_path):
    file = tmp_path / "network.pth"
    network = saved(kind, file, meta={"config": CONFIGURATION})
    frames = 16 if kind == "i3d" else 8
    spec = ClipSpec(frames=frames, span=frames, size=64)
    model, report = import_checkpoint(file, clip=spec)
    clip = clip_of(frames, 64)
    expected = logits_of(network, clip, *IMAGENET)
    assert np.ptp(expected) > 1
    assert (type(model), model.depth) == KINDS[kind]
    assert len(report.sources[0].used) == len(model.weights)
    assert not report.notes
    assert getattr(model, "preserved", False) == (kind == "ipcsn")
    assert_close(answer(model, clip), expected)


def test_csn_without_a_configuration_is_vmzs(tmp_path):
    file = tmp_path / "network.pth"
    saved("ircsn", file)
    model, report = import_checkpoint(file)
    assert (model.mean, model.std) == (MEAN, STD)
    assert "says how frames are normalised" in str(report)
    assert model.clip == ClipSpec(frames=32, span=64)


def test_i3d_with_temporal_kernels_in_every_block_is_refused(tmp_path):
    """The heavy form, which does not skip frames in its stem."""
    file = tmp_path / "network.pth"
    state = {**saved("i3d", file).state_dict()}
    name = "backbone.layer2.1.conv1.conv.weight"
    state[name] = state[name].repeat(1, 1, 3, 1, 1)
    torch.save({"state_dict": state}, file)
    with pytest.raises(ValueError, match=r"res3_1_a_conv/kernel has the shape \(3, 1, 1, 64, 16\)"):
        import_checkpoint(file)
