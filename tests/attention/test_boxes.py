import math

import numpy as np
import pytest
from tiny_network import CLIP

from keras_acl.attention import read_boxes
from keras_acl.attention.boxes import Box, box_masks, figure_masks
from keras_acl.clip import ClipSpec

HEADER = "path,start,end,left,top,right,bottom"


def write(tmp_path, *lines: str, header: str = HEADER):
    file = tmp_path / "boxes.csv"
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def test_boxes_are_read_video_by_video(tmp_path):
    file = write(tmp_path, "a.mp4,0,1.5,10,20,30,40", "b.mp4,,,0,0,5.5,5", "a.mp4,2,,1,2,3,4")
    first, second = read_boxes(file)
    assert first.path == str(tmp_path / "a.mp4")
    assert [(box.start, box.end, box.left, box.bottom) for box in first.boxes] == [
        (0, 1.5, 10, 40),
        (2, math.inf, 1, 4),
    ]
    assert first.boxes[1].where == f"{file}, line 4"
    assert (second.boxes[0].start, second.boxes[0].end) == (0, math.inf)
    assert second.label == ""


def test_a_column_may_name_the_class(tmp_path):
    header = HEADER + ",label"
    [video] = read_boxes(write(tmp_path, "a.mp4,0,1,0,0,5,5,run", header=header))
    assert video.label == "run"
    with pytest.raises(ValueError, match=r"line 3: a.mp4 was 'run' above.*Received: 'jump'"):
        read_boxes(
            write(tmp_path, *[f"a.mp4,0,1,0,0,5,5,{x}" for x in ("run", "jump")], header=header)
        )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.mp4,0,1,x,0,5,5", "line 3: left is no number. Received: 'x'"),
        ("a.mp4,0,1,0,0,,5", "line 3: right is no number. Received: ''"),
        ("a.mp4,0,1,9,0,5,5", "line 3: expected left < right"),
        ("a.mp4,0,1,0,5,5,5", "line 3: expected left < right, top < bottom"),
        ("a.mp4,2,1,0,0,5,5", "0 <= start < end.*Received: 2,1,0,0,5,5"),
        ("a.mp4,-1,1,0,0,5,5", "0 <= start < end"),
        ("a.mp4,0,1,-9,0,0,5", "the first pixel being 0"),
        ("a.mp4,0,1,nan,0,5,5", "line 3"),
        ("a.mp4,0,1,0,0,inf,5", "line 3"),
        ("a.mp4,0,1,0,0,5", "line 3: expected 7 cells"),
        (",0,1,0,0,5,5", "line 3: the path is empty"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    with pytest.raises(ValueError, match=message):
        read_boxes(write(tmp_path, "a.mp4,0,1,0,0,5,5", line))


def test_a_wrong_header_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"line 1: expected a header with .* top"):
        read_boxes(write(tmp_path, "a.mp4", header="path,start,end,left,right,bottom"))
    with pytest.raises(FileNotFoundError):
        read_boxes(tmp_path / "none.csv")


def test_masks_follow_resize_crop_and_time():
    # 48 high: resized to 37 (test size of 32), 64 wide to 49; the crop begins at row 3, column 9
    times = np.array([0.0, 0.5, 1.0])
    box = Box(0.5, 1.0, 16, 12, 32, 24)
    masks = box_masks([box], times, 48, 64, CLIP)
    assert masks.shape == (3, 32, 32)
    assert masks.any(axis=(1, 2)).tolist() == [False, True, False]
    rows, columns = np.nonzero(masks[1])
    # rows 12 * 37 / 48 - 3 = 6.25 to 15.5; columns 16 * 49 / 64 - 9 = 3.25 to 15.5: centres inside
    assert (rows.min(), rows.max()) == (6, 14)
    assert (columns.min(), columns.max()) == (3, 14)
    both = box_masks([box, Box(0.0, math.inf, 0, 0, 64, 48)], times, 48, 64, CLIP)
    assert both.all()
    assert not box_masks([Box(0, math.inf, 0, 0, 8, 48)], times, 48, 64, CLIP).any()  # cropped away


def test_box_masks_match_a_box_drawn_into_the_video(tmp_path):
    from video_files import write_video

    from keras_acl.data import Video, read_test_clip

    frames = np.zeros((16, 120, 90, 3), np.uint8)
    frames[:, 30:80, 20:50] = 255
    video = write_video(tmp_path / "a.mp4", frames)
    clip = ClipSpec(frames=4, span=16, size=64)
    seen = read_test_clip(Video(str(video)), clip)[..., 0] > 127
    masks = box_masks([Box(0, math.inf, 20, 30, 50, 80)], np.zeros(4), 120, 90, clip)
    assert (seen != masks).mean() < 0.005


def test_figure_masks_are_cropped_and_in_time():
    mask = np.zeros((10, 37, 37), bool)  # drawn at the test size: nothing to resize
    mask[4, 3, 3] = mask[9, 10, 20] = True
    masks = figure_masks(mask, np.array([0.0, 4 / 30, 4.9 / 30, 2.0]), CLIP)
    assert masks.sum(axis=(1, 2)).tolist() == [0, 1, 1, 1]
    assert masks[1, 0, 0]
    assert masks[2, 0, 0]
    assert masks[3, 7, 17]
    large = figure_masks(np.repeat(np.repeat(mask, 4, 1), 4, 2), np.array([2.0]), CLIP)
    np.testing.assert_array_equal(large[0], masks[3])
