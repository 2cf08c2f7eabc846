import keras
import pytest

from keras_acl.clip import ClipSpec
from keras_acl.models import SlowClassifier, SlowFastClassifier, TwoStreamClassifier
from keras_acl.speed.architectures import architecture_costs
from keras_acl.speed.cost import count_multiply_adds, count_parameters

DENSE = {"clip": ClipSpec(frames=32, span=64), "speed_ratio": 4}  # 8x8: half the speed ratio
NETWORKS = {
    "SlowFast 4x16 R50": lambda classes: SlowFastClassifier(classes),
    "SlowFast 4x16 R50 without fusion": lambda classes: SlowFastClassifier(classes, fusion="none"),
    "AC + SCAM 4x16 R50 (the paper's)": lambda classes: TwoStreamClassifier(classes),
    "Slow 4x16 R50": lambda classes: SlowClassifier(classes),
    "Slow + SCAM 4x16 R50": lambda classes: SlowClassifier(classes, scales=(1.0, 0.5)),
    "SlowFast 8x8 R50": lambda classes: SlowFastClassifier(classes, fusion_kernel=7, **DENSE),
    "Slow 8x8 R50": lambda classes: SlowClassifier(classes, **DENSE),
}
QUICK = "Slow + SCAM 4x16 R50"  # the others take seconds each

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the same graph on every backend"
)


@pytest.mark.parametrize(
    "name",
    [name if name == QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS],
)
def test_the_table_is_what_the_networks_count(name):
    model = NETWORKS[name](7)
    for size in (256, 173):  # an odd one: every stage rounds up, and so does half of it
        row = next(row for row in architecture_costs(7, size) if row.name == name)
        assert row.multiply_adds == count_multiply_adds(model, size)
        assert row.parameters == count_parameters(model)


def test_every_architecture_has_a_row():
    rows = {row.name: row for row in architecture_costs()}
    assert list(rows) == list(NETWORKS)
    ours = rows["AC + SCAM 4x16 R50 (the paper's)"]
    assert (ours.parameters, ours.multiply_adds) == (33_070_648, 34_159_333_376)
    fused = rows["SlowFast 4x16 R50"]
    assert (fused.parameters, fused.multiply_adds) == (34_480_216, 36_099_198_976)
    # Table 3: attention consistency costs nothing beside the two streams.
    assert ours.multiply_adds == rows["SlowFast 4x16 R50 without fusion"].multiply_adds
