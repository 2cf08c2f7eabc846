import sys

import keras
import pytest

from keras_acl import recipes
from keras_acl.devices import has_accelerator

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
        recipes.compile_with_xla()
        == {
            "tensorflow": present,
            "jax": True,
            "torch": False,
        }[keras.backend.backend()]
    )
