import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import keras_acl
from keras_acl.cli.main import app
from keras_acl.system import devices
from keras_acl.video import check as checking

COMPUTING = [
    "train",
    "predict",
    "features",
    "classify",
    "evaluate",
    "report",
    "explain",
    "attention",
    "bench",
]
VERBS = [command.name for command in app.registered_commands]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(call, verb):
    code, out, _ = call(verb, "--help")
    assert code == 0
    assert f"Example: keras-acl {verb}" in out


def test_help_lists_the_verbs_by_use(call):
    code, out, _ = call("-h")
    assert code == 0
    listed = re.findall(r"^│ ([a-z][a-z-]+) ", out, flags=re.MULTILINE)
    assert listed == VERBS
    assert listed[:5] == ["train", "predict", "evaluate", "explain", "report"]


def test_version(call):
    assert call("--version")[:2] == (0, f"keras-acl {keras_acl.__version__}\n")


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "keras_acl", "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage: keras-acl [OPTIONS]" in done.stdout


@pytest.mark.parametrize(
    ("words", "completions"),
    [("keras-acl pr", ["predict", "presets"]), ("keras-acl predict --ti", ["--timeline"])],
)
def test_the_shell_completes_verbs_and_options(call, monkeypatch, words, completions):
    assert "--install-completion" in call("--help")[1]
    monkeypatch.setenv("_KERAS_ACL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    code, out, _ = call()
    assert code == 0
    assert out.split() == completions


@pytest.mark.parametrize("arguments", [["predict", "", "a.mp4"], ["train", ""]])
def test_an_empty_argument_is_not_the_current_folder(call, arguments):
    code, _, err = call(*arguments)
    assert code == 1
    assert err == "Error: An argument is empty. Is a shell variable unset?\n"


# Runs the command lines that it is given, one a line, and fails if they want what it refuses.
LIGHT_PROCESS = """
import sys
import tomllib
from pathlib import Path
wanted = []
class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name in {"grain", "jax", "keras", "matplotlib", "tensorflow", "torch"}:
            wanted.append(name)
            raise ImportError(f"{name} is imported")
sys.meta_path.insert(0, Refusing())
from keras_acl.__main__ import main
for line in sys.stdin.read().splitlines():
    code, sys.argv = 0, ["keras-acl", *line.split()]
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    print(f"code of {line}: {code}")
sys.exit(f"imported: {wanted}" if wanted else 0)
"""


def run_light(*lines, **environment) -> str:
    """What the command lines write, in a process that can import no backend."""
    done = subprocess.run(
        [sys.executable, "-c", LIGHT_PROCESS],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_tables_and_downloads_wait_for_no_backend(tmp_path):
    lines = [*(f"{verb} --help" for verb in VERBS), "--help", "--version"]
    lines += ["presets", "presets --json", "costs", "costs --size 200 --classes 3 --json"]
    lines += [f"download demo --to {tmp_path / 'demo'}"]
    out = run_light(*lines, "train nowhere", "publish nowhere user/repo")
    codes = [line for line in out.splitlines() if line.startswith("code of ")]
    assert codes == [
        *(f"code of {line}: 0" for line in lines),
        "code of train nowhere: 2",
        "code of publish nowhere user/repo: 1",
    ]


def test_completion_waits_for_no_backend():
    complete = {"_KERAS_ACL_COMPLETE": "complete_bash", "COMP_WORDS": "keras-acl pre"}
    assert run_light("complete", **complete, COMP_CWORD="1").split()[:2] == ["predict", "presets"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["fly"], "No such command"),
        (["train", "nowhere"], "does not exist"),
        (["train", ".", "--network", "huge"], "'huge' is not one of"),
        (["train", ".", "--epochs", "0"], "--epochs"),
        (["train", ".", "--speed", "9"], "No such option"),
        (["predict", "."], "Missing argument"),
        (["import", "a.pyth"], "Missing option '--to'"),
        (["check-videos", __file__], "is a file"),
    ],
)
def test_usage_errors_end_with_2(call, arguments, text):
    code, _, err = call(*arguments)
    assert code == 2
    assert text in " ".join(err.replace("│", " ").split())


def test_ctrl_c_ends_any_verb_with_130(call, tmp_path, monkeypatch):
    (tmp_path / "a.mp4").touch()

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(checking, "check_videos", interrupt)
    assert call("check-videos", tmp_path)[0] == 130


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nowhere.keras", "There is no model at nowhere.keras."),
        ("nowhere", "There is no preset 'nowhere'."),
        ("some/folder", "There is no folder some/folder."),
        ("hf://nobody", "Expected hf://user/repo"),
        ("ucf101", "Nobody has published the weights of ucf101 yet."),
    ],
)
def test_a_model_that_is_not_there_is_one_line(call, model, message):
    for arguments in (["summary", model], ["predict", model, __file__]):
        code, _, err = call(*arguments)
        assert code == 1
        assert message in err


def test_a_gpu_that_is_not_there_is_one_line(call, monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "has_accelerator", lambda: False)
    for name in ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "KERAS_TORCH_DEVICE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    code, _, err = call("predict", "demo", tmp_path, "--device", "gpu:1")
    assert code == 1
    assert "finds no such GPU" in err
    code, _, err = call("predict", "demo", tmp_path, "--device", "tpu")
    assert code == 1
    assert "Received: tpu" in err


def test_options_that_all_have(call):
    for verb in VERBS:
        out = call(verb, "--help")[1]
        assert all(option in out for option in ("--verbose", "-v", "--quiet", "-q"))
        assert ("--device" in out) == (verb in COMPUTING)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileExistsError(17, "File exists", "a.txt"), "a.txt: File exists"),
        (OSError("It is gone."), "It is gone."),
        (MemoryError(), "There is not enough memory."),
        (KeyError("clip"), "KeyError: 'clip'. This should not happen; with -v the same command"),
    ],
)
def test_every_error_is_one_line(call, tmp_path, monkeypatch, error, line):
    (tmp_path / "a.mp4").touch()

    def fail(*arguments):
        raise error

    monkeypatch.setattr(checking, "check_videos", fail)
    code, _, err = call("check-videos", tmp_path)
    assert code == 1
    assert err.count("\n") == 1
    assert err.startswith(f"Error: {line}")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "| true"])
def test_a_closed_stream_breaks_nothing(tmp_path, closed):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    command = f"set -o pipefail; {sys.executable} -m keras_acl check-videos . {closed}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1  # for the video
    assert "Traceback" not in done.stderr
    if closed == ">&-":
        assert done.stderr.splitlines() == ["0 of 1 videos can be decoded."]
    if closed == "| true":  # nobody listens: it ends
        assert done.stderr == ""


def test_ctrl_c_before_the_first_line_is_silent():
    code = (
        "import sys, types\n"
        "from keras_acl.__main__ import main\n"
        "class Interrupted(types.ModuleType):\n"
        "    def __getattr__(self, name):\n"
        "        raise KeyboardInterrupt\n"
        "sys.modules['typer'] = Interrupted('typer')\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_extras_that_are_told_are_those_that_there_are(monkeypatch, capsys):
    def missing(**options):
        raise ImportError("Nothing is installed")

    module = importlib.import_module("keras_acl.cli.main")  # the package has a function of its name
    monkeypatch.setattr(module, "app", missing)
    monkeypatch.setattr(sys, "argv", ["keras-acl"])
    with pytest.raises(SystemExit):
        module.main()
    told = capsys.readouterr().err.split("The extras are ")[1].strip().rstrip(".")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    there = set(project["optional-dependencies"]) - {"docs", "lint", "test"}
    assert set(" ".join(told.split()).replace(" and ", ", ").split(", ")) == there
