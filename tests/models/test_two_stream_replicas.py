import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from tiny_network import write_figures

FOLDER = Path(__file__).parent
pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute")


def run(script: str, *arguments: object) -> dict:
    """What a script prints, in a process of its own."""
    paths = [str(FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_two_replicas_count_every_term_once():
    found = run("replicas.py")
    # On either replica ℓ_c = ln 3, ℓ_a = (0.4 + 0.3) / 2 with λ = 1.5, and those of the streams,
    # (50 + 0) / 2 and 50, with w = 0.5.
    assert found["consistency"] == pytest.approx(0.35)
    assert found["loss"] == pytest.approx(1.0986123 + 1.5 * 0.35 + 0.5 * (25 + 50))
    assert (found["spatial_accuracy"], found["temporal_accuracy"]) == (0.5, 0.0)


@pytest.mark.slow
def test_two_replicas_train_as_one_device_does(tmp_path):
    """Keras' extra pass under a strategy would put a `VideoDataset` out of step."""
    found = run("fit_on_replicas.py", write_figures(tmp_path, count=4))
    assert found["passes"] == [[2, 3], [2, 3]]  # evaluated once more
    assert found["moved"] > 1e-3
    assert found["difference"] < 1e-6
    assert set(found["history"]) == set(found["repeated"])
    for name, values in found["history"].items():
        assert found["repeated"][name] == pytest.approx(values, rel=1e-5), name
