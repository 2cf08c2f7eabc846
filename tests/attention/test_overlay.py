import sys

import numpy as np
import pytest
from matplotlib.image import imread

from keras_acl.attention import AttentionMaps, overlay, save_contact_sheet
from keras_acl.attention.overlay import CELL, LEFT, LINE, TITLE, Section, _frames_to_show
from keras_acl.system.figures import DPI


def maps_of(count: int, temporal: bool = True) -> AttentionMaps:
    rng = np.random.default_rng(0)
    return AttentionMaps(
        spatial=rng.random((count, 16, 16), dtype=np.float32),
        temporal=rng.random((count, 8, 16, 16), dtype=np.float32) if temporal else None,
        classes=np.arange(count) % 3,
        scores=np.full((count, 3), 1 / 3),
    )


def clips_of(count: int) -> np.ndarray:
    return np.full((count, 8, 16, 16, 3), 100, np.uint8)


def brightness(picture: np.ndarray) -> np.ndarray:
    return picture @ [0.299, 0.587, 0.114]


def test_overlay_mixes_dimmed_frame_and_colour():
    frames = np.array([[[100, 100, 100], [200, 0, 40], [200, 0, 40]]], np.uint8)
    maps = np.array([[0.0, 1.0, 128 / 255]])
    # inferno ends in (252, 255, 164), and has (188, 55, 84) in the middle
    half = [0.7 * 200 * 127 / 255 + 188 * 128 / 255, 55 * 128 / 255, 0.7 * 40 * 127 / 255 + 84 / 2]
    expected = [[[70, 70, 70], [252, 255, 164], half]]
    np.testing.assert_allclose(overlay(frames, maps), expected, atol=1)


def test_strength_says_how_soon_colour_covers_the_frame():
    frame, maps = np.full((1, 1, 3), 255, np.uint8), np.full((1, 1), 0.25)
    weak, middle, strong = (overlay(frame, maps, s)[0, 0, 1] for s in (0.25, 0.5, 1.0))
    assert weak > middle > strong  # the colour of 0.25 is dark
    # opacities 0.25 ** 3, 0.25, 1
    assert weak == round(0.7 * 255 * (1 - 0.25**3) + strong * 0.25**3)
    assert middle == pytest.approx(0.7 * 255 * 0.75 + strong * 0.25, abs=1)


@pytest.mark.parametrize("strength", [0.0, -1, 1.5])
def test_strength_out_of_range_is_refused(strength):
    with pytest.raises(ValueError, match="0 < strength <= 1"):
        overlay(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1)), strength)


@pytest.mark.parametrize("strength", [0.2, 0.5, 1.0])
def test_brightest_pixel_is_the_maximum_whatever_the_frame_shows(strength):
    rng = np.random.default_rng(0)
    for _ in range(20):
        frame = rng.choice(np.array([0, 255], np.uint8), (16, 16, 3))
        maps = rng.random((16, 16)) * 0.97
        place = tuple(rng.integers(0, 16, 2))
        maps[place] = 1.0
        frame[place] = 0
        found = brightness(overlay(frame, maps, strength)).argmax()
        assert np.unravel_index(found, (16, 16)) == place


@pytest.mark.parametrize("temporal", [True, False])
def test_contact_sheet_has_a_row_for_frames_and_each_stream(tmp_path, temporal):
    maps = maps_of(2, temporal)
    maps.spatial[1, 3, 12] = 2.0  # the strongest places
    if maps.temporal is not None:
        maps.temporal[1, 5, 14, 1] = 2.0
    for stream in (maps.spatial, maps.temporal)[: 1 + temporal]:
        stream /= 2
    file = tmp_path / "a" / "sheet.png"
    save_contact_sheet(file, clips_of(2), maps, labels=["x", "y", "z"], columns=8)
    sheet = imread(file)[..., :3]
    rows = 2 + temporal
    cell, head = CELL * DPI, (TITLE + LINE) * DPI
    assert sheet.shape[:2] == (int(2 * (head + rows * cell)), int(LEFT * DPI + 8 * cell))

    def shown(row: int, column: int) -> np.ndarray:
        """A picture of the second clip."""
        top, left = 2 * head + (rows + row) * cell, LEFT * DPI + column * cell
        return sheet[int(top) + 5 : int(top + cell) - 5, int(left) + 5 : int(left + cell) - 5]

    np.testing.assert_allclose(shown(0, 5), 100 / 255, atol=0.01)
    for row, column, place in [(1, 2, (3, 12)), (2, 5, (14, 1))][: 1 + temporal]:
        picture = brightness(shown(row, column))
        found = np.argwhere(picture > picture.max() - 0.01).mean(axis=0)
        np.testing.assert_allclose(found * 16 / picture.shape - 0.5, place, atol=0.3)


def test_frames_of_most_temporal_attention_are_shown():
    temporal = np.zeros((8, 4, 4))
    temporal[[1, 3, 5], 0, 2] = 0.4, 1.0, 0.2
    assert _frames_to_show(8, temporal, 4).tolist() == [1, 3, 5, 6]
    assert _frames_to_show(8, None, 4).tolist() == [0, 2, 4, 7]
    assert _frames_to_show(2, temporal[:2], 4).tolist() == [0, 1]


def test_a_failed_picture_leaves_the_old_one(tmp_path, monkeypatch):
    file = tmp_path / "sheet.png"
    file.write_bytes(b"old")

    def full_disk(self, beside, **_):
        beside.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_contact_sheet(file, clips_of(1), maps_of(1))
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize(
    ("temporal", "names"), [(True, ["spatial stream", "temporal stream"]), (False, ["class map"])]
)
def test_the_only_map_is_called_no_stream(tmp_path, monkeypatch, temporal, names):
    written = []
    module = sys.modules[Section.__module__]  # the package has a function of its name
    monkeypatch.setattr(module, "save_sections", lambda file, sections: written.extend(sections))
    save_contact_sheet(tmp_path / "sheet.png", clips_of(1), maps_of(1, temporal), ["x", "y", "z"])
    assert list(written[0].rows) == ["frames", *names]
