import functools
import json

import pytest
from tiny_network import CLIP, LABELS, two_stream, write_figures

from keras_acl.cli import attention
from keras_acl.cli.options import load_for_inference


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "tiny.keras"
    two_stream(labels=LABELS, clip=CLIP).save(file)
    return file


@pytest.fixture(autouse=True, scope="module")
def _loaded_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "load_for_inference", functools.cache(load_for_inference))
        yield


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    return write_figures(tmp_path_factory.mktemp("figures"), 1)


def test_explain_writes_a_video_and_a_sheet_of_each(call, model, figures, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    code, out, err = call(
        "explain", model, figures, tmp_path / "bad.mp4", "--output", tmp_path / "out", "--clips", 1
    )
    assert code == 1
    assert [line for line in err.splitlines() if line] == [
        f"Cannot decode {tmp_path / 'bad.mp4'}: Invalid data found when processing input"
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{label}_0000_attention.{ending}" for label in LABELS for ending in ("mp4", "png")
    )
    assert len(out.splitlines()) == 3
    written = [tmp_path / "out" / f"right_0000_attention.{ending}" for ending in ("mp4", "png")]
    assert f": {written[0]} {written[1]}" in out.splitlines()[1]


def test_explain_compares_two_models_in_a_gif(call, model, figures, tmp_path):
    video = figures / "up" / "0000.mp4"
    code, out, _ = call(
        "explain",
        model,
        video,
        "--compare",
        model,
        "--label",
        "left",
        "--gif",
        "--clips",
        1,
        "--output",
        tmp_path,
    )
    assert code == 0
    assert ": left " in out
    assert (tmp_path / "0000_attention.gif").read_bytes()[:6] == b"GIF89a"


def test_explain_mistakes(call, model, figures, tmp_path):
    video = figures / "up" / "0000.mp4"
    code, _, err = call("explain", model, video, "--label", "lefd", "--output", tmp_path)
    assert code == 1
    assert "Unknown class 'lefd'. Expected one of the model's classes. Nearest: left" in err
    code, _, err = call("explain", tmp_path / "none.keras", video)
    assert code == 1
    assert "There is no model at" in err
    code, _, err = call("explain", model, tmp_path)
    assert code == 1
    assert "There is no video file in" in err
    (tmp_path / "file").write_text("")
    code, _, err = call("explain", model, video, "--output", tmp_path / "file")
    assert code == 1
    assert "cannot be made: File exists" in err


def test_attention_is_measured_on_figures(call, model, figures):
    code, out, _ = call("attention", model, figures)
    assert code == 0
    assert "3 videos" in out
    code, out, _ = call("attention", model, figures, "--json")
    found = json.loads(out)
    assert [row["label"] for row in found["rows"]] == list(LABELS)
    assert 0 < found["mean"]["chance"] < 1
    assert 0 <= found["mean"]["frames_energy"] <= 1


def test_attention_with_boxes(call, model, figures, tmp_path):
    file = tmp_path / "boxes.csv"
    header = "path,start,end,left,top,right,bottom"
    file.write_text(f"{header}\n{figures}/up/0000.mp4,,,0,0,48,48\nnone.mp4,,,0,0,48,48\n")
    code, out, _ = call("attention", model, file)
    assert code == 1  # one of two
    assert "not measured: No such file or directory" in out
    assert "1.00" in out
    file.write_text(f"{header}\na.mp4,,,9,0,3,48\n")
    code, _, err = call("attention", model, file)
    assert code == 1
    assert "line 2: expected left < right" in err
    code, _, err = call("attention", model, tmp_path / "none.csv")
    assert code == 1
    assert "There is no file or folder" in err
