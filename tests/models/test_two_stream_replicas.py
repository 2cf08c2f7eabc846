import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

SCRIPT = Path(__file__).with_name("replicas.py")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute")
def test_two_replicas_count_every_term_once():
    paths = [str(SCRIPT.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    # On either replica ℓ_c = ln 3, ℓ_a = (0.4 + 0.3) / 2 with λ = 1.5, and those of the streams,
    # (50 + 0) / 2 and 50, with w = 0.5.
    assert found["consistency"] == pytest.approx(0.35)
    assert found["loss"] == pytest.approx(1.0986123 + 1.5 * 0.35 + 0.5 * (25 + 50))
    assert (found["spatial_accuracy"], found["temporal_accuracy"]) == (0.5, 0.0)
