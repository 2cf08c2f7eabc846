import os
import subprocess
import sys

import pytest

from keras_acl.system.quiet_start import worth_showing

STARTED = """WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795790487.1 4950 port.cc:153] oneDNN custom operations are on.
mine
"""
MORE = """W0000 00:00:1795790487.1 4950 feature_guard.cc:227] This TensorFlow binary is optimized.
To enable the following instructions: AVX2 FMA, rebuild TensorFlow.
E0000 00:00:1795790508.8 5216 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)
E0000 00:00:1795790508.9 5216 cuda_dnn.cc:1] Loaded runtime CuDNN library: 8.0 but compiled with 9
which goes on here
"""


def test_errors_and_what_is_no_log_stay():
    _, _, cuda, dnn, rest = MORE.splitlines(keepends=True)
    assert worth_showing(STARTED, nvidia=False) == "mine\n"
    assert worth_showing(MORE, nvidia=False) == dnn + rest
    assert worth_showing(MORE, nvidia=True) == cuda + dnn + rest


def run(code: str, **environment) -> str:
    clean = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=clean | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.slow
def test_the_first_attribute_writes_nothing():
    code = "import keras_acl; keras_acl.load_pretrained('demo')"
    assert run(code, KERAS_BACKEND="tensorflow") == ""


def test_only_the_first_import_of_keras_is_hushed():
    """A stand-in for TensorFlow writes as it does: below Python, while it is imported."""
    code = (
        "import os, sys\n"
        "from keras_acl.system.quiet_start import quiet_start\n"
        f"text = {STARTED!r}.encode()\n"
        "with quiet_start():\n    os.write(2, text)\n"
        "print(os.environ['TF_CPP_MIN_LOG_LEVEL'])\n"
        "sys.modules['keras'] = None\n"
        "with quiet_start():\n    os.write(2, b'later')\n"
    )
    assert run(code) == "mine\nlater"
    assert run(code, TF_CPP_MIN_LOG_LEVEL="0") == STARTED + "later"


@pytest.mark.parametrize("without", ["sys.stderr = None", "os.close(2)"])
def test_a_program_without_standard_error_starts(without):
    code = (
        "import os, sys\n"
        "from keras_acl.system.quiet_start import quiet_start\n"
        f"{without}\n"
        "with quiet_start():\n    sys.stdout.write('inside')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "inside")
