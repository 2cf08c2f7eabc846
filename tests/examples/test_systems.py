"""The page of the paper's systems is what its script writes, and names what there is."""

import pytest
import systems

import keras_acl.models
from keras_acl.models import VideoClassifier
from keras_acl.speed.architectures import ARCHITECTURES


def test_the_page_is_what_the_script_writes():
    assert (systems.HERE / "tables.md").read_text(encoding="utf-8") == systems.page()


def test_every_network_of_the_package_has_a_row():
    classes = {
        name
        for name in keras_acl.models.__all__
        if isinstance(found := getattr(keras_acl.models, name), type)
        and issubclass(found, VideoClassifier)
    }
    assert {one.network for one in systems.SYSTEMS} == classes - {
        "VideoClassifier",
        "R3DClassifier",  # no system of the paper's
    }
    assert {one.cost for one in systems.SYSTEMS} - {"C3D"} <= set(ARCHITECTURES)


def test_every_comparison_was_measured_on_every_backend():
    tests = {test for test, _ in systems.errors()}
    assert set(systems.errors()) == {(test, on) for test in tests for on in systems.BACKENDS}
    for one in systems.SYSTEMS:
        assert bool(one.tests) == bool(one.parity), one.name
        if one.tests:
            assert 0 <= systems.largest_error(one) < 1e-4


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_picture_is_drawn(tmp_path):
    systems.picture(tmp_path / "presets.png")
    assert (tmp_path / "presets.png").stat().st_size > 10_000
