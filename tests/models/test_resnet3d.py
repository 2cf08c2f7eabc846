"""R3D, MC3 and R(2+1)D: published counts, channels between the convolutions, wrong arguments."""

import pytest
from models.zoo import SHORT, make

from keras_acl.clip import ClipSpec
from keras_acl.models import R2Plus1DClassifier, R3DClassifier
from keras_acl.models.r2plus1d import midplanes_of
from keras_acl.speed.cost import count_multiply_adds, count_parameters

FULL = {
    # torchvision's own figures
    "r3d_18": (R3DClassifier, {}, 112, 33_371_472, 40.697e9),
    "mc3_18": (R3DClassifier, {"mixed": True}, 112, 11_695_440, 43.343e9),
    "r2plus1d_18": (R2Plus1DClassifier, {}, 112, 31_505_325, 40.519e9),
}


@pytest.mark.parametrize("name", list(FULL))
def test_counts_are_the_published_ones(name):
    network, arguments, size, parameters, multiply_adds = FULL[name]
    model = network(**arguments)
    assert count_parameters(model) == parameters
    assert count_multiply_adds(model, size) == pytest.approx(multiply_adds, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "size", "parameters", "multiply_adds"),
    [
        # VMZ counts at 128, fully convolutional.
        ({"depth": 34}, 128, 63_697_175, 199.0e9),
        ({"depth": 152}, 128, 118_226_785, 329.1e9),
        # MMAction2's own, with what else it counts
        ({"depth": 34, "stem_pool": True, "split_all": True}, 256, 63_759_281, 212.7e9),
    ],
)
def test_counts_of_the_deep_ones(arguments, size, parameters, multiply_adds):
    clip = ClipSpec(frames=32, span=32, size=112)
    model = R2Plus1DClassifier(clip=clip, midplanes="convolution", **arguments)
    assert count_parameters(model) == parameters
    assert count_multiply_adds(model, size) == pytest.approx(multiply_adds, rel=4e-3)


def test_midplanes_keep_the_number_of_parameters():
    assert midplanes_of(64, 64) == 144
    assert midplanes_of(64, 128) == 230
    assert midplanes_of(128, 128) == 288
    assert abs(64 * 128 * 27 - 230 * (64 * 9 + 128 * 3)) < 960


@pytest.mark.parametrize(("midplanes", "expected"), [("block", 28), ("convolution", 36)])
def test_midplanes_of_a_stages_first_block(midplanes, expected):
    model = make("r2plus1d", midplanes=midplanes)
    kernel = model.stream.get_layer("res3_0_b_spatial_conv").kernel
    assert kernel.shape == (1, 3, 3, 16, expected)


def test_frames_are_halved_in_every_stage_but_those_of_mc3():
    assert make("r3d").stream.output_shape == (None, 1, None, None, 64)
    assert make("r2plus1d").stream.output_shape == (None, 1, None, None, 64)
    assert make("mc3").stream.output_shape == (None, 8, None, None, 64)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"one of \[10, 18, 34, 152\]. Received: depth=50"):
        R2Plus1DClassifier(3, clip=SHORT, depth=50)
    with pytest.raises(ValueError, match=r"one of \[10, 18, 34\]\. Received: depth=152"):
        R3DClassifier(3, clip=SHORT, depth=152)
    with pytest.raises(ValueError, match="Received: midplanes='all'"):
        R2Plus1DClassifier(3, clip=SHORT, midplanes="all")
