import re

import pytest
from benchmarks import evaluation_memory

from keras_acl.data import probe
from keras_acl.video.files import find_videos

QUICK = ["--small", "--clips", "2", "--crops", "1"]


def test_synthetic_videos_are_as_described(tmp_path):
    infos = [probe(path) for path in evaluation_memory.write_videos(tmp_path, 2)]
    assert {(info.height, info.width, info.fps) for info in infos} == {(256, 340, 30)}
    assert all(2 <= info.seconds <= 5 for info in infos)


def test_memory_is_measured(tmp_path, run_example):
    evaluation_memory.write_videos(tmp_path, 2)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    arguments = ["--videos", str(tmp_path), "--limit", "100", *QUICK]
    printed = run_example("benchmarks.evaluation_memory", *arguments)
    assert "3 videos, 1 of them could not be read" in printed
    assert "4 views in" in printed
    peak, before = map(int, re.findall(r"(\d+) MiB", printed))
    assert 50 < before <= peak
    assert len(find_videos(tmp_path)) == 3


def test_too_much_memory_is_an_error(run_example):
    with pytest.raises(SystemExit, match=r"^More than 0\.01 GiB\."):
        run_example("benchmarks.evaluation_memory", "--count", "1", "--limit", "0.01", *QUICK)
