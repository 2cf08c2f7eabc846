import os
from fractions import Fraction

import av
import numpy as np
import pytest
from video_files import gray_to_numbers, numbered_frames, write_video

from keras_acl.data import probe, read_frames
from keras_acl.video.container import shown_frames
from keras_acl.video.encode import video_writer
from keras_acl.video.shrink import shrink_videos


@pytest.fixture(params=["mpeg4", "h264"])
def codec(request):
    """Each codec of copies."""
    return request.param


def test_key_frames_are_near(tmp_path, codec):
    (tmp_path / "in").mkdir()
    write_video(
        tmp_path / "in" / "v.mp4", numbered_frames(80), options={"g": "250", "preset": "fast"}
    )
    shrink_videos(tmp_path / "in", tmp_path / "out", codec=codec)
    with av.open(str(tmp_path / "out" / "v.mp4")) as container:
        assert container.streams.video[0].codec_context.name == codec
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    assert max(np.diff(np.flatnonzero(keys))) <= 16
    assert sum(keys) >= 5


@pytest.mark.parametrize(
    ("fps", "pts", "name"),
    [
        (Fraction(30000, 1001), None, "v.mp4"),
        (Fraction(997, 41), None, "v.mp4"),
        (10, [0, 1, 2, 7, 8, 20], "v.mp4"),
        (10, [40, 41, 42, 47, 48, 60], "v.mkv"),
        (25, list(range(-10, 10)), "v.mp4"),
        (25, None, "v.h264"),
        (25, None, "v.ts"),
    ],
)
def test_times_are_kept_exactly(tmp_path, fps, pts, name, codec):
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / name, numbered_frames(len(pts or range(9))), fps, pts=pts)
    if name == "v.h264":  # not a suffix of videos
        os.rename(tmp_path / "in" / name, tmp_path / "in" / "v.mpg")
        name = "v.mpg"
    shrink_videos(tmp_path / "in", tmp_path / "out", codec=codec)
    before = [second for second, _ in shown_frames(tmp_path / "in" / name)]
    after = [second for second, _ in shown_frames(tmp_path / "out" / name)]
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-4)


def test_a_turned_video_is_stored_upright(tmp_path):
    stored = np.full((3, 32, 48, 3), 40, np.uint8)
    stored[:, :16, :16] = [200, 60, 60]
    for turn in (90, 180, 270):
        (tmp_path / f"in{turn}").mkdir()
        path = write_video(tmp_path / f"in{turn}" / "v.mp4", stored, rotation=turn)
        shrink_videos(tmp_path / f"in{turn}", tmp_path / f"out{turn}", quality=4)
        copy = tmp_path / f"out{turn}" / "v.mp4"
        assert all(frame.rotation == 0 for _, frame in shown_frames(copy))
        before, after = read_frames(path, [0.0]), read_frames(copy, [0.0])
        assert np.abs(before.astype(int) - after).mean() < 4


@pytest.mark.parametrize(
    ("sides", "expected"), [((32, 48), (32, 48)), ((80, 60), (64, 48)), ((60, 120), (48, 96))]
)
def test_nothing_is_enlarged(tmp_path, sides, expected):
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "v.mp4", numbered_frames(3, *sides))
    shrink_videos(tmp_path / "in", tmp_path / "out", short_side=48)
    info = probe(tmp_path / "out" / "v.mp4")
    assert (info.height, info.width) == expected


def test_odd_sides_become_even(tmp_path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "v.mkv"
    write_video(path, numbered_frames(3, 33, 47), codec="ffv1", options={})
    shrink_videos(tmp_path / "in", tmp_path / "out")
    info = probe(tmp_path / "out" / "v.mkv")
    assert (info.height, info.width) == (32, 46)


def test_colours_of_full_range_are_kept(tmp_path):
    colours = np.array([[250, 5, 5], [5, 250, 5], [250, 250, 250], [5, 5, 5]], np.uint8)
    stored = np.tile(colours[:, None, None], (1, 32, 48, 1))
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "v.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10, options={"qmin": "1", "qmax": "1"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuvj420p"
        for image in stored:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    shrink_videos(tmp_path / "in", tmp_path / "out", quality=4)
    times = np.arange(4) / 10
    before = read_frames(path, times)[:, 16, 24].astype(int)
    after = read_frames(tmp_path / "out" / "v.mkv", times)[:, 16, 24]
    np.testing.assert_allclose(after, before, atol=4)


@pytest.mark.parametrize("colorspace", [1, 5, 2])
def test_the_matrix_of_colours_is_kept(tmp_path, codec, colorspace):
    colours = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [128, 128, 128]], np.uint8)
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"qp": "4"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.codec_context.colorspace = colorspace
        for colour in colours:
            image = av.VideoFrame.from_ndarray(np.tile(colour, (32, 48, 1)), format="rgb24")
            container.mux(stream.encode(image.reformat(format="yuv420p")))
        container.mux(stream.encode())
    shrink_videos(tmp_path / "in", tmp_path / "out", quality=2, codec=codec)
    (_, old), *_ = shown_frames(path)
    (_, new), *_ = shown_frames(tmp_path / "out" / "v.mp4")
    assert new.colorspace == old.colorspace == colorspace
    times = np.arange(4) / 10
    before, after = (read_frames(file, times)[:, 16, 24] for file in (path, tmp_path / "out/v.mp4"))
    np.testing.assert_allclose(after.astype(int), before, atol=4)


def test_frames_of_an_array_come_back_at_the_rate_asked_for(tmp_path):
    with video_writer(tmp_path / "v.mp4", 12.5, {"qp": "4"}) as add:
        for frame in numbered_frames(10):
            add(frame)
    assert probe(tmp_path / "v.mp4").fps == 12.5
    frames = read_frames(tmp_path / "v.mp4", np.arange(10) / 12.5)
    assert gray_to_numbers(frames) == list(range(10))
