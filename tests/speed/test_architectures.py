import functools
from collections import Counter

import keras
import pytest

from keras_acl.clip import ClipSpec
from keras_acl.models import (
    ARTNetClassifier,
    BottleneckR2Plus1DClassifier,
    CSNClassifier,
    ECOClassifier,
    ECOLiteClassifier,
    I3DClassifier,
    InflatedResNetClassifier,
    LateFusionClassifier,
    R2Plus1DClassifier,
    R3DClassifier,
    ResNeXt3DClassifier,
    S3DClassifier,
    SlowClassifier,
    SlowFastClassifier,
    STCClassifier,
    T3DClassifier,
    TSNClassifier,
    X3DClassifier,
)
from keras_acl.models.x3d import CLIPS
from keras_acl.pretrained.presets import find_preset
from keras_acl.speed.architectures import ARCHITECTURES, architecture_costs
from keras_acl.speed.cost import count_multiply_adds, count_parameters, layer_costs


def of_preset(name):
    preset = find_preset(name)
    return lambda classes: preset.architecture(**{**preset.arguments, "num_classes": classes})


PRESETS = {
    "SlowFast 4x16 R50": "slowfast_r50_4x16_k400",
    "AC + SCAM 4x16 R50 (the paper's)": "acl_r50_4x16_k400",
    "Slow 4x16 R50": "slow_r50_4x16_k400",
    "SlowFast 8x8 R50": "slowfast_r50_8x8_k400",
    "Slow 8x8 R50": "slow_r50_8x8_k400",
}
NETWORKS = {name: of_preset(preset) for name, preset in PRESETS.items()}
NETWORKS["SlowFast 4x16 R50 without fusion"] = lambda classes: SlowFastClassifier(
    classes, fusion="none"
)
SEGMENTS = ClipSpec(frames=25, span=64, segments=True)
FLOW = ClipSpec(frames=64, span=64, fps=25.0, modality="flow")
ZOO = {
    "C2D 8x8 R50": (InflatedResNetClassifier, {"inflated": False}),
    "I3D 8x8 R50": (InflatedResNetClassifier, {}),
    "I3D Inception, 64 frames": (I3DClassifier, {}),
    "I3D Inception of flow, 64 frames": (I3DClassifier, {"clip": FLOW}),
    "Two-stream I3D, 64 frames": (LateFusionClassifier, {}),
    "S3D, 64 frames": (S3DClassifier, {"clip": ClipSpec(frames=64, span=64)}),
    "R3D-18, 16 frames": (R3DClassifier, {}),
    "MC3-18, 16 frames": (R3DClassifier, {"mixed": True}),
    "R(2+1)D-18, 16 frames": (R2Plus1DClassifier, {}),
    "R(2+1)D-34, 32 frames": (
        R2Plus1DClassifier,
        {"clip": ClipSpec(frames=32, span=32), "depth": 34, "midplanes": "convolution"},
    ),
    "R(2+1)D R50 16x4": (BottleneckR2Plus1DClassifier, {}),
    "ResNeXt-101, 16 frames": (ResNeXt3DClassifier, {}),
    "ResNeXt-101, 64 frames": (ResNeXt3DClassifier, {"clip": ClipSpec(frames=64, span=64)}),
    "ARTNet-18, 16 frames": (ARTNetClassifier, {}),
    "STC-ResNeXt-101, 16 frames": (STCClassifier, {}),
    "T3D-121, 32 frames": (T3DClassifier, {}),
    "ir-CSN R101, 32 frames": (CSNClassifier, {"depth": 101}),
    "ir-CSN R152, 32 frames": (CSNClassifier, {}),
    "TSN R50, 25 frames": (TSNClassifier, {"clip": SEGMENTS}),
    "TSN BN-Inception, 25 frames": (
        TSNClassifier,
        {"clip": SEGMENTS, "backbone": "bn_inception"},
    ),
    "ECO Lite, 16 frames": (ECOLiteClassifier, {}),
    "ECO, 16 frames": (ECOClassifier, {}),
    "X3D-S": (X3DClassifier, {"clip": CLIPS["S"]}),
    "X3D-M": (X3DClassifier, {}),
    "X3D-L": (X3DClassifier, {"clip": CLIPS["L"], "depth_factor": 5.0}),
}
NETWORKS |= {
    name: functools.partial(network, **arguments) for name, (network, arguments) in ZOO.items()
}
SCALES = "Slow + SCAM 4x16 R50"

tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the same graph on every backend"
)


def row_of(name, classes, size):
    return next(row for row in architecture_costs(classes, size) if row.name == name)


@tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_table_is_what_the_networks_count(name):
    model = NETWORKS[name](7)
    costs = layer_costs(model, 256)
    row = row_of(name, 7, 256)
    assert row.multiply_adds == sum(cost.multiply_adds for cost in costs)
    assert row.parameters == count_parameters(model)
    # For one position, by stride: what any other size is reckoned from.
    found = Counter()
    for cost in costs:
        side = cost.output_shape[1] if len(cost.output_shape) == 4 else 1
        if cost.multiply_adds and side > 1:  # (T, H, W, C): a convolution
            found[256 // side] += cost.multiply_adds // side**2
    assert found == ARCHITECTURES[name].multiply_adds


@pytest.mark.parametrize(
    ("name", "size", "parameters", "multiply_adds"),
    [
        # PyTorchVideo's own parameters, in millions; multiply-adds without what fvcore adds.
        ("C2D 8x8 R50", 256, 24.33e6, 25.46e9),
        ("I3D 8x8 R50", 256, 28.04e6, 37.10e9),
        ("R(2+1)D R50 16x4", 256, 28.11e6, 75.15e9),
        ("ir-CSN R152, 32 frames", 256, 29.70e6, 96.7e9),  # VMZ's
        ("I3D Inception, 64 frames", 224, 12.69e6, 111.2e9),
        ("I3D Inception of flow, 64 frames", 224, 12_668_032, 102.3e9),
        ("Two-stream I3D, 64 frames", 224, 25_358_016, 213.5e9),
        ("R(2+1)D-34, 32 frames", 112, 63.7e6, 152.36e9),  # VMZ's
        ("ResNeXt-101, 16 frames", 112, 48_340_816, 9.57e9),
        ("ResNeXt-101, 64 frames", 112, 48_340_816, 38.27e9),
        ("ARTNet-18, 16 frames", 112, 39_676_176, 25.69e9),  # with fixed weights and biases
        ("S3D, 64 frames", 224, 8.32e6, 71.9e9),  # torchvision's
        ("TSN R50, 25 frames", 224, 24.33e6, 102.2e9),
        ("TSN BN-Inception, 25 frames", 224, 10.67e6, 50.8e9),
        ("ECO Lite, 16 frames", 224, 37.5e6, 46.5e9),
        ("ECO, 16 frames", 224, 47.5e6, 64.4e9),
        # PySlowFast's, at the size that each is trained at
        ("X3D-S", 160, 3.79e6, 1.96e9),
        ("X3D-M", 224, 3.79e6, 4.73e9),
        ("X3D-L", 312, 6.15e6, 18.37e9),
    ],
)
def test_the_zoo_costs_what_others_published(name, size, parameters, multiply_adds):
    row = row_of(name, 400, size)
    assert row.parameters == pytest.approx(parameters, rel=2e-3)  # as they round
    assert row.multiply_adds == pytest.approx(multiply_adds, rel=2e-3)


@tensorflow
def test_any_size_is_reckoned():
    model = SlowClassifier(7, scales=(1.0, 0.5))
    for size in (256, 173):  # an odd one: every stage rounds up, and so does half of it
        assert row_of(SCALES, 7, size).multiply_adds == count_multiply_adds(model, size)
    assert row_of(SCALES, 7, 256).parameters == count_parameters(model)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_records_what_the_table_says(name):
    preset = find_preset(PRESETS[name])
    row = row_of(name, 400, 256)
    assert (row.parameters, row.multiply_adds) == (preset.parameters, preset.multiply_adds)


def test_every_architecture_has_a_row():
    rows = {row.name: row for row in architecture_costs()}
    assert set(rows) == {*NETWORKS, SCALES}
    ours = rows["AC + SCAM 4x16 R50 (the paper's)"]
    assert (ours.parameters, ours.multiply_adds) == (33_070_648, 34_159_333_376)
    fused = rows["SlowFast 4x16 R50"]
    assert (fused.parameters, fused.multiply_adds) == (34_480_216, 36_099_198_976)
    assert row_of(ours.name, 400, 224).multiply_adds == 26_153_455_616
    assert row_of(fused.name, 400, 224).multiply_adds == 27_638_665_216
    # Table 3: attention consistency costs nothing beside the two streams.
    assert ours.multiply_adds == rows["SlowFast 4x16 R50 without fusion"].multiply_adds
