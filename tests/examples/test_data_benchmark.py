"""The data benchmark runs on a few small files and says what it measured."""

import json
import math

import data
import data_files
import data_readers
import numpy as np
import pytest
import tensorflow as tf

from keras_acl.clip import ClipSpec
from keras_acl.data import probe
from keras_acl.data.sources import read_directory
from keras_acl.video.files import find_videos

QUICK = ["--repeats", "1", "--clips", "8", "--size", "32", "--processes", "0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    data_files.write_videos(folder, 2, 1.0)
    return folder


@pytest.fixture
def bench(monkeypatch, tmp_path):
    def run(name: str, *arguments: object) -> dict:
        line = ["data.py", *map(str, arguments), "--output", str(tmp_path)]
        monkeypatch.setattr("sys.argv", line)
        data.main()
        return json.loads((tmp_path / f"{name}.json").read_text())

    return run


def test_made_videos_are_as_described(folder):
    infos = [probe(path) for path in find_videos(folder)]
    assert {(info.height, info.width, info.fps, info.frames) for info in infos} == {
        (256, 340, 30, 30)
    }
    assert len(read_directory(folder).labels) == 2
    frames = np.stack(list(data_files.scene(0, 20))).astype(int)
    assert 25 < frames.std() < 90  # neither flat nor clipped
    assert 1 < np.abs(np.diff(frames, axis=0)).mean() < 30  # it moves, and is no noise


def test_readers_are_compared(bench, folder):
    result = bench("data_videos", "--videos", folder, *QUICK)
    assert result["command"].startswith("python examples/benchmarks/data.py --videos FOLDER ")
    rows = result["rows"]
    assert {row["files"] for row in rows} == {"as they are", "shrunk"}
    assert {"keras-acl, 1 thread", "keras-acl, 2 threads", "decoding alone, 2 threads"} < {
        row["reader"] for row in rows
    }
    assert all(row["clips/s"] > 0 and row["ratio to the bare loop"] > 0 for row in rows)
    peers = [row for row in rows if row["reader"] == data.PEER]
    assert [row["ratio to the bare loop"] for row in peers] == [1, 1]
    assert result["bytes_after"] > 0
    assert 30 < result["psnr_db"] < 60
    assert result["machine"]["cores"] > 0


@pytest.mark.parametrize(
    ("kind", "told"),
    [("missing", "no folder"), ("empty", "no video"), ("corrupt", "can be read")],
)
def test_folders_without_videos_are_refused(bench, tmp_path, kind, told):
    videos = tmp_path / "given"
    if kind != "missing":
        videos.mkdir()
    if kind == "corrupt":
        (videos / "a").mkdir()
        (videos / "a" / "x.mp4").write_bytes(b"no video")
    with pytest.raises(SystemExit, match=f"--videos: .*{told}"):
        bench("data_videos", "--videos", videos, *QUICK)


def test_long_files(bench):
    result = bench("data_long", "--long", "--seconds", "4", *QUICK)
    assert [row["what"] for row in result["rows"]] == ["a clip at the end"] * 2 + [
        "10 x 3 views"
    ] * 2
    assert all(row["ms"] > 0 for row in result["rows"])


@pytest.fixture
def uncompiled():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")
def test_waiting_is_measured(bench, folder, monkeypatch, uncompiled):
    import data_fit

    monkeypatch.setattr(data_fit, "ClipSpec", lambda: ClipSpec(frames=8, span=16, size=32))
    monkeypatch.setattr(data_fit, "WIDTHS", (4,))
    result = bench("data_fit_videos", "--fit", "--videos", folder, *QUICK, "--clips", "24")
    assert [row["turn"] for row in result["rows"]] == ["1", "median"]
    assert all(0 <= row["share waiting"] <= 1 for row in result["rows"])
    assert all(row["network alone, clips/s"] > 0 for row in result["rows"])


def test_the_network_asks_for_no_more_than_the_files_give(monkeypatch):
    import data_fit

    rates = {4: 50.0, 8: 20.0, 16: 9.0, 32: 4.0, 64: 1.0}
    monkeypatch.setattr(data_fit, "network", lambda clip, width: (width, rates[width]))
    assert data_fit.fitting_network(ClipSpec(), 60) == (4, 50.0)
    assert data_fit.fitting_network(ClipSpec(), 10) == (16, 9.0)
    assert data_fit.fitting_network(ClipSpec(), 0.1) == (64, 1.0)


def test_the_bare_loop_reads_the_same_kind_of_clip(folder):
    clip = ClipSpec(frames=8, span=16, size=32)
    read = data_readers._read_bare(find_videos(folder)[0], clip, np.random.default_rng(0))
    assert read.shape == (8, 32, 32, 3)
    assert read.dtype == np.uint8


def test_psnr():
    black = np.zeros((2, 4, 4, 3), np.uint8)
    assert data_files.psnr(black, black + 255) == pytest.approx(0)
    assert data_files.psnr(black, black + 1) == pytest.approx(20 * math.log10(255))
    assert data_files.psnr(black, black) > 90


def test_seeking_is_checked_on_any_folder(folder, tmp_path, monkeypatch, capsys):
    import check_seeking

    (folder / "class0" / "broken.mp4").write_bytes(b"no video")
    monkeypatch.setattr("sys.argv", ["check_seeking.py", str(folder), "--draws", "2"])
    check_seeking.main()
    assert "2 videos agree in 2 draws each, 1 cannot be read" in capsys.readouterr().out
    monkeypatch.setattr(check_seeking, "read_through", lambda path, times: np.zeros(1))
    with pytest.raises(SystemExit, match=r"These differ:\n.*0000\.mp4\n.*0001\.mp4"):
        check_seeking.main()
    monkeypatch.setattr("sys.argv", ["check_seeking.py", str(tmp_path)])
    with pytest.raises((SystemExit, ValueError, FileNotFoundError), match=r"No video"):
        check_seeking.main()
