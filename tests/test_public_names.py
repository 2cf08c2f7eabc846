"""What the package shows: `dir`, `__all__`, and the module page."""

import importlib
import re
import types

import pytest

import keras_acl

PACKAGES = [
    "keras_acl",
    *(f"keras_acl.{room}" for room in ("attention", "data", "evaluation", "inference", "layers")),
    "keras_acl.engines",
    *(f"keras_acl.{room}" for room in ("models", "moving_figures", "pretrained", "report")),
    *(f"keras_acl.{name}" for name in ("callbacks", "losses", "optimizers", "profiling")),
    "keras_acl.recipes",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_resolve(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize(
    "package", ["keras_acl", "keras_acl.data", "keras_acl.evaluation", "keras_acl.pretrained"]
)
def test_dir_shows_the_public_names_and_nothing_else(package):
    module = importlib.import_module(package)
    assert dir(module) == sorted(module.__all__)
    assert not {"os", "importlib", "platform", "TYPE_CHECKING"} & set(dir(module))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="load_pretrainedd"):
        keras_acl.load_pretrainedd  # noqa: B018


def test_the_module_page_is_a_table_of_contents():
    """Every public name stands there once, with a line of what it is for."""
    entries = re.findall(r"^- `(\w+)`: .+$", keras_acl.__doc__, flags=re.MULTILINE)
    assert sorted(entries) == sorted(keras_acl.__all__)


@pytest.mark.parametrize("name", keras_acl.__all__)
def test_public_names_say_what_they_are(name):
    value = getattr(keras_acl, name)
    assert value.__doc__
    assert isinstance(value, types.ModuleType) or value.__module__.startswith("keras_acl.")
