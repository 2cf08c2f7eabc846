"""I3D and S3D: published counts, TensorFlow's padding, the head's pairs of frames."""

import numpy as np
import pytest
from harness import to_numpy
from models.zoo import LONG, make

from keras_acl.clip import ClipSpec
from keras_acl.models import I3DClassifier, S3DClassifier
from keras_acl.speed.cost import count_multiply_adds, count_parameters


def test_counts_of_s3d_are_torchvisions():
    model = S3DClassifier(clip=ClipSpec(frames=16, span=16))
    assert count_parameters(model) == 8_320_048
    assert count_multiply_adds(model, 224) == pytest.approx(17.979e9, rel=1e-3)


def test_counts_of_i3d_are_those_of_the_published_checkpoint():
    model = I3DClassifier()
    assert count_parameters(model) == 12_689_984
    assert len(model.weights) == 230
    assert count_multiply_adds(model, 224) == pytest.approx(111.2e9, rel=1e-3)


@pytest.mark.backends
def test_the_first_and_the_last_frame_count_half():
    model = make("i3d")
    features = np.reshape([1.0, 10, 100, 1000], (1, 4, 1, 1, 1)).astype("float32")
    expected = (0.5 + 10 + 100 + 500) / 3
    assert to_numpy(model.pool(features)).item() == pytest.approx(expected)
    assert to_numpy(model.pool(features[:, :1])).item() == 1


@pytest.mark.backends
@pytest.mark.parametrize(("frames", "side"), [(16, 32), (15, 33)])
def test_the_stem_of_i3d_pads_as_tensorflow_does(frames, side):
    """Kernel 7 and stride 2: (2, 3) zeros at even sizes, (3, 3) at odd ones."""
    model = make("i3d", clip=ClipSpec(frames=frames, span=frames, size=32))
    layer = model.stream.get_layer("stem_conv")
    x = np.random.default_rng(0).normal(size=(1, frames, side, side, 3)).astype("float32")
    found = to_numpy(layer(x))
    before = 2 if side % 2 == 0 else 3
    padded = np.pad(x, [(0, 0), *[(before, 3)] * 3, (0, 0)])
    corner = np.tensordot(padded[0, :7, :7, :7], to_numpy(layer.kernel), 4)
    np.testing.assert_allclose(found[0, 0, 0, 0], corner, rtol=1e-4, atol=1e-4)
    end = [2 * (size - 1) for size in found.shape[1:4]]
    last = padded[0, end[0] : end[0] + 7, end[1] : end[1] + 7, end[2] : end[2] + 7]
    np.testing.assert_allclose(
        found[0, -1, -1, -1], np.tensordot(last, to_numpy(layer.kernel), 4), rtol=1e-4, atol=1e-4
    )


def test_shapes_and_wrong_widths():
    assert make("s3d").stream.output_shape == (None, 2, None, None, 128)
    assert make("i3d").stream.output_shape == (None, 2, None, None, 128)
    for network in (I3DClassifier, S3DClassifier):
        with pytest.raises(ValueError, match=r"multiple of 4\. Received: width=6"):
            network(3, clip=LONG, width=6)
