import os
import socket
import threading

import av
import numpy as np
import pytest
from PIL import Image
from video_files import gray_to_numbers, numbered_frames, write_video

from keras_acl.video.frame_table import probe
from keras_acl.video.read import read_frames
from keras_acl.video.video import DecodingError, Video


def numbers(source) -> list[int]:
    """Numbers of the first three frames."""
    return gray_to_numbers(read_frames(source, [0.0, 1 / 30, 2 / 30]))


@pytest.mark.parametrize(
    "name",
    [
        *("a:b.mp4", "2026-01-01T12:30:00.mp4", "http:x.mp4", "concat:a.mp4|b.mp4", "data:,x.mp4"),
        *("pipe:0.mp4", "100%d.mp4", "file:x.mp4", "a?b#c.mp4", "-", "line\nbreak.mp4"),
    ],
)
def test_a_path_is_a_file_whatever_its_name(tmp_path, monkeypatch, name):
    made = write_video(tmp_path / "made.mp4", numbered_frames(3))
    os.rename(made, tmp_path / name)
    assert numbers(tmp_path / name) == [0, 1, 2]
    monkeypatch.chdir(tmp_path)
    assert numbers(name) == [0, 1, 2]
    assert probe(name).frames == 3


def test_names_in_another_encoding_than_utf_8_are_read(tmp_path):
    path = os.path.join(str(tmp_path), os.fsdecode(b"caf\xe9.mp4"))
    os.rename(write_video(tmp_path / "made.mp4", numbered_frames(3)), path)
    assert numbers(path) == [0, 1, 2]
    os.truncate(path, 500)
    with pytest.raises(DecodingError, match="Invalid data") as caught:
        probe(path)
    assert caught.value.path == path


@pytest.fixture
def listening():
    """A server's address, and a function that returns how often it was called."""
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                calls.append(connection)
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", lambda: len(calls)
        server.shutdown(socket.SHUT_RDWR)


def test_only_a_url_as_it_is_written_reaches_the_network(tmp_path, monkeypatch, listening):
    address, calls = listening
    monkeypatch.chdir(tmp_path)
    for name in (f"http:/{address}/v.mp4", f"tcp://{address}", f"rtmp://{address}/v"):
        with pytest.raises(DecodingError, match="No such file"):
            probe(name)
    (tmp_path / "http:" / address).mkdir(parents=True)
    path = tmp_path / "http:" / address / "v.mp4"
    write_video(path, numbered_frames(3))
    assert probe(os.path.relpath(path)).frames == 3
    assert probe(path.relative_to(tmp_path)).frames == 3
    assert calls() == 0
    with pytest.raises(DecodingError):
        probe(f"http://{address}/v.mp4")
    assert calls() > 0


def playlist(path, video):
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{video}\n#EXT-X-ENDLIST\n")


def concat_list(path, video):
    path.write_text(f"ffconcat version 1.0\nfile '{video}'\n")


def dash(path, video):
    path.write_text(
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4">'
        f'<Representation id="0" bandwidth="1"><BaseURL>{video}</BaseURL><SegmentBase/>'
        "</Representation></AdaptationSet></Period></MPD>"
    )


@pytest.mark.parametrize("write", [playlist, concat_list, dash])
@pytest.mark.parametrize("ending", [".m3u8", ".mp4", ".ts", ".ffconcat"])
def test_lists_of_other_files_are_refused(tmp_path, write, ending):
    write_video(tmp_path / "secret.ts", numbered_frames(3))
    write(tmp_path / f"list{ending}", "secret.ts")
    with pytest.raises(DecodingError, match=r"Invalid data|Invalid argument"):
        probe(tmp_path / f"list{ending}")


@pytest.mark.parametrize("read", [probe, lambda path: read_frames(path, [0.0])])
def test_pipes_and_devices_are_refused_at_once(tmp_path, read):
    os.mkfifo(tmp_path / "v.mp4")
    for path in (tmp_path / "v.mp4", "/dev/zero"):
        with pytest.raises(DecodingError, match="it is no regular file"):
            read(path)


def test_senseless_names_are_errors_of_the_file():
    for path in ("a\0b.mp4", "x" * 300 + ".mp4", ""):
        with pytest.raises(DecodingError):
            probe(path)


def save_pictures(folder, count=6, form="img_{:05d}.jpg", first=1):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(numbered_frames(count), first):
        Image.fromarray(image).save(folder / form.format(number), quality=95)
    return folder


@pytest.mark.parametrize(
    ("form", "first"),
    [
        *(("img_{:05d}.jpg", 1), ("{}.png", 0), ("frame{:06d}.jpeg", 7), ("{:02d}.bmp", 95)),
        *(("100%_{:04d}.jpg", 1), ("a:b-{}.webp", 9), ("IMG{:03d}.JPG", 1)),
    ],
)
def test_a_folder_of_numbered_pictures_is_a_video(tmp_path, form, first):
    folder = save_pictures(tmp_path / "50%d: jump", 6, form, first)
    (folder / "notes.txt").touch()
    info = probe(folder)
    assert (info.frames, info.fps, info.seconds) == (6, 25.0, pytest.approx(6 / 25))
    assert (info.height, info.width) == (32, 48)
    assert gray_to_numbers(read_frames(folder, np.arange(6) / 25)) == list(range(6))


def test_pictures_have_the_rate_that_they_are_given(tmp_path):
    folder = save_pictures(tmp_path / "v", 24)
    video = Video(str(folder), fps=12)
    assert (probe(video).seconds, probe(video).fps) == (2.0, 12.0)
    assert gray_to_numbers(read_frames(video, [0.0, 0.5, 1.9])) == [0, 6, 22]
    assert probe(folder).fps == 25.0
    with pytest.raises(ValueError, match=r"Frames per second are positive. Received: fps=0"):
        Video(str(folder), fps=0)


def test_pictures_of_optical_flow_are_not_frames(tmp_path):
    folder = save_pictures(tmp_path / "v")
    save_pictures(folder, 5, "flow_x_{:05d}.jpg")
    save_pictures(folder, 5, "flow_y_{:05d}.jpg")
    assert probe(folder).frames == 6


def test_a_missing_picture_is_an_error_not_the_end(tmp_path):
    folder = save_pictures(tmp_path / "v")
    (folder / "img_00004.jpg").unlink()
    with pytest.raises(DecodingError, match=r"the picture img_00004\.jpg is missing"):
        probe(folder)


def test_a_damaged_picture_is_an_error(tmp_path):
    folder = save_pictures(tmp_path / "v")
    (folder / "img_00004.jpg").write_bytes(b"no picture")
    with pytest.raises(DecodingError):
        read_frames(folder, np.arange(6) / 25)


def test_other_folders_are_no_videos(tmp_path):
    with pytest.raises(DecodingError, match="Is a directory, and not one of numbered pictures"):
        probe(tmp_path)


def test_a_file_is_opened_once_and_closed(tmp_path, opened):
    path = write_video(tmp_path / "v.mp4", numbered_frames(3))
    opened.clear()
    probe(path)
    (container,) = opened
    assert isinstance(container, av.container.InputContainer)
    with pytest.raises(AssertionError, match="not open"):
        container.seek(0)
