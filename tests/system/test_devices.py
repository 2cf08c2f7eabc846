import os
import subprocess
import sys
import warnings

import keras
import pytest
from tiny_network import CLIP, slow

from keras_acl.models import SlowClassifier
from keras_acl.system import devices
from keras_acl.system.devices import compile_with_xla, has_accelerator
from keras_acl.training import recipes

TINY = {"clip": CLIP, "depth": 11, "width": 4}

pytestmark = pytest.mark.backends


def test_every_backend_answers():
    assert recipes.mixed_precision_policy() == (
        "mixed_bfloat16" if has_accelerator() else "float32"
    )


@pytest.mark.parametrize("present", [False, True])
def test_the_answer_is_the_backends_own(monkeypatch, present):
    devices = ["device:0"] if present else []
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: devices)
    if keras.backend.backend() == "torch":
        monkeypatch.setattr(sys.modules["torch"].cuda, "is_available", lambda: present)
    if keras.backend.backend() == "jax":
        monkeypatch.setattr(
            sys.modules["jax"], "default_backend", lambda: "gpu" if present else "cpu"
        )
    assert has_accelerator() is present
    assert (
        compile_with_xla()
        == {
            "tensorflow": present,
            "jax": True,
            "torch": False,
        }[keras.backend.backend()]
    )


@pytest.fixture
def onednn(monkeypatch):
    """Says whether TensorFlow has it, on an x86 CPU of a process that was not warned."""
    devices.warn_of_slow_convolutions.cache_clear()
    monkeypatch.setattr(devices.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(devices, "has_accelerator", lambda: False)
    yield lambda present: monkeypatch.setattr(devices, "tensorflow_has_onednn", lambda: present)
    devices.warn_of_slow_convolutions.cache_clear()


@pytest.mark.parametrize(
    ("value", "remedy"), [("False", "Unset TF_ENABLE_ONEDNN_OPTS (it is False)"), ("1", "Import")]
)
def test_who_is_without_the_fast_convolutions_is_told_once(onednn, monkeypatch, value, remedy):
    onednn(False)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", value)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        SlowClassifier(2, **TINY), SlowClassifier(2, **TINY)
    assert len(told) == (keras.backend.backend() == "tensorflow")
    assert all(f"on this CPU. {remedy}" in str(warning.message) for warning in told)
    assert {warning.filename for warning in told} <= {__file__}


def test_others_are_not_told(onednn, monkeypatch):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        onednn(True)
        slow()
        devices.warn_of_slow_convolutions.cache_clear()
        onednn(False)
        monkeypatch.setattr(devices.platform, "machine", lambda: "arm64")
        slow()
    assert not told


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow"
    or devices.platform.machine().lower() not in ("x86_64", "amd64"),
    reason="oneDNN is TensorFlow's, for x86",
)
@pytest.mark.parametrize(
    ("value", "expected"), [(None, ["1", "True"]), ("1", ["1", "True"]), ("0", ["0", "False"])]
)
def test_the_fast_convolutions_are_on_unless_the_user_said_no(value, expected):
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    if value is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = value
    code = (
        "import os, keras_acl.system.devices as devices; "
        "print(os.environ['TF_ENABLE_ONEDNN_OPTS'], devices.tensorflow_has_onednn())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-2:] == expected


def test_bfloat16_is_fast_where_the_processor_has_it(monkeypatch):
    monkeypatch.setattr(devices, "has_accelerator", lambda: False)
    monkeypatch.setattr(devices, "_processor_features", lambda: frozenset({"avx512f"}))
    assert not devices.fast_bfloat16()
    monkeypatch.setattr(devices, "_processor_features", lambda: frozenset({"amx_bf16"}))
    assert devices.fast_bfloat16()
    monkeypatch.setattr(devices, "_processor_features", lambda: frozenset())
    assert not devices.fast_bfloat16()
    monkeypatch.setattr(devices, "has_accelerator", lambda: True)
    assert devices.fast_bfloat16()
