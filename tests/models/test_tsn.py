"""TSN: frames are classified one by one."""

import numpy as np
import pytest
from harness import to_numpy
from models.zoo import SEGMENTS, made

from keras_acl.clip import ClipSpec
from keras_acl.models import TSNClassifier


def test_more_segments_are_the_mean_of_their_frames():
    model = made("tsn")
    many = model.copy_with(clip=ClipSpec(frames=25, span=25, size=32, segments=True))
    frames = np.random.default_rng(0).integers(0, 256, (25, 1, 32, 32, 3), dtype=np.uint8)
    alone = to_numpy(model(frames.repeat(8, axis=1)))  # 25 clips of one frame, eight times
    logits = to_numpy(many(frames[:, 0][None]))
    np.testing.assert_allclose(logits[0], alone.mean(axis=0), rtol=1e-4, atol=1e-3)
    backwards = to_numpy(many(frames[::-1, 0][None]))
    np.testing.assert_allclose(backwards, logits, rtol=1e-4, atol=1e-3)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"'bn_inception'\)\. Received: backbone='vgg'"):
        TSNClassifier(3, clip=SEGMENTS, backbone="vgg")
    with pytest.raises(ValueError, match=r"multiple of 2\. Received: width=7"):
        TSNClassifier(3, clip=SEGMENTS, backbone="bn_inception", width=7)
