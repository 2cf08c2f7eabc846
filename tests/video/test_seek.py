import contextlib
from fractions import Fraction

import av
import numpy as np
import pytest
from video_files import damage, gray_to_numbers, numbered_frames, write_video

from keras_acl.video import read, seek
from keras_acl.video.container import TOLERANCE, shown_frames
from keras_acl.video.frame_table import probe, remembered
from keras_acl.video.read import read_frames, stream_frames
from keras_acl.video.seek import LostFrameError, numbers_at
from keras_acl.video.video import DecodingError

HEVC = "keyint=20:log-level=0"
BASE = {"preset": "veryfast", "qp": "10", "sc_threshold": "0"}
# name of the file, codec, rate, options, number of the first frame
FILES = {
    "long groups": ("v.mp4", "libx264", 30, BASE | {"g": "250", "bf": "3"}, 0),
    "reordered": ("v.mp4", "libx264", 30, BASE | {"g": "24", "bf": "5", "b_strategy": "0"}, 0),
    "open groups": ("v.mp4", "libx264", 30, BASE | {"g": "20", "x264-params": "open-gop=1"}, 0),
    "open, mkv": ("v.mkv", "libx264", 25, BASE | {"g": "20", "x264-params": "open-gop=1"}, 0),
    "refreshed": ("v.mkv", "libx264", 30, BASE | {"g": "30", "x264-params": "intra-refresh=1"}, 0),
    "refreshed, ts": ("v.ts", "libx264", 30, BASE | {"x264-params": "intra-refresh=1"}, 0),
    "edit list": ("v.mp4", "libx264", 25, BASE | {"g": "15"}, -37),
    "late": ("v.mkv", "libx264", 25, BASE | {"g": "15"}, 100),
    "odd unit": ("v.mp4", "libx264", Fraction(24000, 1001), BASE | {"g": "15"}, 0),
    "odd rate": ("v.avi", "libx264", Fraction(997, 41), BASE | {"g": "15"}, 0),
    "transport": ("v.ts", "libx264", 30, BASE | {"g": "18"}, 0),
    "program": ("v.mpg", "mpeg2video", 25, {"g": "15", "bf": "2", "qscale": "2"}, 0),
    "mpeg4": ("v.avi", "mpeg4", 25, {"g": "15", "qmin": "1", "qmax": "2"}, 0),
    "mpeg4 B": ("v.mkv", "mpeg4", 25, {"g": "15", "bf": "2", "qmin": "1", "qmax": "2"}, 0),
    "vp9": ("v.webm", "libvpx-vp9", 30, {"g": "20", "crf": "10", "cpu-used": "8"}, 0),
    "hevc": ("v.mp4", "libx265", 25, {"preset": "ultrafast", "x265-params": HEVC}, 0),
    "hevc B": ("v.mkv", "libx265", 25, {"preset": "fast", "x265-params": HEVC + ":open-gop=1"}, 0),
    "all intra": ("v.mov", "libx264", 30, BASE | {"g": "1"}, 0),
    "no timestamps": ("v.h264", "libx264", 25, BASE | {"g": "15"}, 0),
}  # fmt: skip


def moving_frames(count: int) -> np.ndarray:
    """No two alike, and what moves is hard to predict: noise that drifts."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (12, 12 + count, 3)).repeat(8, 0).repeat(8, 1)
    frames = [noise[:64, 3 * n : 3 * n + 64] for n in range(count)]
    return np.stack(frames).astype(np.uint8)


@pytest.fixture(params=FILES, scope="module")
def video(request, tmp_path_factory):
    name, codec, fps, options, first = FILES[request.param]
    path = tmp_path_factory.mktemp("seek") / name
    pts = list(range(first, first + 150)) if first else None
    return write_video(path, moving_frames(150), fps, codec=codec, pts=pts, options=options)


def planes(frame: av.VideoFrame) -> bytes:
    return frame.to_ndarray().tobytes()  # without what pads the rows


def test_the_walk_from_any_time_is_the_end_of_the_whole_walk(video):
    walk = [(second, planes(frame)) for second, frame in shown_frames(video)]
    assert len({pixels for _, pixels in walk}) > 0.9 * len(walk)
    steps = np.diff([second for second, _ in walk])
    assert np.all(steps > 0) or video.suffix == ".mpg"  # whose times are guesses
    for time in np.arange(0.0, walk[-1][0] + 0.7, 0.61):
        tail = [(second, planes(frame)) for second, frame in shown_frames(video, float(time))]
        assert tail == walk[-len(tail) :]
        assert tail[0][0] <= time + TOLERANCE


def test_any_frames_are_those_of_the_walk(video):
    probe(video)
    walk = [(second, planes(frame)) for second, frame in shown_frames(video)]
    table, rng = remembered(video), np.random.default_rng(1)
    if video.suffix in (".h264", ".avi", ".mpg"):  # no timestamps, or none that are sure
        assert not table.stamps.size
        return
    assert table.seconds().tolist() == [second for second, _ in walk]
    wishes = [np.arange(start, start + 32, 2) for start in (0, 21, 60, len(walk) - 32)]
    wishes += [np.sort(rng.choice(len(walk), count, False)) for count in (1, 1, 1, 2, 3, 5, 9)]
    for numbers in wishes:
        seen = []
        with contextlib.suppress(LostFrameError):  # then the walk goes on from there
            for frame in seek.decode_frames(video, table, numbers):
                seen.append(planes(frame))
            assert len(seen) == len(numbers)
        assert seen == [walk[number][1] for number in numbers[: len(seen)]]
        times = [walk[number][0] for number in numbers]
        np.testing.assert_array_equal(
            read_frames(video, times), np.concatenate([whole(video)[numbers]])
        )


_whole: dict = {}


def whole(path):
    """All frames by the plain walk."""
    if path not in _whole:
        with contextlib.closing(read._spans(path, 0.0)) as spans:
            reformatter = av.video.reformatter.VideoReformatter()
            _whole[path] = np.stack(
                [read.to_rgb(f, f.height, f.width, reformatter) for f, _ in spans]
            )
    return _whole[path]


def test_a_time_finds_the_same_frame_with_a_table_and_without(tmp_path):
    path = write_video(tmp_path / "v.mkv", numbered_frames(60), Fraction(24000, 1001))
    times = np.sort(np.random.default_rng(0).uniform(-0.5, 4, 300))
    times = np.concatenate([times, np.arange(60) * 1001 / 24000 - TOLERANCE])
    times.sort()
    plain = gray_to_numbers(read_frames(path, times))
    probe(path)
    assert gray_to_numbers(read_frames(path, times)) == plain
    assert numbers_at(remembered(path), times).tolist() == plain


@pytest.fixture
def decoded(monkeypatch):
    """Counts the frames that come out of decoders."""
    count = []
    honest = seek._decoded

    def counted(stream, *args):
        yield from honest(_Counting(stream, count), *args)

    monkeypatch.setattr(seek, "_decoded", counted)
    return count


class _Counting:
    def __init__(self, stream, count: list) -> None:
        self._stream, self._count = stream, count
        self.codec_context = stream.codec_context

    def decode(self, packet):
        frames = self._stream.decode(packet)
        self._count.extend(frames)
        return frames


@pytest.fixture(scope="module")
def long_video(tmp_path_factory):
    """Ten minutes: 6000 frames, a key frame every 5 s."""
    path = tmp_path_factory.mktemp("long") / "v.mp4"
    options = BASE | {"g": "50", "bf": "2", "preset": "ultrafast"}
    return write_video(path, numbered_frames(6000, 16, 16), 10, options=options)


def test_a_late_clip_does_not_decode_from_the_start(long_video, decoded):
    probe(long_video)
    wanted = np.arange(5930, 5962, 2)
    assert gray_to_numbers(read_frames(long_video, wanted / 10)) == (wanted % 81).tolist()
    assert len(decoded) <= 16 + 16 + 50  # the clip, what it skips, and a group before it
    decoded.clear()
    assert gray_to_numbers(read_frames(long_video, [599.9])) == [5999 % 81]
    assert len(decoded) <= 50


def test_gaps_are_jumped_over(long_video, decoded):
    probe(long_video)
    wanted = np.concatenate([np.arange(start, start + 8) for start in range(0, 6000, 1000)])
    assert gray_to_numbers(read_frames(long_video, wanted / 10)) == (wanted % 81).tolist()
    assert len(decoded) <= 6 * (8 + 50)


def test_frames_that_nothing_needs_are_not_decoded(tmp_path, decoded):
    options = BASE | {"bf": "1", "b_strategy": "0"}
    path = write_video(tmp_path / "v.mp4", moving_frames(60), options=options)
    probe(path)
    read_frames(path, [58 / 30])
    assert len(decoded) <= 32


@pytest.mark.parametrize("fault", ["seek", "landing", "order", "end"])
def test_a_file_that_does_not_keep_its_promise_is_walked_through(tmp_path, monkeypatch, fault):
    options = BASE | {"g": "20", "bf": "2"}
    path = write_video(tmp_path / "v.mp4", numbered_frames(80), options=options)
    probe(path)
    table = remembered(path)
    if fault == "seek":
        table.keys[:, 1] = 2**62
    elif fault == "landing":
        table.keys[:, 1] += table.stamps[60]
    elif fault == "order":
        table.stamps[30] += 1
    else:
        table.stamps[40:] += 2**40
    wanted = np.array([5, 30, 31, 50, 70])
    with pytest.raises(LostFrameError):
        list(seek.decode_frames(path, table, wanted))
    monkeypatch.setattr(read, "numbers_at", lambda table, times: wanted)
    assert gray_to_numbers(read_frames(path, wanted / 30)) == wanted.tolist()


def test_a_break_is_an_error_here_too(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(60))
    probe(path)
    table = remembered(path)
    damage(path)
    frames = seek.decode_frames(path, table, np.array([0, 57]))
    with pytest.raises(DecodingError, match="Invalid data found"):
        list(frames)


def test_a_walk_that_stops_early_closes_the_file(long_video, all_closed):
    probe(long_video)
    frames = stream_frames(long_video, [300.0, 301.0])
    next(frames)
    frames.close()
    assert all_closed()
