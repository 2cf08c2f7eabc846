import numpy as np
import pytest
from models import tiny

from keras_acl.clip import ClipSpec

torch = pytest.importorskip("torch")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # it is older than today's torch
def test_logits_are_those_of_keras():
    pytest.importorskip("pytorchvideo")
    from benchmarks import pytorchvideo_peer

    clip = ClipSpec(frames=8, span=16, size=64)
    options = {"depth": 50, "width": 64, "channel_ratio": 8, "fusion_kernel": 5, "clip": clip}
    model = tiny.randomize(tiny.slowfast(**options))
    clips = np.random.default_rng(0).integers(0, 256, (1, 8, 64, 64, 3), dtype="uint8")
    ours = tiny.predict(model, clips)
    with torch.no_grad():
        theirs = pytorchvideo_peer.peer_of(model).eval()(torch.from_numpy(clips)).numpy()
    np.testing.assert_allclose(theirs / np.abs(ours).max(), ours / np.abs(ours).max(), atol=1e-4)
