"""Runs that are trained side by side by JAX learn what `fit` makes of each of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("side_by_side_and_fit.py")


@pytest.mark.slow
def test_side_by_side_is_fit():
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    # Both compile faster.
    flags = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    environment["XLA_FLAGS"] = flags
    command = [sys.executable, str(SCRIPT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "equal" in done.stdout
