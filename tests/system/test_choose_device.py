import os

import pytest

from keras_acl.system.choose_device import choose_device

NAMES = ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "KERAS_TORCH_DEVICE")


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, "")  # put back afterwards, whatever the test leaves
        monkeypatch.delenv(name)


def test_cpu_hides_every_accelerator_from_every_backend():
    choose_device("cpu")
    assert [os.environ[name] for name in NAMES] == ["-1", "cpu", "cpu"]


@pytest.mark.parametrize(
    ("name", "visible", "chosen"),
    [
        ("gpu", None, "0"),
        ("gpu:1", None, "1"),
        ("gpu", "2,3", "2"),
        ("gpu:1", "2, GPU-8f", "GPU-8f"),
    ],
)
def test_a_gpu_is_counted_among_those_that_are_left(monkeypatch, name, visible, chosen):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    choose_device(name)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == chosen
    assert "JAX_PLATFORMS" not in os.environ


@pytest.mark.parametrize("name", ["", "cuda", "gpu:", "gpu:-1", "GPU:x", "cpu:0"])
def test_other_names_are_errors(name):
    with pytest.raises(ValueError, match=f"Received: {name}"):
        choose_device(name)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_gpu_that_is_hidden(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    with pytest.raises(ValueError, match="no gpu:1: CUDA_VISIBLE_DEVICES is '2'"):
        choose_device("gpu:1")
