"""Networks of one stream: the logits of other implementations with the same random weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pretrained.importers import c3d, kylemin_s3d, pytorch_i3d, resnext3d
from pretrained.importers.drawn import clip_of, drawn
from pretrained.importers.parity import FOLDER, answer, assert_close

from keras_acl import ClipSpec
from keras_acl.models import (
    BottleneckR2Plus1DClassifier,
    C3DClassifier,
    CSNClassifier,
    I3DClassifier,
    InflatedResNetClassifier,
    R2Plus1DClassifier,
    R3DClassifier,
    ResNeXt3DClassifier,
    S3DClassifier,
    X3DClassifier,
)
from keras_acl.models.resnet3d import MEAN
from keras_acl.pretrained.importers import import_checkpoint, warm_start

CLASSES = 7
NETWORKS = {
    "r3d_18": R3DClassifier,
    "mc3_18": R3DClassifier,
    "r2plus1d_18": R2Plus1DClassifier,
    "ig65m": R2Plus1DClassifier,
    "s3d": S3DClassifier,
    "c2d_r50": InflatedResNetClassifier,
    "i3d_r50": InflatedResNetClassifier,
    "csn_r50": CSNClassifier,
    "r2plus1d_r50": BottleneckR2Plus1DClassifier,
    "x3d_m": X3DClassifier,
}
PYTORCHVIDEO = json.loads((FOLDER / "pytorchvideo.json").read_text(encoding="utf-8"))
RECORDS = {
    name: record
    for source in ("torchvision", "pytorchvideo")
    for name, record in json.loads((FOLDER / f"{source}.json").read_text(encoding="utf-8")).items()
}


def saved(state: dict, file: Path) -> Path:
    """A checkpoint of numpy arrays, as torch writes it."""
    torch.save({name: torch.from_numpy(np.asarray(value)) for name, value in state.items()}, file)
    return file


def checkpoint(name: str) -> dict[str, np.ndarray]:
    """The tensors that torchvision or PyTorchVideo computed with."""
    return drawn(RECORDS[name]["shapes"])


@pytest.fixture(scope="module", params=list(NETWORKS))
def imported(request, tmp_path_factory):
    """The name of a network, and the import of its weights."""
    record = RECORDS[request.param]
    file = saved(checkpoint(request.param), tmp_path_factory.mktemp("theirs") / "network.pth")
    frames, size = record["frames"], record["size"]
    model, report = import_checkpoint(file, clip=ClipSpec(frames=frames, span=frames, size=size))
    file.unlink()
    assert type(model) is NETWORKS[request.param]
    return request.param, model, report


@pytest.mark.backends
def test_logits_are_those_of_their_own_code(imported):
    """Of torchvision 0.28 and PyTorchVideo 0.1.5, see the scripts beside the JSON files."""
    name, model, _ = imported
    expected = np.array([RECORDS[name]["logits"]])
    assert np.ptp(expected) > 10
    clip = clip_of(model.clip.frames, model.clip.size)
    assert_close(answer(model, clip), expected)


def test_every_tensor_is_used_or_named(imported):
    name, model, report = imported
    (source,) = report.sources
    assert len(source.used) == len(model.weights)
    assert all(why.startswith("torch's count") for why in source.ignored.values())
    assert model.num_classes == CLASSES
    assert model.mean == (0.45 if name in PYTORCHVIDEO else MEAN)
    assert getattr(model, "mixed", False) == (name == "mc3_18")
    if name in ("r2plus1d_18", "ig65m"):
        its_own = ("convolution", 1e-3) if name == "ig65m" else ("block", 1e-5)
        assert (model.midplanes, model.epsilon) == its_own


@pytest.mark.backends
def test_logits_are_those_of_kylemins_s3d(tmp_path):
    network = kylemin_s3d.S3D(CLASSES).eval()
    state = drawn({name: value.shape for name, value in network.state_dict().items()})
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    clip = clip_of(16, 64)
    with torch.no_grad():
        frames = torch.from_numpy(clip).float().permute(0, 4, 1, 2, 3) / 127.5 - 1
        expected = network(frames).numpy()
    # As its training script writes it, from several GPUs.
    file = saved({f"module.{name}": value for name, value in state.items()}, tmp_path / "s3d.pt")
    model, report = import_checkpoint(file, clip=ClipSpec(frames=16, span=16, size=64))
    assert (model.mean, model.std) == (0.5, 0.5)
    assert len(report.sources[0].used) == len(model.weights)
    assert_close(answer(model, clip), expected)


@pytest.mark.backends
@pytest.mark.parametrize("channels", [3, 2])
def test_logits_are_those_of_pytorch_i3d(channels, tmp_path):
    network = pytorch_i3d.I3D(CLASSES, 8, channels).eval()
    state = drawn({name: value.shape for name, value in network.state_dict().items()})
    state["Mixed_4c.b1b.bn.weight"] *= -1
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    clip = np.random.default_rng(0).integers(0, 256, (1, 17, 50, 50, channels), dtype=np.uint8)
    with torch.no_grad():
        frames = torch.from_numpy(clip).float().permute(0, 4, 1, 2, 3) / 127.5 - 1
        expected = network(frames).numpy()
    assert np.ptp(expected) > 0.1
    file = saved(state, tmp_path / "i3d.pt")
    model, report = import_checkpoint(file, clip=ClipSpec(frames=17, span=17, size=50))
    assert (type(model), model.clip.channels) == (I3DClassifier, channels)
    assert len(report.sources[0].used) == len(model.weights) + 57  # gammas
    assert_close(answer(model, clip), expected)
    state["Mixed_4c.b1b.bn.weight"][3] = 0
    with pytest.raises(ValueError, match="a gamma of mixed4c_1b is 0"):
        import_checkpoint(saved(state, file))


@pytest.mark.backends
@pytest.mark.parametrize("implementation", ["MMAction2", "DavideA"])
def test_logits_are_those_of_c3d(implementation, tmp_path):
    network = c3d.C3D(CLASSES, width=8, hidden=32).eval()
    state = drawn({name: value.shape for name, value in network.state_dict().items()})
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    clip = clip_of(16, 112)
    frames = torch.from_numpy(clip).float()
    if implementation == "MMAction2":
        frames = frames - torch.tensor([104.0, 117.0, 128.0])
        state = {c3d.mmaction2(name): value for name, value in state.items()}
    else:
        frames = frames.flip(-1)  # BGR
    with torch.no_grad():
        expected = network(frames.permute(0, 4, 1, 2, 3)).numpy()
    model, report = import_checkpoint(saved(state, tmp_path / "c3d.pth"))
    assert type(model) is C3DClassifier
    assert (model.width, model.hidden, model.clip.size) == (8, 32, 112)
    assert len(report.sources[0].used) == len(model.weights)
    assert_close(answer(model, clip), expected)


def resnext(blocks, groups: int) -> tuple[dict, np.ndarray]:
    """Tensors of a small 3D ResNeXt, and its logits of a clip of 16 frames of 64²."""
    network = resnext3d.ResNeXt(CLASSES, blocks, 16, 64, width=8, groups=groups).eval()
    state = drawn({name: value.shape for name, value in network.state_dict().items()})
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    frames = torch.from_numpy(clip_of(16, 64)).float()
    frames = frames - torch.tensor([114.7748, 107.7354, 99.4750])
    with torch.no_grad():
        return state, network(frames.permute(0, 4, 1, 2, 3)).numpy()


@pytest.mark.backends
def test_logits_are_those_of_3d_resnext(tmp_path):
    state, expected = resnext((1, 1, 1, 1), 4)
    file = tmp_path / "resnext-14-kinetics.pth"
    tensors = {f"module.{name}": torch.from_numpy(value) for name, value in state.items()}
    # As its training writes it, from several GPUs.
    torch.save({"arch": "resnext-14", "epoch": 150, "state_dict": tensors}, file)
    model, report = import_checkpoint(file, clip=ClipSpec(frames=16, span=16, size=64))
    assert type(model) is ResNeXt3DClassifier
    assert (model.depth, model.width, model.groups) == (14, 8, 4)
    assert len(report.sources[0].used) == len(model.weights)
    assert_close(answer(model, clip_of(16, 64)), expected)


def test_a_resnext_that_is_none_is_refused(tmp_path):
    state, _ = resnext((1, 1, 1, 2), 4)
    with pytest.raises(ValueError, match=r"pth: it has stages of \(1, 1, 1, 2\) bottleneck"):
        import_checkpoint(saved(state, tmp_path / "resnext.pth"))
    state, _ = resnext((1, 1, 1, 1), 1)  # another ResNet with these names
    with pytest.raises(ValueError, match=r"no place in an R3D or MC3: conv1\.weight"):
        import_checkpoint(saved(state, tmp_path / "resnet.pth"))


def test_the_clip_is_the_classes_own_unless_given(tmp_path):
    model, _ = import_checkpoint(saved(checkpoint("mc3_18"), tmp_path / "mc3.pth"))
    assert model.clip == ClipSpec(frames=16, span=16, fps=15.0, size=112)


def test_what_does_not_fit_is_named(tmp_path):
    state = checkpoint("mc3_18")
    file = saved(state, tmp_path / "network.pth")
    with pytest.raises(ValueError, match=r"has no speed ratio\. Received: speed_ratio=8"):
        import_checkpoint(file, speed_ratio=8)
    with pytest.raises(ValueError, match="has one pathway"):
        warm_start(file)
    saved({**state, "layer5.0.conv1.0.weight": np.zeros(1)}, file)
    with pytest.raises(ValueError, match=r"no place in an R3D or MC3: layer5\.0\.conv1\.0\.weight"):
        import_checkpoint(file)
    saved({k: v for k, v in state.items() if not k.startswith("layer3.1.")}, file)
    with pytest.raises(ValueError, match=r"pth: it has stages of \(2, 2, 1, 2\) basic blocks"):
        import_checkpoint(file)
    saved({k: v for k, v in state.items() if k != "stem.0.weight"}, file)
    with pytest.raises(ValueError, match="lacks stem_conv/kernel"):
        import_checkpoint(file)
