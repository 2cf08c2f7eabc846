import subprocess
import sys

import pytest

from keras_acl.video import check as checking

VERBS = ["train", "predict", "check-videos", "summary", "synthesize"]
VERBS += ["import", "publish", "presets", "shrink", "bench"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(call, verb):
    code, out, _ = call(verb, "--help")
    assert code == 0
    assert f"Example: keras-acl {verb}" in out


def test_help_lists_the_verbs(call):
    code, out, _ = call("-h")
    assert code == 0
    assert all(verb in out for verb in VERBS)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["train", "nowhere"]])
def test_help_and_usage_errors_wait_for_no_backend(arguments):
    code = (
        "import sys\n"
        "from keras_acl.cli import main\n"
        f"sys.argv = ['keras-acl', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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
