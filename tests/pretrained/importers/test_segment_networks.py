"""TSN and ECO: the logits of networks written anew in torch, with the same random weights."""

import numpy as np
import pytest
import torch
from pretrained.importers import bn_inception, mmaction2_tsn
from pretrained.importers.drawn import clip_of, drawn
from pretrained.importers.parity import answer, assert_close
from pretrained.importers.test_single_stream import saved

from keras_acl import ClipSpec
from keras_acl.models import ECOClassifier, ECOLiteClassifier, TSNClassifier
from keras_acl.pretrained.importers import import_checkpoint

CLASSES = 7
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet
CLIP = ClipSpec(frames=4, span=4, size=64, segments=True)
NETWORKS = {
    "mmaction2": (mmaction2_tsn.TSN(CLASSES, 8, (1, 1, 1, 1)), TSNClassifier, None),
    "tsn": (bn_inception.TSN(CLASSES, 8), TSNClassifier, (104.0, 117.0, 128.0)),
    "eco_lite": (bn_inception.ECO(CLASSES, 8), ECOLiteClassifier, (104.0, 117.0, 123.0)),
    "eco": (bn_inception.ECO(CLASSES, 8, full=True), ECOClassifier, (104.0, 117.0, 123.0)),
}


def with_weights(name: str):
    """A network with drawn weights, and those that its file has."""
    network = NETWORKS[name][0].eval()
    state = drawn({key: value.shape for key, value in network.state_dict().items()})
    network.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    kept = network.tensors() if isinstance(network, bn_inception.ECO) else state
    return network, {key: state[key] for key in kept}


@pytest.mark.backends
@pytest.mark.parametrize("name", list(NETWORKS))
def test_logits_are_theirs(name, tmp_path):
    network, state = with_weights(name)
    _, expected_class, mean = NETWORKS[name]
    clip = clip_of(CLIP.frames, CLIP.size)
    with torch.no_grad():
        frames = torch.from_numpy(clip).float()
        if mean is None:
            frames = (frames - torch.tensor(MEAN)) / torch.tensor(STD)
        else:
            frames = frames.flip(-1) - torch.tensor(mean)  # BGR
        expected = network(frames.permute(0, 1, 4, 2, 3)).numpy()
    assert np.ptp(expected) > 1
    file = saved({f"module.{key}": value for key, value in state.items()}, tmp_path / "net.pth")
    model, report = import_checkpoint(file, clip=CLIP)
    assert type(model) is expected_class
    assert (model.num_classes, model.width) == (CLASSES, 8)
    if name == "mmaction2":
        assert (model.backbone, model.depth) == ("resnet", 14)
    (source,) = report.sources
    assert len(source.used) + len(source.ignored) == len(state)
    assert all(why.startswith("torch's count") for why in source.ignored.values())
    assert_close(answer(model, clip), expected)


@pytest.mark.backends
def test_logits_of_flow_are_those_of_tsn(tmp_path):
    network = bn_inception.TSN(CLASSES, 8, channels=10).eval()
    state = drawn({key: value.shape for key, value in network.state_dict().items()})
    network.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    clip = ClipSpec(frames=15, span=15, size=64, segments=True, modality="flow", stack=5)
    pictures = np.random.default_rng(0).integers(0, 256, (1, 15, 64, 64, 2), dtype=np.uint8)
    with torch.no_grad():
        # Its loader puts u and v of five successive fields on top of each other.
        fields = torch.from_numpy(pictures).float().permute(0, 1, 4, 2, 3) - 128.0
        expected = network(fields.reshape(1, 3, 10, 64, 64)).numpy()
    assert np.ptp(expected) > 1
    file = saved({f"module.{key}": value for key, value in state.items()}, tmp_path / "flow.pth")
    model, _ = import_checkpoint(file, clip=clip)
    assert (model.clip, model.stream.input_shape) == (clip, (None, 3, None, None, 10))
    assert_close(answer(model, pictures), expected)
    assert import_checkpoint(file)[0].clip == ClipSpec(
        frames=40, span=64, segments=True, modality="flow", stack=5
    )
    with pytest.raises(ValueError, match=r"takes stacks of 5 fields of flow.*Received: clip="):
        import_checkpoint(file, clip=CLIP)
