import csv
import functools
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from tiny_network import LABELS, two_stream, write_figures
from video_files import numbered_frames, write_video

from keras_acl import models, pretrained
from keras_acl.inference import timeline
from keras_acl.inference.predict import predict_videos
from keras_acl.inference.timeline import predict_timeline
from keras_acl.inference.timeline_plot import minutes

RUN = "runs/tiny"


@pytest.fixture(scope="module")
def model():
    return two_stream(labels=LABELS)


@pytest.fixture(autouse=True)
def loaded(monkeypatch, model):
    """The network behind `RUN`: loaded, and compiled, once."""
    honest = pretrained.load_any
    monkeypatch.setattr(pretrained, "load_any", lambda name: model if name == RUN else honest(name))
    monkeypatch.setattr(models, "optimize", lambda model, precision: model)  # compiles anew


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    return write_figures(tmp_path_factory.mktemp("predict") / "videos", 2)


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "match [1].mp4"
    return write_video(path, numbered_frames(80, 40, 64))


# predict


def test_predict_prints_a_table(call, model, videos):
    paths = [videos / "left" / "0000.mp4", videos / "up" / "0001.mp4"]
    code, out, _ = call("predict", RUN, *paths, "--top", 2, "--clips", 1)
    assert code == 0
    predictions = predict_videos(model, list(map(str, paths)), clips=1)
    for path, prediction in zip(paths, predictions, strict=True):
        [line] = [number for number, row in enumerate(out.splitlines()) if str(path) in row]
        for row, (label, score) in zip(out.splitlines()[line:], prediction.top(2), strict=False):
            assert LABELS[label] in row
            assert f"{score:.3f}" in row


def test_predict_prints_json(call, model, videos):
    code, out, _ = call("predict", RUN, videos / "left", "--json")
    assert code == 0
    rows = json.loads(out)
    paths = [str(videos / "left" / f"{number:04d}.mp4") for number in range(2)]
    assert [row["path"] for row in rows] == paths
    [expected] = predict_videos(model, paths[:1])
    assert [entry["label"] for entry in rows[0]["predictions"]] == [
        LABELS[label] for label, _ in expected.top(3)
    ]
    scores = [entry["score"] for entry in rows[0]["predictions"]]
    np.testing.assert_allclose(scores, [score for _, score in expected.top(3)], atol=1e-6)
    assert sum(scores) == pytest.approx(1, abs=1e-5)


def test_predict_writes_a_csv(call, model, videos, tmp_path):
    good, broken = videos / "left" / "0000.mp4", tmp_path / "broken.mp4"
    broken.write_text("not a video")
    table = tmp_path / "new" / "scores.csv"
    code, out, _ = call("predict", RUN, good, broken, "--top", 2, "--csv", table)
    assert code == 1
    assert str(table) in out
    with open(table, newline="") as lines:
        first, second = csv.DictReader(lines)
    [expected] = predict_videos(model, [str(good)])
    (label, score), (other, _) = expected.top(2)
    assert (first["path"], first["label"], first["label_2"]) == (
        str(good),
        LABELS[label],
        LABELS[other],
    )
    assert float(first["score"]) == pytest.approx(score, abs=1e-6)
    assert (second["path"], second["label"]) == (str(broken), "")
    assert second["problem"]
    code, _, err = call("predict", RUN, good, "--timeline", "--csv", table)
    assert code == 1
    assert "--csv does not go with --timeline" in err


def test_of_several_labels_all_that_are_likely_are_shown(
    call, model, videos, tmp_path, monkeypatch
):
    several = model.copy_with(multi_label=True)
    several.classifier.set_weights(
        [np.zeros(several.classifier.kernel.shape), np.array([2.0, -2.0, 1.0])]
    )
    monkeypatch.setattr(pretrained, "load_any", lambda name: several)
    path, table = videos / "left" / "0000.mp4", tmp_path / "said.csv"
    code, out, _ = call("predict", RUN, path, "--clips", 1, "--json", "--csv", table)
    assert code == 0
    [row] = json.loads(out[: out.rindex("]") + 1])
    expected = [("left", 1 / (1 + np.exp(-2))), ("up", 1 / (1 + np.exp(-1)))]
    for found, (label, score) in zip(row["predictions"], expected, strict=True):
        assert (found["label"], found["score"]) == (label, pytest.approx(score, abs=1e-5))
    with open(table, newline="") as lines:
        [line] = csv.DictReader(lines)
    assert (line["label"], line["label_2"], line["problem"]) == ("left", "up", "")
    _, out, _ = call("predict", RUN, path, "--clips", 1, "--top", 3, "--json")
    assert [found["label"] for found in json.loads(out)[0]["predictions"]] == [
        "left",
        "up",
        "right",
    ]
    several.classifier.bias.assign([-1.0, -2.0, -3.0])
    code, out, _ = call("predict", RUN, path, "--clips", 1)
    assert (code, "no label reaches 0.5" in out) == (0, True)


def test_a_file_that_cannot_be_read_is_a_problem_and_exit_code_1(call, videos, tmp_path):
    broken = tmp_path / "[bold]:smile: [1].mp4"  # must be printed as it is
    broken.write_text("not a video")
    good = videos / "left" / "0000.mp4"
    code, out, _ = call("predict", RUN, broken, good, tmp_path / "none.mp4")
    assert code == 1
    assert out.count("cannot be read: ") == 2
    assert str(broken) in out
    code, out, _ = call("predict", RUN, broken, good, "--json")
    assert code == 1
    problem, fine = json.loads(out)
    assert problem["predictions"] == []
    assert problem["problem"]
    assert fine["problem"] is None
    assert len(fine["predictions"]) == 3


def test_a_folder_without_videos_is_an_error(call, tmp_path):
    code, _, err = call("predict", RUN, tmp_path)
    assert code == 1
    assert f"no video file in {tmp_path}" in err


def test_what_is_no_model_is_one_line(call, videos, tmp_path):
    garbage = tmp_path / "garbage.keras"
    garbage.write_bytes(b"no zip archive")
    for path, text in [(garbage, "is not a .keras file"), (tmp_path, "There is no model in")]:
        code, _, err = call("predict", path, videos / "left" / "0000.mp4")
        assert code == 1
        assert text in err
        assert err.count("\n") == 1


# predict --timeline


def test_a_table_of_segments(call, model, recording):
    code, out, _ = call("predict", RUN, recording, "--timeline", "--threshold", 0)
    assert code == 0
    assert str(recording) in out
    segments = predict_timeline(model, recording).segments(threshold=0)
    rows = [line for line in out.splitlines() if any(label in line for label in LABELS)]
    assert len(rows) == len(segments)
    for row, segment in zip(rows, segments, strict=True):
        assert minutes(segment.start, 1) in row
        assert minutes(segment.end, 1) in row
        assert segment.label in row
        assert f"{segment.score:.3f}" in row


def test_json_and_the_other_options(call, model, recording):
    code, out, _ = call(
        "predict", RUN, recording, "--timeline", "--json", "--stride", 0.1, "--threshold", 0
    )
    assert code == 0
    [row] = json.loads(out)
    found = predict_timeline(model, recording, stride=0.1)
    assert row == found.to_dict(found.segments(threshold=0), windows=False)
    code, out, _ = call("predict", RUN, recording, "--timeline", "--threshold", 1)
    assert code == 0
    assert "no class reaches the threshold" in out


def test_files_are_named_after_the_videos(call, recording, tmp_path):
    output = tmp_path / "out"
    code, out, _ = call(
        "predict", RUN, recording, "--timeline", "--output", output, "--threshold", 0
    )
    assert code == 0
    assert str(output) in out
    assert sorted(path.name for path in output.iterdir()) == [
        f"match [1].{ending}" for ending in ("csv", "json", "png")
    ]
    content = json.loads((output / "match [1].json").read_text())
    lines = (output / "match [1].csv").read_text().splitlines()
    assert len(lines) == 1 + len(content["segments"])
    assert len(content["scores"]) == len(content["times"])


def test_a_video_that_cannot_be_read_does_not_stop_the_others(call, model, recording, tmp_path):
    cut = write_video(tmp_path / "cut.mkv", numbered_frames(80, 40, 64))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    (tmp_path / "text.mp4").write_text("not a video")
    files = [tmp_path / "none.mp4", tmp_path / "text.mp4", cut, recording]
    code, out, err = call("predict", RUN, *files, "--timeline", "--threshold", 0)
    assert code == 1
    assert out.count("cannot be read") == 2
    assert "far from its stated end" in err
    code, out, _ = call("predict", RUN, *files, "--timeline", "--json", "--threshold", 0)
    assert code == 1
    rows = json.loads(out)
    assert [bool(row["problem"]) for row in rows] == [True, True, True, False]
    assert [bool(row["segments"]) for row in rows] == [False, False, True, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--timeline", "--stride", 9], "up to the clip's 0.53 s. Received: stride=9.0"),
        (["--stride", 0.2], "--threshold and --output belong to --timeline: add it"),
        (["--threshold", 0], "--threshold and --output belong to --timeline: add it"),
        (["--output", "x"], "--threshold and --output belong to --timeline: add it"),
    ],
)
def test_mistakes_are_one_line(call, model, recording, options, message):
    code, _, err = call("predict", RUN, recording, *options)
    assert code == 1
    assert message in err
    assert err.count("\n") == 1


def test_a_video_listed_twice_would_be_written_over(call, recording, tmp_path):
    code, _, err = call(
        "predict", RUN, recording, recording, "--timeline", "--output", tmp_path / "x"
    )
    assert code == 1
    assert f"{recording}, {recording}" in err
    assert not (tmp_path / "x").exists()


def test_ctrl_c_leaves_no_half_written_files(call, recording, tmp_path, monkeypatch):
    def interrupted(figure, file, **options):
        Path(file).write_bytes(b"half a picture")
        raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", interrupted)
    code, _, _ = call("predict", RUN, recording, "--timeline", "--output", tmp_path / "out")
    assert code == 130
    names = [path.name for path in (tmp_path / "out").iterdir()]
    assert sorted(names) == ["match [1].csv", "match [1].json"]  # these were complete

    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(timeline, "predict_timeline", stopped)
    code, _, _ = call("predict", RUN, recording, "--timeline", "--output", tmp_path / "none")
    assert code == 130
    assert not (tmp_path / "none").exists()


def test_a_saved_model_serves(call, model, recording, tmp_path):
    model.save(tmp_path / "model.keras")
    code, out, _ = call("predict", tmp_path, recording, "--timeline", "--threshold", 0)
    assert code == 0
    assert "0:02.7" in out


# features


def test_features_of_class_folders(call, model, tmp_path):
    folder = write_figures(tmp_path / "videos", 1)
    (folder / "up" / "broken.mp4").write_text("not a video")
    out_file = tmp_path / "f.npz"
    code, out, err = call("features", RUN, folder, "--output", out_file, "--clips", 2)
    assert code == 1
    assert "broken.mp4: cannot be read: Invalid data" in err
    assert "3 of 4 videos" in out
    with np.load(out_file) as file:
        assert file["labels"].tolist() == ["left", "right", "up", "up"]
        assert file["features"].ndim == 2
        assert np.isnan(file["features"]).all(axis=1).tolist() == [False, False, False, True]


def test_features_of_files_by_clip(call, recording, tmp_path):
    out_file = tmp_path / "f.npz"
    code, _, _ = call(
        "features", RUN, recording, "--output", out_file, "--clips", 3, "--no-average"
    )
    assert code == 0
    with np.load(out_file) as file:
        assert file["features"].shape[:2] == (1, 3)


def test_a_wrong_ending_is_told_before_the_work(call, tmp_path):
    code, _, err = call("features", "no model", "no video", "--output", tmp_path / "f.csv")
    assert code == 1
    assert "written to .npz or .parquet" in err
    assert err.count("\n") == 1


def test_features_of_a_missing_file(call, model, tmp_path):
    code, _, err = call("features", RUN, tmp_path / "a.csv", "--output", tmp_path / "f.npz")
    assert code == 1
    assert "a.csv" in err
    code, _, err = call("features", RUN, tmp_path / "a.mp4", "--output", tmp_path / "f.npz")
    assert code == 1
    assert "a.mp4: cannot be read: No such file" in err


# URLs


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def url(videos):
    """Address of a web server of the folder of videos."""
    handler = functools.partial(Handler, directory=str(videos))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_urls_are_classified_like_the_files_behind_them(call, videos, url):
    code, out, _ = call("predict", RUN, videos / "left/0000.mp4", f"{url}/left/0000.mp4", "--json")
    assert code == 0
    file, web = json.loads(out)
    assert web["path"] == f"{url}/left/0000.mp4"
    assert web["predictions"] == file["predictions"]
    code, out, _ = call("predict", RUN, f"{url}/left/nowhere.mp4", "--json")
    assert code == 1
    assert "404" in json.loads(out)[0]["problem"]


def test_urls_have_timelines_features_and_explanations(call, url, tmp_path):
    video = f"{url}/up/0001.mp4"
    code, out, _ = call("predict", RUN, video, "--timeline", "--json", "--output", tmp_path)
    assert code == 0
    assert json.loads(out)[0]["path"] == video
    assert (tmp_path / "0001.csv").is_file()
    code, _, _ = call("features", RUN, video, "--output", tmp_path / "features.npz")
    assert code == 0
    with np.load(tmp_path / "features.npz") as saved:
        assert saved["paths"].tolist() == [video]
        assert np.isfinite(saved["features"]).all()
    code, out, _ = call("explain", RUN, video, "--output", tmp_path, "--clips", 1)
    assert code == 0
    assert out.startswith(f"{video}: ")
    assert (tmp_path / "0001_attention.mp4").is_file()


def test_other_urls_and_urls_in_a_csv_are_names_of_files(call, url, tmp_path):
    for address in (url.replace("http:", "rtsp:"), url.replace("http:", "tcp:"), "data:,x.mp4"):
        code, out, _ = call("predict", RUN, address, "--json")
        assert code == 1
        assert json.loads(out)[0]["problem"] == "No such file or directory"
    (tmp_path / "list.csv").write_text(f"path,label\n{url}/up/0001.mp4,up\n")
    code, _, err = call("features", RUN, tmp_path / "list.csv", "--output", tmp_path / "x.npz")
    assert code == 1
    assert "disk" in err
