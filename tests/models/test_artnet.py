"""ARTNet: its SMART block against plain arithmetic, and what is folded."""

import numpy as np
import pytest
from harness import to_numpy
from models.zoo import made

from keras_acl import optimize
from keras_acl.layers import ClipBatchNormalization


@pytest.mark.backends
def test_relation_is_the_average_of_squared_pairs():
    stream = made("artnet").stream
    r = np.random.default_rng(0).normal(size=(1, 2, 3, 3, 8)).astype("float32")
    energy = stream.get_layer("stem_energy")([r, r])
    pairs = to_numpy(stream.get_layer("stem_pairs")([energy[..., ::2], energy[..., 1::2]]))
    expected = [(r[..., 2 * i] ** 2 + r[..., 2 * i + 1] ** 2) / 2 for i in range(4)]
    np.testing.assert_allclose(pairs, np.stack(expected, axis=-1), rtol=1e-5, atol=1e-6)


def test_what_a_smart_block_joins():
    stream = made("artnet").stream
    shapes = {name: stream.get_layer(name).output.shape for name in ("stem_pairs", "stem_concat")}
    assert shapes["stem_pairs"] == (None, 4, None, None, 4)
    assert shapes["stem_concat"] == (None, 4, None, None, 12)
    kernels = {
        name: stream.get_layer(f"{name}_conv").kernel.shape
        for name in ("stem_appearance", "stem_relation", "stem_reduced", "res3_0_b_relation")
    }
    assert kernels == {
        "stem_appearance": (1, 7, 7, 3, 8),
        "stem_relation": (3, 7, 7, 3, 8),
        "stem_reduced": (1, 1, 1, 12, 8),
        "res3_0_b_relation": (3, 3, 3, 16, 16),
    }
    names = {layer.name for layer in stream.layers}
    assert "res4_0_b_relation_conv" in names
    assert "res5_0_b_relation_conv" not in names  # the last stage has plain convolutions


def test_sums_are_normalised_where_they_are_read():
    """What stands behind no convolution alone stays normalisation in the optimised network."""
    fast = optimize(made("artnet"), "float32").stream
    left = [each.name for each in fast.layers if isinstance(each, ClipBatchNormalization)]
    blocks = [f"res{stage}_0" for stage in (2, 3, 4, 5)]
    sums = [*(f"{block}_first_bn" for block in blocks), "last_bn"]
    squares = [f"{name}_pairs_bn" for name in ("stem", *(f"{block}_b" for block in blocks[:3]))]
    assert sorted(left) == sorted([*sums, *squares])
