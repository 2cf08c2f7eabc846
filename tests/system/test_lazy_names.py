import importlib
import sys

import pytest

PACKAGE = """
from lazy_names_package.now import eager
from keras_acl.system.lazy_names import lazy_names

__all__ = ["eager", "late", "rooms"]
__getattr__, __dir__ = lazy_names(__name__, {"late": "lazy_names_package.later"}, ["rooms"])
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a name that is imported at once, one that is not, and a module."""
    folder = tmp_path / "lazy_names_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(PACKAGE)
    (folder / "now.py").write_text("eager = 1\n")
    (folder / "later.py").write_text("late = 2\n")
    (folder / "rooms.py").write_text("inside = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("lazy_names_package")
    for name in [name for name in sys.modules if name.startswith("lazy_names_package")]:
        del sys.modules[name]


def test_a_name_is_imported_when_it_is_used(package):
    assert "lazy_names_package.later" not in sys.modules
    assert package.late == 2
    assert "lazy_names_package.later" in sys.modules


def test_a_module_is_a_name_too(package):
    assert "lazy_names_package.rooms" not in sys.modules
    assert package.rooms.inside == 3


def test_only_public_names_are_listed(package):
    assert dir(package) == ["eager", "late", "rooms"]


def test_other_names_are_unknown(package):
    with pytest.raises(AttributeError, match=r"'lazy_names_package' has no attribute 'lat'"):
        _ = package.lat
