import keras
import numpy as np
import pytest
from harness import to_numpy

from keras_acl.layers import ClipBatchNormalization, PaddedConv3D
from keras_acl.models.scam_scales import check_scales, features_at_scales, resize_frames

backends = pytest.mark.backends


@backends
def test_frames_are_halved_bilinearly():
    frames = np.array([[0, 2, 4, 10], [4, 6, 0, 2]], "float32").reshape(1, 2, 1, 4, 1)
    half = to_numpy(resize_frames(frames, 0.5))  # means of neighbours; height stays 1
    np.testing.assert_array_equal(half.reshape(2, 2), [[1, 7], [5, 1]])


@backends
def test_clips_and_channels_stay_apart():
    frames = np.arange(48, dtype="float32").reshape(2, 2, 2, 2, 3)
    half = to_numpy(resize_frames(frames, 0.5))
    np.testing.assert_array_equal(half, frames.mean(axis=(2, 3), keepdims=True))


@pytest.mark.parametrize(
    ("size", "scale", "expected"), [((33, 47), 0.5, (16, 24)), ((8, 6), 0.75, (6, 4))]
)
def test_sizes_are_rounded(size, scale, expected):
    frames = np.zeros((1, 2, *size, 3), "float32")
    assert tuple(resize_frames(frames, scale).shape) == (1, 2, *expected, 3)


@backends
@pytest.mark.parametrize("batch_statistics", [False, True])
def test_first_scale_alone_moves_the_statistics(batch_statistics):
    stream = keras.Sequential(
        [
            keras.Input((2, None, None, 3)),
            PaddedConv3D(2, (1, 3, 3), strides=(1, 2, 2)),
            ClipBatchNormalization(),
        ]
    )
    frames = np.random.default_rng(0).normal(size=(1, 2, 8, 8, 3)).astype("float32")
    first = stream(frames, training=True)
    before = stream.get_weights()
    found = features_at_scales(
        lambda x: stream(x, training=batch_statistics), frames, first, (1.0, 0.5, 0.25)
    )
    assert found[0] is first
    for ours, theirs in zip(stream.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    half = stream(to_numpy(resize_frames(frames, 0.5)), training=batch_statistics)
    np.testing.assert_allclose(to_numpy(found[1]), to_numpy(half), rtol=1e-5, atol=1e-6)
    assert [tuple(x.shape[2:4]) for x in found] == [(4, 4), (2, 2), (1, 1)]


def test_scales_are_checked():
    assert check_scales([1.0, 0.5]) == (1.0, 0.5)
    for scales in ((), (0.5, 1.0), (1.0, 2.0), (1.0, 0.0)):
        with pytest.raises(ValueError, match=r"start with 1.0 and to lie in \(0, 1\]. Received:"):
            check_scales(scales)
