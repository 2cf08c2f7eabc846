import itertools
import pickle
from fractions import Fraction

import av
import numpy as np
import pytest
from video_files import damage, gray_to_number, numbered_frames, write_sound, write_video

from keras_acl.video import container as container_module
from keras_acl.video.container import open_video, shown_frames, to_rgb, upright_size
from keras_acl.video.video import DecodingError

# Key frames 0.4 s apart, and frames stored in another order than shown.
SHORT_GROUPS = {"preset": "fast", "qp": "4", "g": "12", "bf": "3"}
SHORT_GROUPS |= {"b_strategy": "0", "sc_threshold": "0"}


def number_of(frame: av.VideoFrame) -> int:
    return gray_to_number(to_rgb(frame, 8, 8, av.video.reformatter.VideoReformatter()))


def numbers_and_seconds(path, earliest=0.0) -> tuple[list[int], list[float]]:
    pairs = [(number_of(frame), second) for second, frame in shown_frames(path, earliest)]
    numbers, seconds = zip(*pairs, strict=True)
    return list(numbers), list(seconds)


@pytest.mark.parametrize("fps", [10, 25, 30, Fraction(30000, 1001)])
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("v.mp4", "libx264"),
        ("v.mov", "libx264"),
        ("v.mkv", "libx264"),
        ("v.webm", "libvpx-vp9"),
        ("v.avi", "mpeg4"),
        ("v.avi", "libx264"),  # timestamps begin at 1
    ],
)
def test_every_frame_comes_with_its_second(tmp_path, name, codec, fps):
    path = write_video(tmp_path / name, numbered_frames(20), fps, codec=codec)
    numbers, seconds = numbers_and_seconds(path)
    assert numbers == list(range(20))
    # Matroska rounds to milliseconds.
    np.testing.assert_allclose(seconds, np.arange(20) / float(fps), rtol=0, atol=1e-3)


def test_frames_stored_out_of_order_come_in_order(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(60), options=SHORT_GROUPS)
    with av.open(str(path)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert stamps != sorted(stamps)
    assert numbers_and_seconds(path)[0] == list(range(60))


def test_seconds_count_from_the_first_frame(tmp_path):
    late = range(100, 120)
    path = write_video(tmp_path / "v.mkv", numbered_frames(20), 25, pts=list(late))
    numbers, seconds = numbers_and_seconds(path)
    assert numbers == list(range(20))
    np.testing.assert_allclose(seconds, np.arange(20) / 25, rtol=0, atol=1e-3)


def test_frames_cut_away_by_an_edit_list_are_not_shown(tmp_path):
    early = range(-10, 10)
    path = write_video(tmp_path / "v.mp4", numbered_frames(20), 25, pts=list(early))
    numbers, seconds = numbers_and_seconds(path)
    assert numbers == list(range(10, 20))
    np.testing.assert_allclose(seconds, np.arange(10) / 25, rtol=0, atol=1e-3)


def test_without_timestamps_frames_are_counted(tmp_path):
    path = write_video(tmp_path / "v.h264", numbered_frames(20), 25)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).pts is None
    numbers, seconds = numbers_and_seconds(path)
    assert numbers == list(range(20))
    np.testing.assert_allclose(seconds, np.arange(20) / 25, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("name", "codec"), [("v.mp4", "libx264"), ("v.mkv", "libx264")])
def test_a_late_start_skips_frames_and_loses_none(tmp_path, name, codec):
    path = write_video(tmp_path / name, numbered_frames(180), codec=codec, options=SHORT_GROUPS)
    numbers, seconds = numbers_and_seconds(path, earliest=4.0)
    first = round(seconds[0] * 30)
    assert 80 <= first <= 4.0 * 30  # the key frame is at most a margin and a group away
    assert numbers == [number % 81 for number in range(first, 180)]
    np.testing.assert_allclose(seconds, np.arange(first, 180) / 30, rtol=0, atol=1e-3)


@pytest.mark.parametrize("landing", ["behind", "nowhere", "refused"])
def test_a_misleading_index_costs_time_but_no_frames(tmp_path, monkeypatch, landing):
    path = write_video(tmp_path / "v.mp4", numbered_frames(180), options=SHORT_GROUPS)
    honest = container_module._decode_from

    def lost(path, container, stream, second):
        if landing == "behind":
            yield from honest(path, container, stream, 5.5)
        elif landing == "refused":
            yield from honest(path, container, stream, float(2**62) * stream.time_base)

    monkeypatch.setattr(container_module, "_decode_from", lost)
    assert numbers_and_seconds(path, earliest=4.0)[0] == [number % 81 for number in range(180)]


@pytest.mark.parametrize(
    ("rotation", "corner"), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))]
)
def test_rotation_is_undone(tmp_path, rotation, corner):
    stored = np.full((3, 32, 48, 3), 40, np.uint8)
    stored[:, :16, :16] = 200  # a bright top left corner goes round clockwise
    path = write_video(tmp_path / "v.mp4", stored, rotation=rotation)
    _, frame = next(shown_frames(path))
    height, width = upright_size(frame)
    assert (height, width) == ((32, 48) if rotation in (0, 180) else (48, 32))
    image = to_rgb(frame, height, width, av.video.reformatter.VideoReformatter())
    assert image.shape == (height, width, 3)
    for row, column in itertools.product((0, -1), repeat=2):
        expected = 200 if (row, column) == corner else 40
        np.testing.assert_allclose(image[row, column], expected, atol=3)


@pytest.mark.parametrize("size", [(32, 48), (32, 46), (31, 47), (16, 24), (64, 98), (7, 9)])
def test_gray_levels_do_not_depend_on_the_size(tmp_path, size):
    path = write_video(tmp_path / "v.mp4", numbered_frames(81))
    reformatter = av.video.reformatter.VideoReformatter()
    levels = [to_rgb(frame, *size, reformatter).mean() for _, frame in shown_frames(path)]
    bias = levels - (7 + 3.0 * np.arange(81))
    assert np.abs(bias).max() <= 1  # video has 219 levels of gray
    assert abs(bias.mean()) < 0.1


def test_colours_are_red_green_blue(tmp_path):
    colours = np.array([[220, 30, 30], [30, 200, 40], [30, 50, 210]], np.uint8)
    stored = np.tile(colours[:, None, None], (1, 32, 48, 1))
    path = write_video(tmp_path / "v.mp4", stored)
    reformatter = av.video.reformatter.VideoReformatter()
    for (_, frame), colour in zip(shown_frames(path), colours, strict=True):
        np.testing.assert_allclose(to_rgb(frame, 16, 24, reformatter)[8, 12], colour, atol=2)


def test_one_thread_a_file(numbered_video):
    with open_video(numbered_video) as (_, stream):
        assert stream.codec_context.thread_count == 1


def test_the_file_is_closed_when_the_walk_stops_early(numbered_video, all_closed):
    frames = shown_frames(numbered_video)
    next(frames)
    frames.close()
    assert all_closed()


def test_a_title_in_another_encoding_is_no_obstacle(tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Xx-title"
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        image = av.VideoFrame.from_ndarray(numbered_frames(1)[0], format="rgb24")
        container.mux(stream.encode(image))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes().replace(b"Xx-title", b"\xfc\xdf-title"))
    with pytest.raises(UnicodeDecodeError):
        av.open(str(path))
    assert len(list(shown_frames(path))) == 1


def write_truncated(path):
    write_video(path, numbered_frames(60))
    path.write_bytes(path.read_bytes()[:-1500])


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("missing.mp4", lambda path: None, "No such file or directory"),
        ("empty.mp4", lambda path: path.touch(), "Invalid data found"),
        ("text.mp4", lambda path: path.write_text("Hello, world"), "Invalid data found"),
        ("folder.mp4", lambda path: path.mkdir(), "Is a directory|Permission denied"),
        ("sound.wav", write_sound, "it holds no video stream"),
        ("truncated.mp4", write_truncated, "Invalid data found"),
    ],
)
def test_a_bad_file_costs_one_line(tmp_path, capfd, name, make, reason):
    path = tmp_path / name
    make(path)
    with pytest.raises(DecodingError, match=reason) as caught:
        list(shown_frames(path))
    assert caught.value.path == str(path)
    assert str(caught.value) == f"Cannot decode {path}: {caught.value.reason}"
    assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")  # FFmpeg has nothing to add


def test_a_file_that_breaks_half_way_is_an_error_there(tmp_path, capfd):
    path = write_video(tmp_path / "v.mp4", numbered_frames(60))
    damage(path)
    frames, seen = shown_frames(path), []
    with pytest.raises(DecodingError, match="Invalid data found"):
        seen.extend(number_of(frame) for _, frame in frames)
    assert capfd.readouterr() == ("", "")


def test_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(DecodingError("a.mp4", "it is empty")))
    assert (error.path, error.reason) == ("a.mp4", "it is empty")
    assert str(error) == "Cannot decode a.mp4: it is empty"
