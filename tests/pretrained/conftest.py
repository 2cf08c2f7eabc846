import os
import shutil
import subprocess
import sys

import pytest
from hub_server import hub_server
from saved import CARD, make_two_stream

from keras_acl.layers import AttentionConsistency
from keras_acl.pretrained.hub import import_client
from keras_acl.pretrained.save import save_pretrained


@pytest.fixture(scope="session")
def model():
    """A two-stream network; tests leave it as it is."""
    return make_two_stream(
        consistency=AttentionConsistency(stop_gradient="spatial", minimum_contrast=0.5)
    )


@pytest.fixture(scope="session")
def saved(model, tmp_path_factory):
    """Its folder; tests leave it as it is."""
    return save_pretrained(model, tmp_path_factory.mktemp("saved") / "tiny", CARD)


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of the folder, to be changed."""
    return shutil.copytree(saved, tmp_path / "tiny")


@pytest.fixture
def server():
    with hub_server() as running:
        yield running


@pytest.fixture
def hub(server, tmp_path, monkeypatch):
    """A server that the Hub's client in this process talks to, with a cache of its own.

    The client has read its settings from the environment when it was imported.
    """
    import_client()
    from huggingface_hub import constants

    home = tmp_path / "hub"
    url = server.url
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    for name, value in {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": template,
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_TELEMETRY": True,
        "HF_HUB_DISABLE_PROGRESS_BARS": True,
    }.items():
        monkeypatch.setattr(constants, name, value)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    server.cache = home / "hub"
    return server


@pytest.fixture
def hub_environment(server, tmp_path):
    """The same for processes that are started."""
    home = tmp_path / "home"
    return {
        **os.environ,
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home / "hub"),
        "HF_HUB_DISABLE_XET": "1",
        "KERAS_HOME": str(home / "keras"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


@pytest.fixture
def run_two_at_once(hub_environment):
    """Run Python code with arguments in two processes; gives the last line of each."""

    def run(code: str, *arguments: str) -> list[str]:
        started = [
            subprocess.Popen(
                [sys.executable, "-c", code, *arguments],
                env=hub_environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        lines = []
        for process in started:
            output, errors = process.communicate(timeout=400)
            assert process.returncode == 0, errors
            lines.append(output.splitlines()[-1])
        return lines

    return run
