"""STC: the two gates against plain arithmetic, and what they cost."""

import keras
import numpy as np
import pytest
from harness import to_numpy
from models.zoo import clips_for, made, make

from keras_acl.clip import ClipSpec
from keras_acl.speed.cost import count_parameters


def gate(stream, name: str, values: np.ndarray) -> np.ndarray:
    """Two dense layers, a ReLU and a sigmoid."""
    first, second = (stream.get_layer(f"{name}_{letter}") for letter in "ab")
    hidden = values @ to_numpy(first.kernel) + to_numpy(first.bias)
    logits = np.maximum(hidden, 0) @ to_numpy(second.kernel) + to_numpy(second.bias)
    return 1 / (1 + np.exp(-logits))


@pytest.mark.backends
def test_a_branch_is_multiplied_by_the_sum_of_its_gates():
    stream = made("stc").stream
    branch = stream.get_layer("res3_0_c_bn").output
    block = keras.Model(branch, stream.get_layer("res3_0_stc").output)
    x = np.random.default_rng(0).normal(size=(2, 2, 3, 4, 64)).astype("float32")
    spatial = gate(stream, "res3_0_scb", x.mean(axis=(1, 2, 3)))  # (B, C)
    temporal = gate(stream, "res3_0_tcb", x.mean(axis=(2, 3)).reshape(2, -1))  # (B, T·C)
    gates = spatial[:, None, None, None] + temporal.reshape(2, 2, 1, 1, 64)
    assert np.ptp(gates[:, :, 0, 0], axis=1).max() > 0.01  # frames have gates of their own
    np.testing.assert_allclose(to_numpy(block(x)), x * gates, rtol=1e-4, atol=1e-5)


@pytest.mark.backends
@pytest.mark.parametrize("clip", [(8, 32), (16, 64)])
def test_compiled_inference_of_several_clips_is_that_of_eager_calls(clip):
    frames, size = clip
    model = make("stc", clip=ClipSpec(frames=frames, span=frames, size=size))
    clips = clips_for(model, count=2, side=size)
    expected = to_numpy(model(clips))
    np.testing.assert_allclose(model.predict_on_batch(clips), expected, rtol=1e-4, atol=1e-5)


def test_what_the_gates_add():
    added = 0
    # Frames and channels of each stage's block, of 8 frames and width 8, r = 16.
    for frames, channels in ((4, 32), (2, 64), (1, 128), (1, 256)):
        for values in (channels, frames * channels):
            hidden = values // 16
            added += 2 * values * hidden + hidden + values
    assert count_parameters(make("stc")) == count_parameters(make("resnext3d")) + added
