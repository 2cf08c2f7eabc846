import keras
import numpy as np
import pytest
import tiny_network as tiny
from tiny_network import CLIP, NETWORK

from keras_acl.layers import slow_frame_indices
from keras_acl.models import resnet_streams as streams
from keras_acl.training.optimizers import CoupledSGD

torch = pytest.importorskip("torch")

import torch_peer  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    """Threads that wait for each other on a busy machine take ten times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def peer_logits(peer, clips: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return peer.eval()(torch.from_numpy(clips)).numpy()


@pytest.mark.parametrize(
    "build",
    [
        tiny.two_stream,
        pytest.param(tiny.slowfast, marks=pytest.mark.backends),
        lambda: tiny.slowfast(fusion="none", depth=14, channel_ratio=4),
    ],
    ids=["two streams", "fused", "fused depth 14 without fusion"],
)
def test_logits_are_those_of_keras(build):
    model = tiny.randomize(build())
    ours = tiny.predict(model)
    np.testing.assert_allclose(
        peer_logits(torch_peer.peer_of(model), tiny.random_clips()), ours, atol=1e-4
    )
    assert np.ptp(ours) > 0.1  # they say something


def test_r50_of_another_size_gives_the_same_logits():
    # Inside the reach of float32: random weights let 16 blocks grow without bound.
    model = tiny.randomize(tiny.slowfast(depth=50, fusion_kernel=5))
    clips = tiny.random_clips(1, height=41, width=34)
    ours = tiny.predict(model, clips)
    theirs = peer_logits(torch_peer.peer_of(model), clips)
    np.testing.assert_allclose(theirs / np.abs(ours).max(), ours / np.abs(ours).max(), atol=1e-4)


def test_a_training_step_moves_every_weight_as_keras_does():
    model = tiny.randomize(tiny.slowfast(dropout=0.0))
    peer = torch_peer.peer_of(model).train()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(CoupledSGD(0.05), loss, run_eagerly=True)
    optimizer = torch_peer.sgd(peer, 0.05)
    clips, labels = torch.from_numpy(tiny.random_clips()), torch.from_numpy(tiny.TARGETS)
    for _ in range(2):
        ours = model.train_on_batch(tiny.random_clips(), tiny.TARGETS)
        theirs = float(torch_peer.train_step(peer, optimizer, clips, labels))
        assert theirs == pytest.approx(float(ours), rel=1e-3)
    moved = torch_peer.keras_weights(model)
    for name, parameter in peer.named_parameters():
        ours = torch_peer._torch_layout(moved[torch_peer.keras_name(name)])
        np.testing.assert_allclose(parameter.detach().numpy(), ours, atol=2e-3, err_msg=name)


def test_a_step_in_bfloat16_and_channels_last_is_close_to_one_in_float32():
    model = tiny.randomize(tiny.slowfast(dropout=0.0))
    clips, labels = torch.from_numpy(tiny.random_clips()), torch.from_numpy(tiny.TARGETS)
    losses = []
    for autocast in (False, True):
        peer = torch_peer.peer_of(model).train()
        peer = peer.to(memory_format=torch.channels_last_3d) if autocast else peer
        optimizer = torch_peer.sgd(peer)
        losses.append(float(torch_peer.train_step(peer, optimizer, clips, labels, autocast)))
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    assert losses[1] != losses[0]


def test_a_clip_arrives_channels_last():
    clip = torch.zeros((2, 8, 6, 6, 3), dtype=torch.uint8)
    seen = clip.permute(0, 4, 1, 2, 3).float()
    assert seen.is_contiguous(memory_format=torch.channels_last_3d)


def test_networks_and_frames_are_those_of_the_package():
    assert torch_peer.BLOCKS == streams.BLOCKS
    assert torch_peer.STRIDES == streams.STRIDES
    for frames, speed_ratio in [(32, 8), (16, 4), (8, 4), (64, 8), (32, 4), (8, 2)]:
        peer = torch_peer.TwoStreamPeer(
            2, frames=frames, speed_ratio=speed_ratio, depth=11, width=8
        )
        expected = slow_frame_indices(frames, speed_ratio)
        np.testing.assert_array_equal(peer.slow_frames.numpy(), expected)


@pytest.mark.parametrize(("fusion", "count"), [("none", 33_070_648), ("conv", 34_480_216)])
def test_r50_has_the_published_number_of_parameters(fusion, count):
    with torch.device("meta"):
        peer = torch_peer.TwoStreamPeer(fusion=fusion)
    assert sum(parameter.numel() for parameter in peer.parameters()) == count


def small_peer(**changes):
    options = {"frames": CLIP.frames, "fusion_kernel": 3, **NETWORK, **changes}
    return torch_peer.TwoStreamPeer(3, **options)


def test_a_peer_of_another_shape_takes_no_weights():
    weights = torch_peer.keras_weights(tiny.slowfast())
    with pytest.raises(ValueError, match=r": fuse1_bn/beta, .*slow_res4_0_shortcut_bn/"):
        torch_peer.load_weights(small_peer(fusion="none"), weights)
    peer = small_peer(fusion="conv")
    before = peer.slow.stem.conv.weight.clone()
    weights["classifier/bias"] = np.zeros(4, "float32")
    with pytest.raises(ValueError, match=r"classifier/bias has the shape \(4,\)"):
        torch_peer.load_weights(peer, weights)
    assert torch.equal(peer.slow.stem.conv.weight, before)  # nothing half done


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fusion": "sum"}, "fusion='sum'"),
        ({"frame_indices": "stride"}, "frame_indices='stride'"),
        ({"mean": 0.5}, "mean=0.5"),
    ],
)
def test_what_the_peer_cannot_do_is_said(changes, message):
    with pytest.raises(ValueError, match=message):
        torch_peer.peer_of(tiny.slowfast(**changes))
