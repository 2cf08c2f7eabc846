import pytest

from keras_acl.data.ucf101 import read_ucf101
from keras_acl.data.video_list import MissingVideosWarning
from keras_acl.video.video import Video

CLASSES = "1 ApplyEyeMakeup\r\n2 HandstandPushups\r\n3 YoYo\r\n"
TRAIN = """ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1
HandstandPushups/v_HandStandPushups_g08_c02.avi 2
YoYo/v_YoYo_g25_c05.avi 3
"""
TEST = """YoYo/v_YoYo_g01_c01.avi
YoYo/v_YoYo_g02_c01.avi
"""


@pytest.fixture
def ucf101(tmp_path):
    """Folder of videos and folder of lists; v_YoYo_g02_c01.avi is not there."""
    splits, folder = tmp_path / "lists", tmp_path / "UCF-101"
    splits.mkdir()
    (splits / "classInd.txt").write_text(CLASSES)
    (splits / "trainlist01.txt").write_text(TRAIN)
    (splits / "testlist01.txt").write_text(TEST)
    for line in (TRAIN + TEST).splitlines()[:-1]:
        path = folder / line.split()[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder, splits


def test_the_training_list(ucf101):
    folder, splits = ucf101
    videos = read_ucf101(folder, splits)
    assert videos.labels == ("ApplyEyeMakeup", "HandstandPushups", "YoYo")
    assert list(videos) == [
        Video(
            str(folder / "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi"),
            0,
            group="ApplyEyeMakeup_g08",
        ),
        Video(
            str(folder / "HandstandPushups/v_HandStandPushups_g08_c02.avi"),
            1,
            group="HandstandPushups_g08",
        ),
        Video(str(folder / "YoYo/v_YoYo_g25_c05.avi"), 2, group="YoYo_g25"),
    ]


def test_the_test_list_has_no_numbers_and_may_have_holes(ucf101):
    folder, splits = ucf101
    with pytest.warns(MissingVideosWarning, match="1 of 2 videos"):
        videos = read_ucf101(folder, splits, subset="test")
    assert [(video.label, video.group) for video in videos] == [(2, "YoYo_g01")]
    assert videos.missing == (str(folder / "YoYo/v_YoYo_g02_c01.avi"),)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("classInd.txt", "1 A\n3 B\n", "classInd.txt, line 2: expected '2 <class>'. .*'3 B'"),
        ("classInd.txt", "1 A\n2 A\n", "Received twice: 'A'"),
        ("trainlist01.txt", "Fly/v_Fly_g01_c01.avi 1\n", "trainlist01.txt, line 1: .*'Fly/v_Fly"),
        ("trainlist01.txt", "\nYoYo/yoyo.avi 3\n", "trainlist01.txt, line 2: expected '<class>/v_"),
        ("trainlist01.txt", "YoYo/v_YoYo_g01_c01.avi 2", "YoYo is class 3 in .*, not '2'"),
    ],
)
def test_it_says_what_is_wrong_and_where(ucf101, file, text, message):
    folder, splits = ucf101
    (splits / file).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_ucf101(folder, splits)


@pytest.mark.parametrize("wrong", [{"split": 4}, {"subset": "val"}])
def test_it_knows_three_splits_of_two_sides(ucf101, wrong):
    with pytest.raises(ValueError, match="splits 1, 2 and 3 with a 'train' and a 'test' side"):
        read_ucf101(*ucf101, **wrong)


def test_it_needs_its_files(ucf101, tmp_path):
    folder, splits = ucf101
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*gone"):
        read_ucf101(tmp_path / "gone", splits)
    with pytest.raises(FileNotFoundError, match=r"trainlist02.txt"):
        read_ucf101(folder, splits, split=2)
    with pytest.raises(FileNotFoundError, match=r"None of the 3 videos that .*trainlist01.txt"):
        read_ucf101(splits, splits)
