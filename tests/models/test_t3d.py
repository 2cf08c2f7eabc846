"""T3D: what a transition sees, and the plain DenseNet3D."""

import numpy as np
import pytest
from harness import to_numpy
from models.zoo import made, make


@pytest.mark.backends
def test_a_transition_sees_frames_as_far_as_its_depths():
    """One frame changes; kernels of depth 6, padded as "same", look 2 back and 3 ahead."""
    stream = made("t3d").stream
    x = np.ones((1, 12, 1, 1, 12), "float32")
    changed = x.copy()
    changed[:, 6] = 2
    seen = []
    for place, filters in ((0, 16), (1, 16), (2, 16)):
        layer = stream.get_layer(f"transition2_{place}_conv")
        difference = np.abs(to_numpy(layer(changed)) - to_numpy(layer(x))).max(axis=-1)
        assert layer.kernel.shape[-1] == filters  # 4 times the growth rate
        seen.append(np.flatnonzero(difference.ravel() > 1e-6).tolist())
    assert seen == [[6], [5, 6, 7], [3, 4, 5, 6, 7, 8]]


def test_plain_transitions_halve_the_channels():
    stream = make("t3d", temporal_depths=()).stream
    # 8 of the stem and 4 a layer, halved: 12 -> 6, 10 -> 5, 9 -> 4, 8.
    shapes = [stream.get_layer(f"pool{stage}").output.shape[-1] for stage in (2, 3, 4)]
    assert [*shapes, stream.output_shape[-1]] == [6, 5, 4, 8]
    assert make("t3d").stream.output_shape == (None, 1, None, None, 52)
