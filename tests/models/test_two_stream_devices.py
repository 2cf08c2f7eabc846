import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_network import write_figures

SCRIPT = Path(__file__).parent / "fit_on_devices.py"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="starts JAX by itself"),
]


def start(devices: int, *arguments: object, processes: int = 1) -> list[subprocess.Popen]:
    """The script in some processes, each with some devices of a CPU."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    paths = [str(SCRIPT.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        # What runs for seconds needs no optimising.
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} "
        "--xla_backend_optimization_level=0",
    }
    started = []
    for index in range(processes):
        if processes > 1:
            environment["KERAS_DISTRIBUTION_JOB_ADDRESSES"] = address
            environment["KERAS_DISTRIBUTION_NUM_PROCESSES"] = str(processes)
            environment["KERAS_DISTRIBUTION_PROCESS_ID"] = str(index)
        command = [sys.executable, str(SCRIPT), *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=dict(environment), **pipes))
    return started


def finished(started: list[subprocess.Popen]) -> list[tuple[int, str, str]]:
    """Exit status, output and errors of each."""
    said = [process.communicate(timeout=600) for process in started]
    return [(p.returncode, *texts) for p, texts in zip(started, said, strict=True)]


def test_processes_and_devices_train_as_one_device(tmp_path):
    """Two processes of two devices, one killed, go on as one of four: 15 steps on eight clips.

    Six steps more, and on CPUs with AVX-512 a last digit decides where a map is largest, or a ReLU
    open: within a step the difference grows from 5e-7 to 4e-4.
    """
    videos = write_figures(tmp_path / "videos", count=8)
    one = start(1, videos, tmp_path / "one", 5)
    (first, _, error), (last, *_) = finished(start(2, videos, tmp_path / "many", 5, 2, processes=2))
    assert (first, last) == (1, -signal.SIGKILL), error
    lines = [line for line in error.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert "Process 0 of 2 ends, as process 1 did" in lines[0]
    ((status, _, error),) = finished(one)
    assert status == 0, error
    ((status, output, error),) = finished(start(4, videos, tmp_path / "many", 5))
    assert status == 0, error
    facts = json.loads(output.splitlines()[-1])
    assert (facts["devices"], facts["epochs"]) == (4, [2, 3, 4])
    with (
        np.load(tmp_path / "one" / "weights.npz") as weights,
        np.load(tmp_path / "many" / "weights.npz") as others,
    ):
        for name in weights.files:
            np.testing.assert_allclose(others[name], weights[name], atol=1e-5)
    histories = [(tmp_path / run / "history.csv").read_text() for run in ("one", "many")]
    rows = [np.genfromtxt(text.splitlines(), delimiter=",", names=True) for text in histories]
    for name in rows[0].dtype.names:
        np.testing.assert_allclose(rows[1][name], rows[0][name], atol=1e-4, err_msg=name)
