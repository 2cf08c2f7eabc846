"""Parameters and multiply-adds of the whole networks, against the published ones."""

import pytest
from models.zoo import SHORT

from keras_acl.clip import ClipSpec
from keras_acl.models import (
    ARTNetClassifier,
    C3DClassifier,
    CSNClassifier,
    ECOClassifier,
    ECOLiteClassifier,
    InflatedResNetClassifier,
    ResNeXt3DClassifier,
    STCClassifier,
    T3DClassifier,
    TSNClassifier,
    X3DClassifier,
)
from keras_acl.models.x3d import squeezed
from keras_acl.speed.cost import count_multiply_adds, count_parameters

FRAME = ClipSpec(frames=1, span=64, segments=True)


@pytest.mark.parametrize(
    ("network", "arguments", "size", "parameters", "multiply_adds"),
    [
        (C3DClassifier, {"num_classes": 101}, 112, 78_409_573, 38.55e9),
        (C3DClassifier, {"normalized": True}, 112, 64_957_264, 38.53e9),
        # MMAction2's; the others without the biases that batch normalisation takes away.
        (TSNClassifier, {"clip": FRAME}, 224, 24_327_632, 4.088e9),
        (TSNClassifier, {"clip": FRAME, "backbone": "bn_inception"}, 224, 10_670_224, 2.03e9),
        (ECOLiteClassifier, {}, 224, 37_503_856 - 5_728, 46.5e9),
        (ECOClassifier, {}, 224, 47_502_128 - 14_240, 64.4e9),
        # Without the prototxt's 960 fixed weights and 6,016 biases, and 5.8 million of the former.
        pytest.param(
            *(ARTNetClassifier, {}, 112, 39_676_176 - 960 - 6_016, 25.6897e9 - 0.0058e9),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(ResNeXt3DClassifier, {"num_classes": 101}, 112, 47_728_165, 9.57e9),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            # The plain DenseNet3D-121 of its authors. 16.97 billion without the last block, which
            # their pools leave no frame of 16.
            T3DClassifier,
            {"clip": ClipSpec(frames=16, span=16), "temporal_depths": ()},
            *(224, 11_658_896, 16.97e9 + 0.1624e9),
            marks=pytest.mark.slow,
        ),
        (X3DClassifier, {}, 256, 3_794_274, 6.18e9),  # the paper: 3.8 M and 6.2 G
        # VMZ's and MMAction2's parameters
        pytest.param(
            *(CSNClassifier, {"preserved": True}, 256, 33_016_592, 108.8e9), marks=pytest.mark.slow
        ),
        pytest.param(
            *(InflatedResNetClassifier, {"temporal_stride": 2, "clip": ClipSpec()}, 256),
            *(28_043_472, 43.27e9),  # 43.56 with what else MMAction2 counts
            marks=pytest.mark.slow,
        ),
    ],
)
def test_counts_are_the_published_ones(network, arguments, size, parameters, multiply_adds):
    model = network(**arguments)
    assert count_parameters(model) == parameters
    assert count_multiply_adds(model, size) == pytest.approx(multiply_adds, rel=1e-3)


def test_the_squeeze_has_a_sixteenth_in_eights():
    assert [squeezed(channels) for channels in (54, 108, 216, 432)] == [8, 8, 16, 32]


def test_wrong_arguments():
    with pytest.raises(ValueError, match="Received: width=9"):
        ARTNetClassifier(3, clip=SHORT, width=9)
    with pytest.raises(ValueError, match="at least 16 frames of 32 x 32"):
        C3DClassifier(3, clip=ClipSpec(frames=8, span=8, size=32))
    with pytest.raises(ValueError, match=r"one of \[14, 50, 101, 152\]\. Received: depth=18"):
        CSNClassifier(3, clip=SHORT, depth=18)
    with pytest.raises(ValueError, match=r"1 or 2\. Received: temporal_stride=3"):
        InflatedResNetClassifier(3, clip=SHORT, temporal_stride=3)
    with pytest.raises(ValueError, match=r"divide the 16 filters\. Received: groups=32"):
        ResNeXt3DClassifier(3, clip=SHORT, depth=14, width=8)
    with pytest.raises(ValueError, match="Received: reduction=0, width=8"):
        STCClassifier(3, clip=SHORT, depth=14, width=8, groups=4, reduction=0)
    with pytest.raises(ValueError, match=r"Received: temporal_depths=\(1, 0\)"):
        T3DClassifier(3, clip=SHORT, depth=13, growth=4, temporal_depths=(1, 0))
    with pytest.raises(ValueError, match="multiple of 8"):
        X3DClassifier(3, clip=SHORT, width=12)
