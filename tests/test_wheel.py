"""The package as users get it: built, unpacked on its own, and used."""

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

import keras_acl

ROOT = Path(__file__).parent.parent
USE = """
import sys
import keras_acl
assert "site-packages" in keras_acl.__file__, keras_acl.__file__
model = keras_acl.load_pretrained("demo")
from keras_acl.pretrained.golden import golden_outputs
from keras_acl.pretrained.labels import read_labels
import json, pathlib
folder = pathlib.Path(keras_acl.__file__).parent / "weights" / "demo"
expected = json.loads((folder / "golden.json").read_text())
found = golden_outputs(model)
for ours, theirs in zip(found["top_logits"], expected["top_logits"], strict=True):
    assert ours["label"] == theirs["label"] and abs(ours["logit"] - theirs["logit"]) < 1e-3
assert len(read_labels("kinetics400")) == 400
assert not [name for name in sys.modules if name.startswith("tests")]
print("used", model.labels[0])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    [file] = folder.glob("*.whl")
    return file


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert keras_acl.__version__ == project["version"] == citation["version"]


def test_wheel_holds_the_weights_and_nothing_of_the_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "weights/demo/model.weights.h5",
        "weights/demo/config.json",
        "weights/acl_r50_4x16_k400/README.md",
        "pretrained/labels/kinetics400.txt",
        "report/page.html.j2",
        "py.typed",
    ):
        assert f"keras_acl/{name}" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"keras_acl"}
    assert not [name for name in names if "test" in name or name.endswith(".pyth")]
    assert wheel.stat().st_size < 5e6


@pytest.mark.slow
def test_wheel_in_an_empty_environment_loads_demo_without_a_network(wheel, tmp_path):
    """The wheel is installed alone; its dependencies are those of this environment."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    site = Path(theirs.stdout.strip())
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    subprocess.run([*pip, "--no-deps", "--quiet", str(wheel)], check=True)
    ours = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True)
    # Behind the wheel on the path, and without the .pth file that leads to this clone.
    (site / "zz_dependencies.pth").write_text(ours.stdout.strip() + "\n")
    blocked = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [python, "-W", "ignore", "-c", USE],
        cwd=tmp_path,
        env={**os.environ, **blocked, "HOME": str(tmp_path), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "used" in done.stdout
    script = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "keras-acl"
    listed = subprocess.run([script, "presets"], capture_output=True, text=True, cwd=tmp_path)
    assert "ships with the package" in listed.stdout, listed.stderr[-2000:]
