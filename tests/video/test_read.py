import math
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import damage, gray_to_numbers, numbered_frames, write_video

from keras_acl.clip import ClipSpec
from keras_acl.video import read
from keras_acl.video.clips import read_clip
from keras_acl.video.crop import Crop
from keras_acl.video.frame_table import probe
from keras_acl.video.read import read_crops, read_frames, read_squares
from keras_acl.video.video import DecodingError, Video, VideoLimits
from keras_acl.video.views import ViewGrid, iterate_views
from keras_acl.video.windows import grid_frames

NTSC = Fraction(30000, 1001)
CLIP = ClipSpec(frames=4, span=8, fps=30.0, size=16)


@pytest.mark.parametrize("call", [probe, lambda path: read_frames(path, [0.0])])
def test_a_bad_file_costs_one_line(tmp_path, call, capfd):
    path = tmp_path / "v.mp4"
    path.write_text("no video")
    with pytest.raises(DecodingError, match=r"^Cannot decode .*v\.mp4: Invalid data found[^\n]*$"):
        call(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("fps", [10, 25, 30, NTSC, 60])
@pytest.mark.parametrize("name", ["v.mp4", "v.mov"])
def test_a_time_belongs_to_the_last_frame_before_it(tmp_path, name, fps):
    path = write_video(tmp_path / name, numbered_frames(40), fps)
    grid = [Fraction(n, 30) for n in range(math.floor(40 / Fraction(fps) * 30))]
    # 1.5 ms are forgiven: at 29.97 fps, frame 30 is shown 1 ms after the second 1.
    expected = [math.floor((time + Fraction(3, 2000)) * Fraction(fps)) for time in grid]
    assert gray_to_numbers(read_frames(path, [float(time) for time in grid])) == expected


@pytest.mark.parametrize("fps", [10, 25, 30])
def test_milliseconds_of_matroska_do_no_harm(tmp_path, fps):
    path = write_video(tmp_path / "v.mkv", numbered_frames(40), fps)
    assert gray_to_numbers(read_frames(path, np.arange(40) / fps)) == list(range(40))


def test_30_fps_clips_of_a_25_fps_video_repeat_every_fifth_frame(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(25), 25)
    numbers = gray_to_numbers(read_frames(path, np.arange(12) / 30))
    assert numbers == [0, 0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9]


def test_variable_rates_follow_the_timestamps(tmp_path):
    path = write_video(tmp_path / "v.mkv", numbered_frames(5), 10, pts=[0, 1, 2, 10, 11])
    times = [0, 0.15, 0.5, 0.95, 1.0, 1.05, 1.15]
    assert gray_to_numbers(read_frames(path, times)) == [0, 1, 2, 2, 3, 3, 4]


def test_times_may_repeat_and_come_in_any_order(numbered_video):
    numbers = [7, 3, 3, 80, 0, 7, 41]
    assert gray_to_numbers(read_frames(numbered_video, np.array(numbers) / 30)) == numbers


def test_times_outside_are_clamped(numbered_video):
    assert gray_to_numbers(read_frames(numbered_video, [-1.0, 2.69, 2.8, 1000.0])) == [
        0,
        80,
        80,
        80,
    ]


def test_late_times_skip_to_a_key_frame_and_find_the_same_frames(tmp_path, monkeypatch):
    options = {"preset": "fast", "qp": "4", "g": "12", "bf": "3"}
    options |= {"b_strategy": "0", "sc_threshold": "0"}
    path = write_video(tmp_path / "v.mp4", numbered_frames(240), options=options)
    decoded = []
    honest = read.shown_frames

    def counted(path, earliest):
        for pair in honest(path, earliest):
            decoded.append(pair[0])
            yield pair

    monkeypatch.setattr(read, "shown_frames", counted)
    wanted = np.arange(200, 216)
    assert gray_to_numbers(read_frames(path, wanted / 30)) == [n % 81 for n in wanted]
    assert len(decoded) <= 16 + 30 + 12 + 1  # the clip, the margin, a group, the one behind


def test_only_wanted_frames_are_converted_and_the_rest_is_not_decoded(numbered_video, monkeypatch):
    decoded, converted = [], []
    frames, convert = read.shown_frames, read.to_rgb

    def counted_frames(path, earliest):
        for pair in frames(path, earliest):
            decoded.append(pair)
            yield pair

    def counted_convert(*args):
        converted.append(args)
        return convert(*args)

    monkeypatch.setattr(read, "remembered", lambda path: None)
    monkeypatch.setattr(read, "shown_frames", counted_frames)
    monkeypatch.setattr(read, "to_rgb", counted_convert)
    clip = read_frames(numbered_video, np.array([30, 10, 20, 10, 30.5]) / 30)
    assert gray_to_numbers(clip) == [30, 10, 20, 10, 30]
    assert len(converted) == 3
    assert len(decoded) == 32  # 0 to 30, and the one that ends 30


def test_clips_are_plain_uint8_arrays(numbered_video):
    clip = read_frames(numbered_video, [0.0, 1.0])
    assert clip.shape == (2, 32, 48, 3)
    assert clip.dtype == np.uint8
    assert clip.flags.c_contiguous
    assert clip.flags.writeable


@pytest.mark.parametrize(
    ("sides", "short_side", "expected"),
    [((32, 48), 16, (16, 24)), ((48, 32), 20, (30, 20)), ((32, 44), 17, (17, 23))],
)
def test_short_side(tmp_path, sides, short_side, expected):
    path = write_video(tmp_path / "v.mp4", numbered_frames(2, *sides))
    clip = read_frames(path, [0, 1 / 30], short_side=short_side)
    assert clip.shape[1:3] == expected
    assert gray_to_numbers(clip) == [0, 1]


def test_size_and_rotation_go_together(tmp_path):
    stored = np.full((2, 32, 48, 3), 40, np.uint8)
    stored[:, :16] = 200  # the upper half is bright
    path = write_video(tmp_path / "v.mp4", stored, rotation=90)
    clip = read_frames(path, [0.0], size=(24, 20))
    assert clip.shape == (1, 24, 20, 3)
    np.testing.assert_allclose(clip[0, :, 11:], 200, atol=5)  # after a clockwise turn, the right
    np.testing.assert_allclose(clip[0, :, :9], 40, atol=5)
    assert read_frames(path, [0.0], short_side=16).shape == (1, 24, 16, 3)


def test_resizing_is_bilinear(tmp_path):
    stored = np.zeros((1, 32, 64, 3), np.uint8)
    stored[:, :, 32:] = 200
    path = write_video(tmp_path / "v.mp4", stored)
    row = read_frames(path, [0.0], size=(64, 128))[0, 32, :, 0].astype(int)
    np.testing.assert_allclose(row[62:66], [0, 50, 150, 200], atol=6)


def test_a_file_that_breaks_is_read_up_to_the_break_only(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(60))
    damage(path)
    assert gray_to_numbers(read_frames(path, [0.0, 0.1])) == [0, 3]
    with pytest.raises(DecodingError, match="Invalid data found"):
        read_frames(path, [0.0, 1.9])


@pytest.mark.parametrize("times", [[], [[0.0]], [0.0, math.nan], [math.inf], 0.0])
def test_senseless_times_are_refused(numbered_video, times):
    with pytest.raises(ValueError, match=r"at least one second, all finite. Received: times="):
        read_frames(numbered_video, times)


@pytest.mark.parametrize("size", [{"short_side": 0}, {"size": (0, 8)}, {"size": (8, -1)}])
def test_senseless_sizes_are_refused(numbered_video, size):
    with pytest.raises(ValueError, match=r"at least one pixel a side. Received: short_side="):
        read_frames(numbered_video, [0.0], **size)


def test_two_sizes_are_refused(numbered_video):
    with pytest.raises(ValueError, match=r"not by both. Received: short_side=8, size=\(8, 8\)"):
        read_frames(numbered_video, [0.0], short_side=8, size=(8, 8))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux' /proc")
def test_a_thousand_files_leave_nothing_behind(tmp_path):
    good = write_video(tmp_path / "good.mp4", numbered_frames(5, 16, 16))
    long = write_video(tmp_path / "long.mkv", numbered_frames(90, 16, 16), options={"g": "6"})
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(good.read_bytes()[:-300])

    def read_all(times: int) -> None:
        for _ in range(times):
            probe(good)
            read_frames(good, [0.0, 0.05])  # stops early
            read_frames(long, [2.9])  # opens, skips
            with pytest.raises(DecodingError):
                probe(broken)

    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    read_all(50)
    memory, files = resident(), descriptors()
    read_all(250)  # 1000 files
    assert descriptors() == files
    assert resident() - memory < 5e6


@pytest.mark.parametrize("error", [MemoryError(), av.error.MemoryError(12, "Cannot allocate")])
@pytest.mark.parametrize(
    "call",
    [
        lambda path: read_frames(path, [0.0], 16),
        lambda path: read_crops(path, [0.0], Crop(32, 48, 0, 0, 16)),
        lambda path: read_squares(path, [0.0], 32, 16, lambda height, width: (0, 0)),
        lambda path: list(grid_frames(path, CLIP, [])),
        lambda path: list(iterate_views(Video(str(path)), CLIP, ViewGrid(2, 3))),
    ],
)
def test_an_error_while_frames_are_converted_is_an_error_of_the_file(
    numbered_video, monkeypatch, call, error
):
    def fail(*_, **__):
        raise error

    for module in ("read", "cutter"):
        monkeypatch.setattr(f"keras_acl.video.{module}.to_rgb", fail)
    monkeypatch.setattr("keras_acl.video.cutter._filter", fail)
    with pytest.raises(DecodingError, match=r"more memory than there is|Cannot allocate") as caught:
        call(numbered_video)
    assert caught.value.path == str(numbered_video)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"side": 47}, "frames of 48x32 are larger than the limits, a side of 47 and"),
        ({"pixels": 1535}, "frames of 48x32 are larger than the limits, .* 1535 pixels"),
        ({"frames": 80}, r"longer than the limits, 80 frames and 172800 s \(`VideoLimits` raises"),
        ({"seconds": 2}, "it is longer than the limits, 4194304 frames and 2 s"),
    ],
)
def test_what_is_too_large_is_refused_unless_the_limits_are_raised(numbered_video, limits, reason):
    video = Video(str(numbered_video), limits=VideoLimits(**limits))
    with pytest.raises(DecodingError, match=reason):
        read_clip(video, CLIP)
    faults = []
    seen = sum(1 for _ in grid_frames(video, CLIP, faults))
    assert faults
    assert seen <= 81
    (name, value), bigger = next(iter(limits.items())), {}
    bigger[name] = value + 1
    raised = Video(str(numbered_video), limits=VideoLimits(**bigger))
    assert read_clip(raised, CLIP).shape == (4, 32, 48, 3)


def test_frames_are_not_resized_beyond_the_limits(numbered_video):
    video = Video(str(numbered_video), limits=VideoLimits(pixels=96 * 64))
    assert read_frames(video, [0.0], 64).shape == (1, 64, 96, 3)
    with pytest.raises(DecodingError, match="frames resized to 97x65 are larger"):
        read_frames(video, [0.0], 65)


def test_frames_larger_than_the_header_says_are_refused(tmp_path):
    small = write_video(tmp_path / "small.h264", numbered_frames(3))
    large = write_video(tmp_path / "large.h264", numbered_frames(3, 128, 128))
    both = tmp_path / "both.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    assert len(read_frames(both, np.arange(6) / 25)) == 6
    video = Video(str(both), limits=VideoLimits(pixels=64 * 100))
    with pytest.raises(DecodingError):
        read_frames(video, np.arange(6) / 25)
