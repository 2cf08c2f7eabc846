"""Quiet, headless and deterministic: what every test process needs before Keras is imported."""

import gc
import logging
import os
import signal
import sys
import warnings
from pathlib import Path

import pytest
from video_files import numbered_frames, write_video

import keras_acl  # noqa: F401  turns TensorFlow's fast convolutions on

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
# Two processes share the cores, and threads that wait for each other keep them busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# Engines are made where they are tested; hundreds of commands run tiny networks once.
os.environ.setdefault("KERAS_ACL_ENGINE", "keras")
# What imports OpenVINO by itself would tell its makers, from a forked process.
sys.modules.setdefault("openvino_telemetry", None)
if os.environ["KERAS_BACKEND"] == "jax":
    # Small functions that run once need no optimising, and need not be compiled twice. Without the
    # emitters of fused loops, compiling takes a third of the time.
    os.environ["XLA_FLAGS"] = (
        f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"
        " --xla_cpu_use_fusion_emitters=false"
    )
    compiled = Path(__file__).resolve().parents[1] / "build" / "jax"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(compiled))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# Started in the background of a script, this process ignores Ctrl-C, and so would those it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    """A file that another process is still writing, or never finished, is compiled again."""
    config.addinivalue_line("filterwarnings", "ignore:Error reading persistent compilation cache")


def pytest_collection_finish(session):
    """Modules stay: garbage is not looked for in them, nor after every 700 new objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def pytest_ignore_collect(collection_path, config):
    """Where only `backends` are asked for, a file that never says so need not be imported."""
    if collection_path.suffix == ".py" and config.option.markexpr.startswith("backends"):
        return "backends" not in collection_path.read_text(encoding="utf-8") or None
    return None


@pytest.fixture
def call(monkeypatch, capsys):
    """Runs a command line and returns (exit code, standard output, standard error)."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # `main` sets it

    from keras_acl import cli

    logger = logging.getLogger("keras_acl")
    level, handlers = logger.level, list(logger.handlers)

    def run(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["keras-acl", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    yield run
    logger.setLevel(level)
    logger.handlers[:] = handlers
    logger.propagate = True


@pytest.fixture
def eager():
    """Networks that take a step or two are through before they would be compiled."""
    import keras

    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def numbered_video(tmp_path_factory) -> Path:
    """81 numbered frames of 32 x 48 at 30 fps (2.7 s)."""
    path = tmp_path_factory.mktemp("videos") / "numbered.mp4"
    return write_video(path, numbered_frames(81))
