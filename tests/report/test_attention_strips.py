import base64
import io

import matplotlib.image
import numpy as np
import pytest
from tiny_network import LABELS, two_stream, write_figures

from keras_acl.attention.maps import attention_maps
from keras_acl.attention.overlay import overlay
from keras_acl.data import DecodingError
from keras_acl.models import SlowClassifier
from keras_acl.report.attention_strips import SIDE, attention_strip, picture_row, shrink
from keras_acl.video.clips import read_uniform_clips
from keras_acl.video.video import Video


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> str:
    folder = write_figures(tmp_path_factory.mktemp("figures"), 1)
    return str(sorted(folder.glob(f"{LABELS[0]}/*.mp4"))[0])


@pytest.fixture(scope="module")
def model():
    return two_stream(labels=LABELS)


def opened(image: str) -> np.ndarray:
    head, data = image.split(",")
    assert head == "data:image/jpeg;base64"
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(data)), format="jpeg")


@pytest.mark.backends
def test_strip_shows_frames_and_each_class_in_each_stream(model, video):
    rows = attention_strip(model, Video(video), (2, 0), ("predicted", "true"))
    assert [row.name for row in rows] == [
        "frames",
        "spatial stream, predicted",
        "temporal stream, predicted",
        "spatial stream, true",
        "temporal stream, true",
    ]
    clip = read_uniform_clips(Video(video), model.clip, 1)[0]
    maps = attention_maps(model, clip[None], [0])
    shown = [0, 2, 4, 5, 7]  # of 8 frames
    expected = {
        0: clip[shown],
        3: overlay(clip[shown], np.stack([maps.spatial[0]] * 5)),
        4: overlay(clip[shown], maps.temporal[0, shown]),
    }
    for place, pictures in expected.items():
        found = opened(rows[place].image)
        assert found.shape == (rows[place].height, rows[place].width, 3) == (32, 5 * 32, 3)
        wanted = np.concatenate(list(pictures), axis=1)
        assert np.abs(found.astype(float) - wanted).mean() < 8  # of 255: it is a JPEG


def test_strip_of_one_stream(video):
    model = SlowClassifier(3, clip=two_stream().clip, depth=11, width=8, speed_ratio=4)
    rows = attention_strip(model, Video(video), (0,), ("true",))
    assert [row.name for row in rows] == ["frames", "class map, true"]


def test_strip_of_a_broken_video(model, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    for name in ("broken.mp4", "missing.mp4"):
        with pytest.raises(DecodingError):
            attention_strip(model, Video(str(tmp_path / name)), (0,), ("true",))


def test_shrink_takes_means():
    pictures = np.zeros((1, 2 * SIDE + 1, 2 * SIDE, 3), np.uint8)
    pictures[0, :2, :2] = [[[0], [10]], [[20], [32]]]
    small = shrink(pictures)
    assert small.shape == (1, SIDE, SIDE, 3)
    assert small.dtype == np.uint8
    assert small[0, 0, 0].tolist() == [16, 16, 16]  # 15.5, to even
    maps = np.full((2, 256, 256), 0.25, np.float32)
    assert shrink(maps).shape == (2, 128, 128)
    assert (shrink(maps) == 0.25).all()


def test_shrink_leaves_small_pictures_alone():
    pictures = np.arange(2 * 32 * 40 * 3).astype(np.uint8).reshape(2, 32, 40, 3)
    assert (shrink(pictures) == pictures).all()


def test_picture_row_is_small():
    row = picture_row("noise", np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), "uint8"))
    assert (row.width, row.height) == (560, 112)
    assert len(row.image) < 60_000
