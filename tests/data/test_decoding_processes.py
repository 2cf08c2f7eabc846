import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from faulty_decoders import CLIP, decode, decode_clip
from video_files import numbered_frames, write_video

from keras_acl.data import BadVideoWarning, LoadingOptions, VideoDataset, VideoList
from keras_acl.data.decoding_processes import DecodingProcesses
from keras_acl.video.video import DecodingError, Video


@pytest.fixture(scope="module")
def processes():
    """One process for the tests of this file: starting it is what takes time."""
    made = DecodingProcesses(decode, 1, timeout=1.0)
    yield made
    made.close()


def rng():
    return np.random.default_rng(0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crash", r"its decoder crashed its process \(SIGABRT\)"),
        ("killed", r"its decoder crashed its process \(SIGKILL\)"),
        ("stop", "its decoder ended its process with code 3"),
        ("hang", "its decoder did not end within 1 s"),
    ],
)
def test_a_process_that_is_lost_costs_its_file_and_is_replaced(processes, name, reason):
    before, drawn = processes(Video("good.mp4"), rng())
    assert drawn == rng().integers(100)
    for _ in range(2):
        with pytest.raises(DecodingError, match=rf"Cannot decode {name}\.mp4: {reason}$"):
            processes(Video(f"{name}.mp4"), rng())
    after, _ = processes(Video("good.mp4"), rng())
    assert before != after
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    assert processes(Video("good.mp4"), rng())[0] == after  # the second time nothing was tried


@pytest.mark.parametrize(("name", "error"), [("broken", DecodingError), ("defect", KeyError)])
def test_what_is_raised_there_is_raised_here(processes, name, error):
    before, _ = processes(Video("good.mp4"), rng())
    with pytest.raises(error, match=name):
        processes(Video(f"{name}.mp4"), rng())
    assert processes(Video("good.mp4"), rng())[0] == before


def test_a_process_that_dies_at_rest_costs_nothing(processes):
    before, _ = processes(Video("good.mp4"), rng())
    os.kill(before, signal.SIGTERM)
    while processes._running[-1].process.is_alive():
        time.sleep(0.01)
    assert processes(Video("good.mp4"), rng())[0] != before


def test_closing_ends_what_hangs_and_blames_no_file():
    processes = DecodingProcesses(decode, 1, timeout=1000.0)
    processes(Video("good.mp4"), rng())
    seen = []

    def call():
        try:
            processes(Video("hang.mp4"), rng())
        except DecodingError as error:
            seen.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(0.1)
    processes.close()
    thread.join(10)
    assert len(seen) == 1
    assert not processes._lost
    with pytest.raises(RuntimeError, match="Reading was closed"):
        processes(Video("good.mp4"), rng())


def test_a_decoder_that_crashes_costs_a_pass_one_warning(tmp_path, monkeypatch):
    names = ("0", "1", "crash", "3", "4")
    files = [write_video(tmp_path / f"{name}.mp4", numbered_frames(8)) for name in names]
    videos = VideoList([Video(str(file), label=0) for file in files], ("same",))
    monkeypatch.setattr("keras_acl.data.stream.ClipReader", lambda *_: decode_clip)
    data = VideoDataset(videos, CLIP, 2, loading=LoadingOptions(processes=1))
    with pytest.warns(
        BadVideoWarning, match=r"crash\.mp4 cannot be read: its decoder crashed"
    ) as seen:
        passes = [[len(clips) for clips, _ in data] for _ in range(2)]
    data.close()
    assert len(seen) == 1
    assert passes == [[2, 2, 1]] * 2
