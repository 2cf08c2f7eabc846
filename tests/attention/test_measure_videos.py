import numpy as np
import pytest
from tiny_network import CLIP, LABELS, write_figures
from video_files import numbered_frames, write_video

from keras_acl.attention import attention_maps, measure, measure_boxes
from keras_acl.data import Video, read_mask, read_test_clip

HEADER = "path,start,end,left,top,right,bottom"


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    return write_figures(tmp_path_factory.mktemp("figures"), 1)


def test_figures_are_measured_for_their_class(model, figures):
    seen = []
    found = measure_boxes(model, figures, lambda done, total: seen.append((done, total)))
    assert [row.label for row in found.rows] == list(LABELS)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    path = str(figures / "right" / "0000.mp4")
    # 24 frames of 48 x 48: the centre clip has 4, 6, ..., 19; short side 37, crop at 3
    places = np.floor((np.arange(32) + 3.5) * 48 / 37).astype(int)
    numbers = 4 + np.array([0, 2, 4, 6, 8, 10, 12, 15])
    masks = read_mask(path)[numbers][:, places][:, :, places]
    maps = attention_maps(model, read_test_clip(Video(path), CLIP)[None], [1])
    expected = measure(maps, masks[None])
    assert found.rows[1].values == pytest.approx({k: v[0] for k, v in expected.items()}, abs=1e-4)
    for name, value in found.mean.items():
        assert value == pytest.approx(np.mean([row.values[name] for row in found.rows]))


def test_boxes_are_measured_around_the_middle_of_what_is_marked(model, tmp_path):
    write_video(tmp_path / "a.mp4", numbered_frames(60, 48, 64))
    file = tmp_path / "boxes.csv"
    file.write_text(f"{HEADER},label\na.mp4,1.4,1.6,0,0,64,48,2\n")
    found = measure_boxes(model, file)
    [row] = found.rows
    assert (row.label, row.problem) == ("up", None)
    # numbers 37 to 52 are seen; the box is there from 42 to 48: all of the picture, 3 of 8 frames
    assert row.values["chance"] == 1
    assert row.values["spatial_energy"] == pytest.approx(1)
    assert 0 < row.values["frames_energy"] < 1
    assert found.mean == row.values


def test_what_cannot_be_measured_is_a_row_and_not_in_the_mean(model, tmp_path):
    for name in "abc":
        write_video(tmp_path / f"{name}.mp4", numbered_frames(20, 48, 64))
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    file = tmp_path / "boxes.csv"
    boxes = [
        "bad.mp4,,,0,0,64,48",
        "none.mp4,,,0,0,64,48",
        "a.mp4,,,0,0,64,48",
        "b.mp4,,,0,0,3,48",
        "c.mp4,5,,0,0,64,48",
    ]
    file.write_text("\n".join([HEADER, *boxes]) + "\n")
    found = measure_boxes(model, file)
    problems = [row.problem for row in found.rows]
    assert "Invalid data" in problems[0]
    assert "No such file" in problems[1]
    assert problems[2] is None
    assert "centre crop" in problems[3]
    assert "line 6: the box lies outside the video, which has 0.67 s of 64x48" in problems[4]
    assert found.mean == found.rows[2].values
    shown = found._repr_html_()
    assert shown.count(f"{found.mean['spatial_energy']:.3f}") >= 2  # of the mean and of one video
    for part in ("spatial pointing", "a.mp4", "bad.mp4", "Invalid data", "centre crop"):
        assert part in shown


def test_nothing_to_measure_has_no_mean(model, tmp_path):
    file = tmp_path / "boxes.csv"
    file.write_text(f"{HEADER}\nnone.mp4,,,0,0,64,48\n")
    found = measure_boxes(model, file)
    assert found.mean == {}
    assert "No such file" in found._repr_html_()


def test_mistakes_are_found_before_the_work(model, tmp_path, figures):
    file = tmp_path / "boxes.csv"
    file.write_text(f"{HEADER},label\na.mp4,,,0,0,64,48,jump\n")
    with pytest.raises(ValueError, match=r"line 2.*'jump'"):
        measure_boxes(model, file)
    with pytest.raises(ValueError, match=str(tmp_path)):
        measure_boxes(model, tmp_path)
    write_video(tmp_path / "a.mp4", numbered_frames(20, 48, 64))
    with pytest.raises(FileNotFoundError, match=r"a\.mp4"):
        measure_boxes(model, tmp_path)
