import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from video_files import numbered_frames, write_video

from keras_acl.inference import load
from keras_acl.inference.archive import classify
from keras_acl.inference.archive.classify import classify_archive
from keras_acl.inference.archive.options import ArchiveOptions, Workers
from keras_acl.inference.archive.worker import ArchiveWorker
from keras_acl.inference.export_model import export
from keras_acl.system.folder_lock import locked

ONE_CLIP = ArchiveOptions(clips=1)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A list of seven videos, one of them twice and one broken."""
    folder = tmp_path_factory.mktemp("archive")
    names = [f"{number}.mp4" for number in range(6)]
    for number, name in enumerate(names):
        write_video(folder / name, numbered_frames(20 + number, 40, 64))
    (folder / "broken.mp4").write_text("no video")
    return write_list(folder / "list.csv", ["0.mp4", "broken.mp4", *names[1:], "0.mp4"])


def write_list(file, paths):
    with open(file, "w", newline="") as lines:
        csv.writer(lines).writerows([["path"], *([path] for path in paths)])
    return file


class Here:
    """In place of Ray: the work is done in this process, when it is waited for."""

    def __init__(self, model, options, stop_after):
        self.size, self.asked = 1, []
        self._worker = ArchiveWorker(model, options, 2, {})
        self._left = stop_after

    def start(self):
        return self._worker

    def load(self, worker):
        return worker.load

    def classify(self, worker, items):
        return lambda: worker.classify(items)

    def wait(self, tickets):
        return tickets[0]

    def result(self, ticket):
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt
        return ticket()


@pytest.fixture
def ray(monkeypatch, model):
    """What is done in Ray's place; `stop_after` results it is interrupted."""
    monkeypatch.setattr(load, "load_for_inference", lambda *arguments: model)
    state = {"started": 0, "stop_after": 0}

    @contextlib.contextmanager
    def pool(workers, name, options):
        state["started"] += 1
        state["model"] = name
        yield Here(name, options, state["stop_after"])

    monkeypatch.setattr(classify, "ray_pool", pool)
    return state


def rows(folder, kind="videos"):
    return parquet.read_table(folder / kind).to_pylist()


def check_one_row_each(folder, bad=("broken.mp4",), good=6):
    names = [row["path"] for row in rows(folder)]
    assert sorted(names) == [f"{number}.mp4" for number in range(good)]
    assert [row["path"] for row in rows(folder, "bad")] == list(bad)


def test_one_row_a_video_also_after_an_interruption(ray, saved, archive, tmp_path):
    seen = []
    ray["stop_after"] = 4  # the model, two parts, and no third
    with pytest.raises(KeyboardInterrupt):
        classify_archive(
            saved, archive, tmp_path, options=ONE_CLIP, shards=4, progress=lambda *n: seen.append(n)
        )
    assert seen == [(0, 7), (1, 7), (3, 7)]
    first = sorted((tmp_path / "videos").iterdir())
    assert len(first) == 2
    times = [file.stat().st_mtime_ns for file in first]
    ray["stop_after"] = 0
    done = classify_archive(
        saved, archive, tmp_path, options=ONE_CLIP, shards=4, progress=lambda *n: seen.append(n)
    )
    assert seen[3:] == [(3, 7), (5, 7), (7, 7)]
    assert [file.stat().st_mtime_ns for file in first] == times
    assert (done.videos, done.classified, done.bad, done.pending) == (7, 6, 1, 0)
    check_one_row_each(tmp_path)
    # All is there: nothing is started.
    assert classify_archive(saved, archive, tmp_path, options=ONE_CLIP, shards=4) == done
    assert ray["started"] == 2


def test_machines_without_connection_share_the_work(ray, saved, archive, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    ask = {"options": ONE_CLIP, "shards": 3}
    first = classify_archive(saved, archive, one, shard=(0, 2), **ask)
    assert first.pending == 2
    second = classify_archive(saved, archive, other, shard=(1, 2), **ask)
    assert first.videos == second.videos == 7
    for file in other.rglob("*.parquet"):
        target = one / file.relative_to(other)
        assert not target.exists()
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(file.read_bytes())
    check_one_row_each(one)
    assert classify_archive(saved, archive, one, **ask).pending == 0
    assert (one / "archive.json").read_text() == (other / "archive.json").read_text()


def test_bad_videos_are_tried_again_when_asked(ray, saved, archive, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("0.mp4", "1.mp4"):
        (folder / name).write_bytes((archive.parent / name).read_bytes())
    (folder / "2.mp4").touch()
    out = tmp_path / "out"
    ask = {"model": saved, "manifest": folder, "folder": out, "shards": 2}
    classify_archive(**ask, options=ONE_CLIP)
    check_one_row_each(out, bad=["2.mp4"], good=2)
    (folder / "2.mp4").write_bytes((archive.parent / "2.mp4").read_bytes())
    classify_archive(**ask, options=ONE_CLIP)
    check_one_row_each(out, bad=["2.mp4"], good=2)
    done = classify_archive(**ask, options=ArchiveOptions(clips=1, retry_bad=True))
    assert (done.classified, done.bad) == (3, 0)
    assert ray["started"] == 2
    assert not list((out / "bad").iterdir())


def test_what_would_mix_is_refused(ray, saved, archive, tmp_path):
    ask = {"manifest": archive, "folder": tmp_path / "out", "shards": 3}
    classify_archive(saved, **ask, options=ONE_CLIP)
    with pytest.raises(ValueError, match="clips was 1 and is 2"):
        classify_archive(saved, **ask, options=ArchiveOptions(clips=2))
    with pytest.raises(ValueError, match="something else: model was"):
        classify_archive("demo", **ask, options=ONE_CLIP)
    other = write_list(tmp_path / "other.csv", [archive.parent / "0.mp4"])
    with pytest.raises(ValueError, match=r"manifest was .* parts was 3 and is 1"):
        classify_archive(saved, **{**ask, "manifest": other}, options=ONE_CLIP)
    # These do not change the results.
    classify_archive(saved, **ask, options=ArchiveOptions(clips=1, batch_size=2, engine="keras"))
    assert ray["started"] == 1


def test_the_model_is_found_from_any_folder(ray, saved, archive, tmp_path, monkeypatch):
    monkeypatch.chdir(saved.parent)
    classify_archive("model.keras", archive, tmp_path, options=ONE_CLIP, shards=1)
    assert ray["model"] == str(saved)


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        ({"shard": (2, 2)}, r"Received: \(2, 2\)"),
        ({"shards": 0}, "shards=0"),
    ],
)
def test_nonsense_is_refused(ask, error, ray, saved, archive, tmp_path):
    with pytest.raises(ValueError, match=error):
        classify_archive(saved, archive, tmp_path, **ask)


def test_options_that_make_no_sense():
    with pytest.raises(ValueError, match="clips=0"):
        ArchiveOptions(clips=0)
    with pytest.raises(ValueError, match=r"at least one worker\. Received: 0"):
        Workers(0)
    with pytest.raises(ValueError, match="address of the cluster is empty"):
        Workers(address=" ")


# With Ray


@pytest.fixture
def stalling(archive):
    """The address of a video that a server keeps back until it is told not to."""
    content, free = (archive.parent / "5.mp4").read_bytes(), threading.Event()
    asked = []

    class Stalling(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            if free.wait(120):
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stalling)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/slow.mp4", free, asked
    free.set()
    server.shutdown()
    server.server_close()


def until(true, seconds=90):
    for _ in range(seconds * 10):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that")


def processes_with(variable: str) -> dict[int, str]:
    """Names of the processes that have a variable in their environment."""
    found = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdecimal() and variable in (folder / "environ").read_text():
                found[int(folder.name)] = (folder / "cmdline").read_text().strip("\0")
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_killed_workers_and_drivers_lose_nothing(model, archive, stalling, tmp_path):
    url, free, asked = stalling
    export(model, tmp_path / "model.xml")  # each process loads it sooner than Keras
    table = write_list(tmp_path / "list.csv", [*archive.parent.glob("*.mp4"), url])
    out, mark = tmp_path / "out", f"KERAS_ACL_MARK={os.getpid()}-{time.time_ns()}"
    command = [sys.executable, "-m", "keras_acl", "classify", tmp_path / "model.xml"]
    command += [table, out, "--clips", 1, "--shards", 3, "--workers", 1]
    environment = {**os.environ, "HOME": str(tmp_path / "home")}
    environment |= dict([mark.split("=")])

    def start():
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(list(map(str, command)), env=environment, text=True, **pipes)

    def workers():
        return [pid for pid, name in processes_with(mark).items() if "ArchiveWorker" in name]

    driver = start()
    until(lambda: asked or driver.poll() is not None)
    assert driver.poll() is None, driver.stderr.read()
    [worker] = workers()
    os.kill(worker, signal.SIGKILL)
    count = len(asked)
    until(lambda: len(asked) > count)  # another one came to the same place
    assert worker not in workers()
    driver.kill()
    assert driver.communicate()[0] == ""
    until(lambda: not workers(), 30)
    before = {file: file.stat().st_mtime_ns for file in (out / "videos").iterdir()}
    assert [file.name for file in sorted(before)] == [
        "part-00000-of-00003.parquet",
        "part-00001-of-00003.parquet",
    ]
    free.set()
    driver = start()
    shown, said = driver.communicate(timeout=120)
    assert driver.returncode == 0, said
    assert shown == f"7 of 8 videos: {out / 'videos'}\n"
    assert said.splitlines() == [
        "3 videos by 1 worker.",
        f"1 cannot be read: {out / 'bad'}",
    ]
    assert before.items() <= {f: f.stat().st_mtime_ns for f in (out / "videos").iterdir()}.items()
    paths = [row["path"] for row in rows(out)]
    expected = {str(archive.parent / f"{number}.mp4") for number in range(6)} | {url}
    assert (len(paths), set(paths)) == (7, expected)
    assert [Path(row["path"]).name for row in rows(out, "bad")] == ["broken.mp4"]
    assert json.loads((out / "archive.json").read_text())["parts"] == 3
    assert not (tmp_path / "home" / ".ray").exists()  # it would keep a password there


def test_a_shard_is_one_process_at_a_time(saved, archive, tmp_path):
    refused = pytest.raises(RuntimeError, match="Another process is classifying into")
    with locked(tmp_path, "something", ".lock-0-of-1"), refused:
        classify_archive(saved, archive, tmp_path)
