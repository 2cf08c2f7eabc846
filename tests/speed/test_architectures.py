from collections import Counter

import keras
import pytest

from keras_acl.models import SlowClassifier, SlowFastClassifier
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
        if cost.multiply_adds and len(cost.output_shape) == 4:  # (T, H, W, C): a convolution
            side = cost.output_shape[1]
            found[256 // side] += cost.multiply_adds // side**2
    assert found == ARCHITECTURES[name].multiply_adds


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
