import numpy as np
import pytest
from matplotlib.image import imread

from keras_acl.attention import AttentionMaps, overlay, save_contact_sheet


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


def test_overlay_mixes_frame_and_colour():
    frames = np.array([[[100, 100, 100], [200, 0, 40]]], np.uint8)
    maps = np.array([[0.0, 1.0]])
    # jet runs from (0, 0, 127.5) to (127.5, 0, 0)
    assert overlay(frames, maps).tolist() == [[[50, 50, 114], [164, 0, 20]]]
    np.testing.assert_array_equal(overlay(frames, maps, strength=0.0), frames)


def test_overlay_is_brightest_red_where_the_map_is_strongest():
    maps = np.zeros((16, 16))
    maps[3, 11] = 0.85
    picture = overlay(np.zeros((16, 16, 3), np.uint8), maps).astype(int)
    redness = picture[..., 0] - picture[..., 2]
    assert np.unravel_index(redness.argmax(), (16, 16)) == (3, 11)


@pytest.mark.parametrize("temporal", [True, False])
def test_contact_sheet_has_a_row_for_frames_and_each_stream(tmp_path, temporal):
    save_contact_sheet(tmp_path / "a" / "sheet.png", clips_of(2), maps_of(2, temporal))
    one = tmp_path / "one.png"
    save_contact_sheet(one, clips_of(1), maps_of(1, temporal), labels=["x", "y", "z"])
    both, single = imread(tmp_path / "a" / "sheet.png"), imread(one)
    assert both.shape[0] == pytest.approx(2 * single.shape[0], abs=2)
    assert both.shape[1] == single.shape[1]
    # the maps are in colour, the grey frames are not: a colourless third or half of the sheet
    coloured = np.ptp(single[..., :3], axis=-1).max(axis=1) > 0.1
    assert coloured.mean() == pytest.approx(0.6 if temporal else 0.45, abs=0.12)


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
