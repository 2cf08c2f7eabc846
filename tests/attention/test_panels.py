"""Overlays through the encoder: what is decoded again shows where the map's maximum is."""

import av
import numpy as np
import pytest

from keras_acl.attention.panels import BAND, GAP, PANEL, overlay_writer, panels, strip

PLACES = [(60, 190), (5, 5), (200, 31), (255, 255)]
STEP = PANEL + GAP


def blob(place, width: float = 12.0) -> np.ndarray:
    rows, columns = np.mgrid[:PANEL, :PANEL]
    return np.exp(-((rows - place[0]) ** 2 + (columns - place[1]) ** 2) / 2 / width**2)


def checked_frame(seed: int) -> np.ndarray:
    """White and black squares: the hardest ground to outshine."""
    squares = np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), (16, 16, 1))
    return np.repeat(np.repeat(np.repeat(squares, 3, 2), 16, 0), 16, 1)


def decoded(file) -> list[np.ndarray]:
    with av.open(str(file)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def brightest(picture: np.ndarray) -> np.ndarray:
    place = (picture @ [0.299, 0.587, 0.114]).argmax()
    return np.array(np.unravel_index(place, picture.shape[:2]))


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_brightest_pixel_is_the_maximum_through_the_encoder(tmp_path, ending):
    file = tmp_path / f"attention.{ending}"
    with overlay_writer(file, 15) as add:
        for number, place in enumerate(PLACES):
            pictures = panels(checked_frame(number), blob(place), blob(place[::-1]))
            add(strip(pictures, 3, "label 97%", "clip.mp4"))
    frames = decoded(file)
    assert len(frames) == len(PLACES)
    for frame, place in zip(frames, PLACES, strict=True):
        assert frame.shape == (BAND + PANEL, 3 * PANEL + 2 * GAP, 3)
        spatial = frame[BAND:, STEP : STEP + PANEL].astype(float)
        temporal = frame[BAND:, 2 * STEP :].astype(float)
        np.testing.assert_allclose(brightest(spatial), place, atol=2)
        np.testing.assert_allclose(brightest(temporal), place[::-1], atol=2)


def test_mp4_is_h264_in_yuv420p_at_the_rate_asked_for(tmp_path):
    file = tmp_path / "a.mp4"
    with overlay_writer(file, 12.5) as add:
        for _ in range(10):
            add(np.full((64, 48, 3), 90, np.uint8))
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 12.5
    assert np.abs(decoded(file)[5].astype(int) - 90).max() <= 2


def test_gif_plays_as_long_as_it_should(tmp_path):
    file = tmp_path / "a.gif"
    with overlay_writer(file, 15) as add:
        for level in range(0, 150, 5):
            add(np.full((16, 16, 3), level, np.uint8))
    with av.open(str(file)) as container:
        assert container.duration / av.time_base == pytest.approx(2.0, abs=0.05)
    assert [frame[0, 0, 0] for frame in decoded(file)][:3] == [0, 5, 10]


def test_a_baseline_without_a_temporal_stream_has_two_panels():
    pictures = panels(checked_frame(0), blob((9, 9)), None)
    assert len(pictures) == 2
    alone, beside = strip(pictures, 2, "a", ""), strip(pictures, 3, "a", "")
    assert alone.shape[1] == 2 * PANEL + GAP
    assert beside.shape[1] == 3 * PANEL + 2 * GAP
    np.testing.assert_array_equal(beside[BAND:, : alone.shape[1]], alone[BAND:])
    assert (beside[BAND:, 2 * STEP :] == beside[-1, -1]).all()


def test_text_is_drawn_as_it_is():
    pictures = panels(checked_frame(0), blob((9, 9)), None)
    bands = [strip(pictures, 2, text, "")[:BAND] for text in ("", "$x$ 5%", "$x$ 6%")]
    assert bands[1].max() > 240
    assert (bands[1] != bands[2]).any()
    assert (bands[0] != bands[1]).any()


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.mp4 or \.gif. Received: 'a.avi'"):  # noqa: SIM117
        with overlay_writer(tmp_path / "a.avi", 15):
            pass
    assert not list(tmp_path.iterdir())
