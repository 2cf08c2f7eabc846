import base64

import av
import numpy as np
import pytest
from matplotlib.image import imread
from tiny_network import CLIP, LABELS, NETWORK, two_stream
from video_files import numbered_frames, write_video

import keras_acl.attention.explanation as explaining
from keras_acl.attention import attention_maps, explain
from keras_acl.attention.explanation import find_class
from keras_acl.attention.panels import BAND, GAP, PANEL
from keras_acl.clip import ClipSpec
from keras_acl.data import DecodingError, Video, read_test_clip
from keras_acl.models import SlowClassifier

WIDE = 3 * PANEL + 2 * GAP


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    rng = np.random.default_rng(0)
    squares = rng.integers(0, 256, (16, 6, 8, 3), dtype=np.uint8)
    frames = np.repeat(np.repeat(squares, 8, axis=1), 8, axis=2)
    return write_video(tmp_path_factory.mktemp("videos") / "squares.mp4", frames)


def decoded(file) -> tuple[np.ndarray, float]:
    """Frames, and frames per second."""
    with av.open(str(file)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return np.stack(frames), float(container.streams.video[0].average_rate)


def brightest(pictures: np.ndarray) -> np.ndarray:
    place = (pictures @ [0.299, 0.587, 0.114]).argmax()
    return np.array(np.unravel_index(place, pictures.shape[:-1]))


def test_brightest_pixel_is_where_the_streams_look(model, video, tmp_path):
    report = explain(model, video, tmp_path / "new" / "out.mp4")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["out.mp4", "out.png"]
    frames, rate = decoded(report.video)
    assert rate == 15  # 8 frames of 16 at 30 a second
    assert frames.shape == (8, BAND + PANEL, WIDE, 3)
    clip = read_test_clip(Video(str(video)), CLIP)[None]
    maps = attention_maps(model, clip, size=(PANEL, PANEL))
    assert report.label == report.predicted == LABELS[maps.classes[0]]
    assert report.score == pytest.approx(maps.scores.max(), abs=1e-5)
    step = PANEL + GAP
    shown = {
        "spatial": (frames[0, BAND:, step : step + PANEL], maps.spatial[0]),
        "temporal": (frames[:, BAND:, 2 * step :], maps.temporal[0]),
    }
    for pictures, expected in shown.values():
        # corners of these small maps are plateaus: one place is as strong as its neighbour
        assert expected[tuple(brightest(pictures))] > 0.98


def test_frames_are_the_centre_at_the_models_crop(model, video, tmp_path):
    frames, _ = decoded(explain(model, video, tmp_path / "a.mp4").video)
    seen = read_test_clip(Video(str(video)), CLIP)  # (8, 32, 32, 3)
    shown = frames[:, BAND:, :PANEL].reshape(8, 32, 8, 32, 8, 3).mean(axis=(2, 4))
    assert np.abs(shown - seen).mean() < 6


def test_a_long_video_is_covered_and_clips_are_a_choice(model, tmp_path):
    video = write_video(tmp_path / "long.mp4", numbered_frames(40, 48, 64))
    whole, _ = decoded(explain(model, video, tmp_path / "whole.mp4").video)
    assert len(whole) == 20  # 8 of each clip, 4 of what is left for the third one
    levels = whole[:, BAND + 100, 100].mean(axis=1)
    assert (np.diff(levels) > 0).all()
    two, _ = decoded(explain(model, video, tmp_path / "two.mp4", clips=2).video)
    assert len(two) == 16


def test_gif_and_the_label_asked_for(model, tmp_path):
    video = write_video(tmp_path / "grey.mp4", numbered_frames(16, 48, 64))
    report = explain(model, video, tmp_path / "a.gif", label="up", strength=0.8)
    assert report.label == "up"
    assert 0 < report.score < 1
    assert decoded(report.video)[0].shape[1:] == (BAND + PANEL, WIDE, 3)
    sheet = imread(report.sheet)[..., :3]
    colourless = np.ptp(sheet, axis=-1).max(axis=1) < 0.1
    assert 0.1 < colourless.mean() < 0.5  # frames are grey here, the two rows below are not
    shown = report._repr_html_()
    assert base64.b64encode(report.sheet.read_bytes()).decode() in shown
    assert base64.b64encode(report.video.read_bytes()).decode() in shown
    assert f"up {report.score:.0%}" in shown
    report.sheet.unlink()
    assert "up" in report._repr_html_()


def test_two_models_side_by_side_may_eat_other_clips(model, video, tmp_path):
    clip = ClipSpec(frames=4, span=8, size=48)
    network = {key: value for key, value in NETWORK.items() if key != "channel_ratio"}
    other = SlowClassifier(5, clip=clip, scales=(1.0, 0.5), **network)
    report = explain(model, video, tmp_path / "a.mp4", compare=other)
    frames, _ = decoded(report.video)
    assert frames.shape == (8, 2 * (BAND + PANEL), WIDE, 3)
    label, score, predicted = report.compared
    assert label == predicted
    assert label.startswith("class ")
    assert 0.2 <= score <= 1
    alone, _ = decoded(explain(other, video, tmp_path / "b.mp4").video)
    assert alone.shape == (8, BAND + PANEL, 2 * PANEL + GAP, 3)


@pytest.mark.parametrize("content", [None, b"", b"not a video"])
def test_an_unreadable_video_leaves_nothing(model, tmp_path, content):
    video = tmp_path / "bad.mp4"
    if content is not None:
        video.write_bytes(content)
    with pytest.raises(DecodingError, match=r"bad\.mp4"):
        explain(model, video, tmp_path / "out" / "a.mp4")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_one_leaves_what_was_there(model, video, tmp_path, monkeypatch, error):
    (tmp_path / "a.mp4").write_bytes(b"old")

    def fail(*_):
        raise error

    monkeypatch.setattr(explaining, "panels", fail)
    with pytest.raises(type(error)):
        explain(model, video, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_mistakes_are_found_before_the_work(model, video, tmp_path):
    with pytest.raises(ValueError, match=r"a\.webm"):
        explain(model, video, tmp_path / "a.webm")
    with pytest.raises(ValueError, match=r"squares\.mp4"):
        explain(model, video, video)
    with pytest.raises(ValueError, match="strength=2"):
        explain(model, video, tmp_path / "a.mp4", strength=2)
    with pytest.raises(ValueError, match="clips=0"):
        explain(model, video, tmp_path / "a.mp4", clips=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file/sub"):
        explain(model, video, tmp_path / "file" / "sub" / "a.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_classes_are_found_by_name_and_index(model):
    assert find_class(model, None) is None
    assert find_class(model, "right") == 1
    assert find_class(model, 2) == find_class(model, "2") == 2
    with pytest.raises(ValueError, match=r"'rigth'.* right"):
        find_class(model, "rigth")
    with pytest.raises(ValueError, match=r"zzz.*left, right, up"):
        find_class(model, "zzz")
    with pytest.raises(ValueError, match="class 3"):
        find_class(model, 3)
    with pytest.raises(ValueError, match="left"):
        find_class(two_stream(labels=None), "left")


def test_names_and_times_fit():
    assert explaining._clock(59.97) == "1:00.0"
    assert explaining._clock(125.31) == "2:05.3"
    assert explaining._shortened("clip.mp4") == "clip.mp4"
    assert len(explaining._shortened("x" * 80 + ".mp4")) == 30


def test_a_notebook_shows_a_short_film(tmp_path, monkeypatch):
    film, sheet = tmp_path / "<b>.MP4", tmp_path / "sheet.png"
    film.write_bytes(b"film")
    found = explaining.Explanation("a.mp4", "<up>", 0.5, "up", None, film, sheet)
    shown = found._repr_html_()
    assert f'src="data:video/mp4;base64,{base64.b64encode(b"film").decode()}"' in shown
    assert "&lt;up&gt; 50%" in shown
    assert "<b>" not in shown
    monkeypatch.setattr(explaining, "MOST_BYTES", 3)
    assert "<video" not in found._repr_html_()
