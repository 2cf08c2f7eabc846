"""The servers answer their real clients, and the page on deployment says what is so.

SERVING_PYTHON is the interpreter of an environment with KServe, as `make test-serving` makes it;
without it, LitServe alone is run, in this environment and with what its container lacks missing.
"""

import contextlib
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import numpy as np
import pytest
from packaging.requirements import Requirement
from tiny_network import LABELS, randomize, two_stream

import keras_acl
from keras_acl.inference import predict_videos
from keras_acl.system.devices import tensorflow
from keras_acl.video.clips import read_uniform_clips
from keras_acl.video.video import as_video

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
SERVING = DEPLOY / "serving"
ROOT = DEPLOY.parents[1]
PAGE = (DEPLOY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL)
PYTHON = os.environ.get("SERVING_PYTHON", sys.executable)
HAS_KSERVE = not subprocess.run(
    [
        PYTHON,
        "-c",
        "import importlib.metadata as m; m.version('kserve'), m.version('tritonclient')",
    ],
    stderr=subprocess.DEVNULL,
    check=False,
).returncode
PATIENCE = 120

slow = [
    pytest.mark.slow,
    pytest.mark.skipif(tensorflow() is None, reason="TensorFlow has the exporters"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals and groups of processes"),
]
with_kserve = pytest.mark.skipif(not HAS_KSERVE, reason="make test-serving installs KServe")


def requirements(name: str) -> list[Requirement]:
    lines = (SERVING / f"requirements{name}.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and line[0] not in "-#"]


def with_what_they_need(names: list[str]) -> set[str]:
    """Distributions that pip would install for these."""
    found: set[str] = set()
    while names:
        name = re.sub(r"[-_.]+", "-", names.pop()).lower()
        if name not in found:
            found.add(name)
            needed = map(Requirement, importlib.metadata.requires(name) or [])
            names += [r.name for r in needed if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


def not_in_the_container() -> set[str]:
    """Top-level modules here that requirements-litserve.txt does not bring."""
    needed = [*requirements(""), *requirements("-litserve")]
    allowed = with_what_they_need([r.name for r in needed]) | {"keras-acl", "pip", "setuptools"}
    return {
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners} & allowed
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a model, the same exported, and a video."""
    folder = tmp_path_factory.mktemp("made")
    model = randomize(two_stream())
    model.save(folder / "model.keras")
    keras_acl.export(model, folder / "model.xml", maps="all")
    keras_acl.data.MovingFigures("motion", 0, frames=20, size=40).write(folder / "videos", 1)
    shutil.copy(folder / "videos" / "left" / "0000.mp4", folder / "clip.mp4")
    return folder


class Running:
    """A server that was started.

    Args:
        process: Its first process, which leads a group.
        port: Where it listens.
        folder: Its `notes`, and `temporary` files.
    """

    def __init__(self, process: subprocess.Popen, port: int, folder: Path):
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder

    def notes(self, kind: str) -> set[str]:
        lines = (self.folder / "notes").read_text().splitlines()
        return {line.partition(" ")[2] for line in lines if line.startswith(kind)}

    def temporary(self) -> list[Path]:
        """Temporary files, but for the sockets by which its processes talk."""
        files = (self.folder / "temporary").rglob("*")
        return [file for file in files if file.is_file() and not file.is_socket()]

    def wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            with contextlib.suppress(httpx2.HTTPError):
                for path in ("/health", "/v2/health/ready"):
                    if httpx2.get(self.url + path).status_code == 200:
                        return
            time.sleep(0.2)

    def stop(self) -> None:
        """Terminate the first process, and see that none of the others is left."""
        self.process.terminate()
        assert self.process.wait(PATIENCE) in (0, -signal.SIGTERM)
        deadline = time.monotonic() + 20
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < deadline:
                os.killpg(self.process.pid, 0)
                time.sleep(0.2)
            pytest.fail("The server left processes behind")


@contextlib.contextmanager
def running(folder: Path, command: list[str], missing: set[str]):
    """Start a server on a free port of this machine, where it finds nothing but what it may."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "temporary").mkdir(parents=True)
    watched = Path(__file__).parent / "watched"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, (watched, ROOT))),
        "MISSING": " ".join(missing),
        "NOTES": str(folder / "notes"),
        "TMPDIR": str(folder / "temporary"),
    }
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Running(process, port, folder)
    try:
        server.wait_until_ready(folder / "log")
        yield server
        server.stop()  # and nothing is left of it
        assert not list((folder / "temporary").iterdir())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def litserve(made, tmp_path_factory):
    program = [PYTHON, str(SERVING / "litserve_server.py"), str(made / "model.xml")]
    folder = tmp_path_factory.mktemp("litserve")
    with running(folder, [*program, "--megabytes", "1"], not_in_the_container()) as server:
        yield server
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture(scope="module")
def kserve(made, tmp_path_factory):
    program = [PYTHON, str(SERVING / "kserve_server.py"), str(made / "model.xml")]
    folder = tmp_path_factory.mktemp("kserve")
    with running(folder, program, {"keras", "tensorflow", "torch", "jax"}) as server:
        yield server


def client(program: str, *arguments: object, python: str = PYTHON) -> subprocess.CompletedProcess:
    return run([python, SERVING / program, *map(str, arguments)])


def run(command: list) -> subprocess.CompletedProcess:
    return subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def best(made: Path) -> list[str]:
    """What clients print of the video."""
    [found] = predict_videos(keras_acl.load_model(made / "model.xml"), [made / "clip.mp4"])
    return [f"{score:6.1%}  {LABELS[i]}" for i, score in found.top(5)]


def refuse_others(port: int) -> bool:
    """Whether another address of this machine, which 0.0.0.0 would include, has no server."""
    try:
        socket.create_connection(("127.0.0.2", port), timeout=5).close()
    except OSError:
        return True
    return False


class TestLitServe:
    pytestmark = slow

    def test_a_video_is_answered_with_its_classes(self, litserve, made):
        done = client(
            "client_litserve.py", made / "clip.mp4", "--server", litserve.url, python=sys.executable
        )
        assert (done.stderr, done.stdout.splitlines()) == ("", best(made))
        about = httpx2.get(f"{litserve.url}/info").json()
        assert about["model"]["labels"] == list(LABELS)
        assert about["model"]["clip"]["frames"] == 8

    @pytest.mark.parametrize(
        "content",
        [b"", b"no video", b"#EXTM3U\n#EXTINF:1,\nhttp://192.0.2.1/segment.ts\n"],
        ids=["empty", "text", "playlist"],
    )
    def test_what_is_no_video_is_refused_with_what_is_wrong(self, litserve, made, content):
        [expected] = predict_videos(keras_acl.load_model(made / "model.xml"), [content])
        answer = httpx2.post(f"{litserve.url}/predict", files={"request": ("a.mp4", content)})
        assert answer.status_code == 422
        assert answer.json() == {"detail": f"The video cannot be read: {expected.problem}"}

    def test_the_client_says_why_a_file_is_refused(self, litserve, tmp_path):
        large = tmp_path / "large.mp4"
        large.write_bytes(bytes(30 * 2**20))
        done = client("client_litserve.py", large, "--server", litserve.url, python=sys.executable)
        assert done.returncode == 1
        assert done.stderr.strip() == f"{large}: Payload too large"

    @pytest.mark.parametrize(
        "request_",
        [
            {"files": {"other": b"x"}},
            {"data": {"request": "x"}},
            {"json": {"request": "x"}},
            {"content": b"x", "headers": {"Content-Type": "video/mp4"}},
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
            {"content": b""},
        ],
    )
    def test_another_request_is_the_sender_s_mistake(self, litserve, request_):
        answer = httpx2.post(f"{litserve.url}/predict", **request_)
        assert 400 <= answer.status_code < 500

    def test_nothing_stays_and_nobody_else_is_spoken_to(self, litserve, made):
        for content in (b"no video", (made / "clip.mp4").read_bytes()):
            httpx2.post(f"{litserve.url}/predict", files={"request": content})
        assert not litserve.temporary()
        assert not litserve.notes("network")
        assert refuse_others(litserve.port)

    def test_the_requirements_are_what_is_imported(self, litserve, made):
        """That nothing else is needed, every other test says: the server finds nothing else."""
        httpx2.post(f"{litserve.url}/predict", files={"request": (made / "clip.mp4").read_bytes()})
        modules = {"python-multipart": "python_multipart"}
        needed = {r.name for part in ("", "-litserve") for r in requirements(part)}
        assert {modules.get(name, name) for name in needed} <= litserve.notes("import")

    def test_a_model_that_cannot_be_loaded_is_said_without_a_trace(self, made, tmp_path):
        (tmp_path / "foreign.xml").write_text("<html>")
        shutil.copy(made / "model.xml", tmp_path / "cut.xml")
        (tmp_path / "cut.bin").write_bytes((made / "model.bin").read_bytes()[:100])
        for name in ("foreign.xml", "cut.xml", "none.xml"):
            done = client("litserve_server.py", tmp_path / name)
            assert done.returncode == 1
            assert name in done.stderr.splitlines()[-1]  # OpenVINO's own reader may say more
            assert "Traceback" not in done.stderr


@with_kserve
class TestKServe:
    pytestmark = slow

    def test_a_client_sends_clips_and_gets_every_output(self, kserve, made, tmp_path):
        outputs = ("features", "spatial_map", "temporal_map", "temporal_logits")
        done = client(
            "client_kserve.py",
            made / "clip.mp4",
            *("--server", f"127.0.0.1:{kserve.port}", "--save", tmp_path / "found.npz"),
            *("--outputs", *outputs),
        )
        assert (done.stderr, done.stdout.splitlines()) == ("", best(made))
        model = keras_acl.load_model(made / "model.xml")
        expected = model.run(read_uniform_clips(as_video(made / "clip.mp4"), model.clip, 3))
        found = np.load(tmp_path / "found.npz")
        assert set(found) == {"logits", *outputs}
        for name, value in found.items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-4)

    def test_metadata_say_what_goes_in_and_out(self, kserve):
        about = httpx2.get(f"{kserve.url}/v2/models/model").json()
        assert about["inputs"] == [
            {"name": "clip", "datatype": "UINT8", "shape": [-1, 8, 32, 32, 3]}
        ]
        shapes = {output["name"]: output["shape"] for output in about["outputs"]}
        assert shapes["logits"] == [-1, 3]
        assert shapes["temporal_map"] == [-1, 8, 4, 4]
        asked = {"inputs": [], "outputs": [{"name": "metadata"}]}
        answer = httpx2.post(f"{kserve.url}/v2/models/model/infer", json=asked).json()
        assert json.loads(answer["outputs"][0]["data"][0])["labels"] == list(LABELS)

    @pytest.mark.parametrize(
        ("shape", "data", "words"),
        [
            ([1, 2], [1, 2], "takes RGB clips of shape (batch, 8, height, width, 3)"),
            ([5], [1], "cannot reshape"),
            ([1], [300], "out of bounds"),
        ],
    )
    def test_what_does_not_fit_is_the_sender_s_mistake(self, kserve, shape, data, words):
        clip = {"name": "clip", "shape": shape, "datatype": "UINT8", "data": data}
        answer = httpx2.post(f"{kserve.url}/v2/models/model/infer", json={"inputs": [clip]})
        assert answer.status_code == 400
        assert words in answer.json()["error"]

    def test_a_client_says_what_is_wrong_with_a_video(self, kserve, tmp_path):
        (tmp_path / "a.mp4").write_bytes(b"no video")
        server = f"127.0.0.1:{kserve.port}"
        done = client("client_kserve.py", tmp_path / "a.mp4", "--server", server)
        assert done.returncode == 1
        assert done.stderr.startswith("Cannot decode")

    def test_nobody_else_is_spoken_to(self, kserve):
        assert not kserve.notes("network")
        assert refuse_others(kserve.port)

    def test_triton_s_configuration_can_be_read(self):
        read = (
            "import sys; from google.protobuf import text_format;"
            "from tritonclient.grpc.model_config_pb2 import ModelConfig;"
            "print(text_format.Parse(sys.stdin.read(), ModelConfig()).backend)"
        )
        text = (SERVING / "triton.config.pbtxt").read_text(encoding="utf-8")
        done = subprocess.run(
            [PYTHON, "-c", read], input=text, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "onnxruntime"


class TestPage:
    pytestmark = slow

    @pytest.mark.parametrize(
        "server", [None, "litserve", pytest.param("kserve", marks=with_kserve)]
    )
    def test_each_command_runs(self, server, request, made, tmp_path, monkeypatch):
        started = server and request.getfixturevalue(server)
        [commands] = [block for block in BLOCKS if (server or "export model") in block]
        monkeypatch.chdir(tmp_path)
        for name in ("model.keras", "clip.mp4"):
            shutil.copy(made / name, name)
        for command in commands.splitlines():
            words = shlex.split(command.replace("examples/deploy", str(DEPLOY)))
            if "_server.py" in command:
                assert started.process.args[1:3] == [words[1], str(made / words[2])]
                continue
            if words[0] == "keras-acl":
                words[:1] = [sys.executable, "-m", "keras_acl"]
            elif words[0] == "python":
                words[0] = PYTHON if server == "kserve" else sys.executable
                words += ["--server", started.url.removeprefix("http://" * (server == "kserve"))]
            words = [re.sub(r":80[08]0/", f":{started and started.port}/", word) for word in words]
            done = run(words)
            assert done.returncode == 0, done.stderr
            assert re.search("left|right|logits|Writ", done.stdout) or Path("clip.json").is_file()

    def test_the_code_runs(self, made, monkeypatch, capsys):
        monkeypatch.chdir(made)
        [code] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
        exec(code, {})
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
            line.split()[1] for line in best(made)
        ]


def test_what_a_container_takes_exists_and_is_no_training_framework():
    lines = (SERVING / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    assert all((ROOT / source).exists() for sources in copied for source in sources)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")
    needed = {r.name for part in ("", "-litserve", "-kserve") for r in requirements(part)}
    assert not needed & {"tensorflow", "keras", "torch", "jax"}


def test_requirements_have_the_versions_of_the_package():
    ours = [Requirement(line) for line in importlib.metadata.requires("keras-acl") or []]
    known = {(r.name, str(r.specifier)) for r in ours}
    assert {(r.name, str(r.specifier)) for r in requirements("")} <= known


def test_configurations_of_other_servers_name_the_same_model():
    [entry] = json.loads((SERVING / "openvino_model_server.json").read_text())["model_config_list"]
    assert entry["config"]["name"] == "model"
    for name in ("tensorflow_serving.config", "triton.config.pbtxt"):
        text = (SERVING / name).read_text(encoding="utf-8")
        assert 'name: "model"' in text
        assert "Not run here" in text
