import numpy as np
import pytest
from harness import check_layer, to_numpy

from keras_acl.layers import PackPathways, slow_frame_indices

pytestmark = pytest.mark.backends


@pytest.mark.parametrize(
    ("frames", "speed_ratio", "method", "expected"),
    [
        (32, 8, "linspace", [0, 10, 20, 31]),  # PySlowFast, PyTorchVideo
        (32, 8, "stride", [0, 8, 16, 24]),  # MMAction2
        (16, 4, "linspace", [0, 5, 10, 15]),
        (32, 4, "linspace", [0, 4, 8, 13, 17, 22, 26, 31]),
        (8, 8, "linspace", [0]),
        (3, 1, "linspace", [0, 1, 2]),
    ],
)
def test_slow_frame_indices(frames, speed_ratio, method, expected):
    assert slow_frame_indices(frames, speed_ratio, method).tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((30, 8), "multiple of `speed_ratio`. Received: frames=30, speed_ratio=8"),
        ((32, 0), "Received: frames=32, speed_ratio=0"),
        ((32, 8, "middle"), r"one of \('linspace', 'stride'\). Received: 'middle'"),
    ],
)
def test_slow_frame_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        slow_frame_indices(*arguments)


@pytest.mark.parametrize(
    ("method", "expected"), [("linspace", [0, 10, 20, 31]), ("stride", [0, 8, 16, 24])]
)
def test_streams_get_their_frames(method, expected):
    clip = np.arange(64, dtype="float32").reshape(2, 32, 1, 1, 1)  # each frame is its number
    slow, fast = PackPathways(8, method)(clip)
    np.testing.assert_array_equal(to_numpy(slow)[0].ravel(), expected)
    np.testing.assert_array_equal(to_numpy(slow)[1].ravel(), np.add(expected, 32))
    np.testing.assert_array_equal(to_numpy(fast), clip)


def test_config():
    check_layer(PackPathways(4, "stride"), np.ones((1, 8, 2, 2, 3), "float32"))


def test_errors():
    with pytest.raises(ValueError, match=r"Expected `method` to be one of .* Received: 'first'"):
        PackPathways(8, "first")
    with pytest.raises(ValueError, match="Received: frames=6, speed_ratio=4"):
        PackPathways(4)(np.ones((1, 6, 2, 2, 3), "float32"))
