from pathlib import Path

import av
import numpy as np
import pytest
from video_files import gray_to_number, numbered_frames, write_video

from keras_acl.video.crop import Crop, resized
from keras_acl.video.cutter import Cutter, Squares, _interval
from keras_acl.video.read import read_crops, read_frames, stream_squares


def smooth_frames(count=3, height=96, width=128) -> np.ndarray:
    """Slow waves in all colours: a shift by a pixel is a change by a few levels."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 12 + n) + np.sin(y / 9 - n) for n in range(3 * count)]
    frames = np.stack(waves).reshape(count, 3, height, width).transpose(0, 2, 3, 1)
    return (128 + 55 * frames).astype(np.uint8)


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("crops") / "v.mp4", smooth_frames())


@pytest.mark.parametrize("short_side", [48, 90, 96, 110, 150])
@pytest.mark.parametrize("corner", [(0, 0), (0.5, 0.3), (1, 1)])
def test_a_crop_is_what_a_cut_through_resized_frames_is(waves, short_side, corner):
    height, width = resized(96, 128, short_side)
    top, left = round((height - 40) * corner[0]), round((width - 40) * corner[1])
    times = [0.0, 1 / 30, 1 / 30, 2 / 30]
    whole = read_frames(waves, times, short_side)[:, top : top + 40, left : left + 40].astype(int)
    crop = read_crops(waves, times, Crop(height, width, top, left, 40))
    assert crop.shape == (4, 40, 40, 3)
    # Waves change by up to 5 levels a pixel across and 6 down; edges are off by 2 at most.
    assert np.abs(crop - whole).max() <= 2 * (5 + 6) + 2
    assert np.abs(crop - whole).mean() <= 9
    assert np.abs((crop - whole).mean()) <= 2
    mirrored = read_crops(waves, times, Crop(height, width, top, left, 40, mirrored=True))
    np.testing.assert_array_equal(mirrored, crop[:, :, ::-1])


def test_an_even_crop_without_resizing_is_exact(waves):
    whole = read_frames(waves, [0.0, 1 / 30])
    crop = read_crops(waves, [0.0, 1 / 30], Crop(96, 128, 20, 34, 40))
    inner = np.s_[:, 1:-1, 1:-1]  # colours at the edge have no neighbours
    np.testing.assert_allclose(crop[inner].astype(int), whole[:, 20:60, 34:74][inner], atol=1)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_undone_first(tmp_path, rotation):
    path = write_video(tmp_path / "v.mp4", smooth_frames(), rotation=rotation)
    whole = read_frames(path, [0.0], size=(100, 110))
    crop = read_crops(path, [0.0], Crop(100, 110, 13, 17, 50))
    np.testing.assert_array_equal(crop, whole[:, 13:63, 17:67])


def write_coloured(path, colorspace, color_range):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"qp": "4"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.colorspace = colorspace
        stream.codec_context.color_range = color_range
        for image in smooth_frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("colorspace", "color_range"), [(1, 1), (1, 2), (5, 2)])
def test_colours_are_those_of_the_file(tmp_path, colorspace, color_range):
    path = write_coloured(tmp_path / "v.mp4", colorspace, color_range)
    whole = read_frames(path, [0.0])[:, 20:60, 34:74].astype(int)
    crop = read_crops(path, [0.0], Crop(96, 128, 20, 34, 40)).astype(int)
    np.testing.assert_allclose(crop[:, 1:-1, 1:-1], whole[:, 1:-1, 1:-1], atol=1)


def test_frames_that_change_their_size_are_cut_in_proportion(tmp_path):
    cutter = Cutter(Crop(48, 64, 12, 16, 32))
    small, large = smooth_frames(1, 48, 64)[0], smooth_frames(1, 96, 128)[0]
    for image in (small, large, small):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.time_base = 1
        out = np.zeros((32, 32, 3), np.uint8)
        cutter(frame, out)
        scale = image.shape[0] // 48
        expected = image[12 * scale : 44 * scale : scale, 16 * scale : 48 * scale : scale]
        assert np.abs(out - expected.astype(int)).mean() < 8


@pytest.mark.parametrize("stored", [31, 32, 255, 256, 1080])
@pytest.mark.parametrize("resize", [32, 256, 289, 320])
def test_intervals_stay_inside_and_are_off_by_two_pixels_at_most(stored, resize):
    for size in (1, 30, 32):
        for first in {0, (resize - size) // 3, (resize - size) // 2, resize - size}:
            begin, count = _interval(first, size, resize, stored)
            assert 0 <= begin <= begin + count <= stored
            assert begin % 2 == 0
            scale = stored / resize
            assert count == max(round(size * scale), 1)
            assert abs(begin - first * scale) <= 2
            assert abs(begin + count / 2 - (first + size / 2) * scale) <= 2.1


def test_times_must_ascend(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(3))
    with pytest.raises(ValueError, match="`times` must ascend"):
        read_crops(path, [0.1, 0.0], Crop(32, 48, 0, 0, 8))


def strip_frames(height, width, count=2) -> np.ndarray:
    """A slow slope of gray along the longer side of strips."""
    slope = np.linspace(20, 230, max(height, width))
    image = np.broadcast_to(slope if width > height else slope[:, None], (height, width))
    return np.repeat(np.repeat(image[None, ..., None], 3, -1), count, 0).astype(np.uint8)


def write_raw(path, frames, form="yuv420p") -> Path:
    """Sizes that x264 does not take."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=30)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], form
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("sides", [(2, 2), (2, 320), (320, 2), (1, 1), (1, 64), (9, 1), (4, 4)])
@pytest.mark.parametrize("form", ["yuv420p", "yuv444p", "yuv410p", "gray"])
@pytest.mark.parametrize("short_side", [32, 40, 900])
def test_frames_of_few_pixels_are_cut_too(tmp_path, sides, form, short_side):
    frames = np.full((2, *sides, 3), 90, np.uint8)
    path = write_raw(tmp_path / "v.nut", frames, form)
    height, width = resized(*sides, short_side)
    for top, left in {(0, 0), (0, width - 32), (height - 32, 0), (height - 32, width - 32)}:
        crop = read_crops(path, [0.0, 1 / 30], Crop(height, width, top, left, 32))
        np.testing.assert_allclose(crop, 90, atol=2)


def test_a_stream_that_turns_tiny_is_cut_to_its_end(tmp_path):
    large = write_video(tmp_path / "large.h264", numbered_frames(4, 64, 96))
    tiny = write_video(tmp_path / "tiny.h264", numbered_frames(4, 2, 2))
    both = tmp_path / "both.h264"
    both.write_bytes(large.read_bytes() + tiny.read_bytes())
    crop = read_crops(both, np.arange(8) / 25, Crop(320, 480, 0, 200, 224))
    assert [gray_to_number(image) for image in crop] == [0, 1, 2, 3] * 2


@pytest.mark.parametrize("sides", [(16, 160), (160, 16)])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_squares_of_a_strip_are_those_of_the_whole(tmp_path, monkeypatch, sides, rotation):
    path = write_video(tmp_path / "v.mp4", strip_frames(*sides), rotation=rotation)
    whole = read_frames(path, [0.0], 32)[0].astype(int)
    height, width = whole.shape[:2]
    corners = [(height // 3, 2), (height - 30, width - 30)]
    corners = [(min(top, height - 28), min(left, width - 28)) for top, left in corners]
    monkeypatch.setattr("keras_acl.video.cutter.to_rgb", None)  # nothing is resized as a whole
    cut = Squares(32, 28, lambda *size: corners if size == (height, width) else [])
    (squares,) = stream_squares(path, [0.0], cut)
    for square, (top, left) in zip(squares, corners, strict=True):
        expected = whole[top : top + 28, left : left + 28]
        assert np.abs(square - expected).max() <= 8  # 1.3 levels a pixel of the file


@pytest.mark.parametrize("sides", [(64, 96), (64, 256)])
def test_the_squares_of_other_frames_are_exactly_those_of_the_whole(tmp_path, sides):
    path = write_video(tmp_path / "v.mp4", smooth_frames(2, *sides))
    whole = read_frames(path, [0.0, 1 / 30], 48)
    cut = Squares(48, 40, lambda height, width: [(0, 3), (height - 40, width - 40)])
    for frame, (first, second) in zip(whole, stream_squares(path, [0.0, 1 / 30], cut), strict=True):
        np.testing.assert_array_equal(first, frame[:40, 3:43])
        np.testing.assert_array_equal(second, frame[-40:, -40:])


def test_a_strip_that_turns_ordinary_is_not_resized_as_a_whole(tmp_path, monkeypatch):
    strip = write_video(tmp_path / "strip.h264", numbered_frames(2, 2, 320))
    square = write_video(tmp_path / "square.h264", numbered_frames(2, 64, 64))
    both = tmp_path / "both.h264"
    both.write_bytes(strip.read_bytes() + square.read_bytes())
    monkeypatch.setattr("keras_acl.video.cutter.to_rgb", None)
    cut = Squares(32, 28, lambda height, width: [(2, width // 2)])
    found = [image for (image,) in stream_squares(both, np.arange(4) / 25, cut)]
    assert [gray_to_number(image) for image in found] == [0, 1, 0, 1]
