import os
import subprocess
import sys

import pytest

from keras_acl.system.without_telemetry import import_without_telemetry

REPORTING = """
try:
    import openvino_telemetry
    told = True
except ImportError:
    told = False
"""


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A package that reports its use where it can, and the one that it would report with."""
    (tmp_path / "openvino_telemetry.py").touch()
    (tmp_path / "reporting.py").write_text(REPORTING)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("openvino_telemetry", "reporting"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize("before", [False, True], ids=["new", "imported before"])
def test_nothing_is_reported(before, packages):
    if before:
        import openvino_telemetry
    assert not import_without_telemetry("reporting").told
    assert ("openvino_telemetry" in sys.modules) == before
    import openvino_telemetry  # others may

    assert openvino_telemetry.__file__ == str(packages / "openvino_telemetry.py")


def test_what_is_missing_leaves_no_trace(packages):
    with pytest.raises(ImportError, match="no_such_module"):
        import_without_telemetry("no_such_module")
    assert "openvino_telemetry" not in sys.modules


@pytest.mark.parametrize("name", ["openvino", "nncf"])
def test_the_home_folder_stays_empty(name, tmp_path):
    """A fresh process: both write a number for the user there when they report."""
    pytest.importorskip(name)
    code = (
        "from keras_acl.system.without_telemetry import import_without_telemetry\n"
        f"import_without_telemetry({name!r})"
    )
    quiet = ("CI", "TF_BUILD", "JENKINS_URL", "NNCF_CI")  # in which they say nothing anyway
    environment = {key: value for key, value in os.environ.items() if key not in quiet}
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env={**environment, **home})
    assert not list(tmp_path.iterdir())
