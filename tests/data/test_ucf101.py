from pathlib import Path

import pytest

from keras_acl.data.kinetics import read_kinetics
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


def test_ucf101_training_list(ucf101):
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


def test_ucf101_test_list_has_no_numbers_and_may_have_holes(ucf101):
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
def test_ucf101_says_what_is_wrong_and_where(ucf101, file, text, message):
    folder, splits = ucf101
    (splits / file).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_ucf101(folder, splits)


@pytest.mark.parametrize("wrong", [{"split": 4}, {"subset": "val"}])
def test_ucf101_knows_three_splits_of_two_sides(ucf101, wrong):
    with pytest.raises(ValueError, match="splits 1, 2 and 3 with a 'train' and a 'test' side"):
        read_ucf101(*ucf101, **wrong)


def test_ucf101_needs_its_files(ucf101, tmp_path):
    folder, splits = ucf101
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*gone"):
        read_ucf101(tmp_path / "gone", splits)
    with pytest.raises(FileNotFoundError, match=r"trainlist02.txt"):
        read_ucf101(folder, splits, split=2)
    with pytest.raises(FileNotFoundError, match=r"None of the 3 videos that .*trainlist01.txt"):
        read_ucf101(splits, splits)


HEADER = "label,youtube_id,time_start,time_end,split\n"
ROWS = """javelin throw,--07WQ2iBlw,1,11,validate
flipping pancake,--33Lscn6sk,4,14,validate
"passing American football (in game)",-2VKVjgNuE0,121,131,validate
javelin throw,_aaaaaaaaaa,0,10,train
javelin throw,gone_gone_g,7,17,validate
"""


@pytest.fixture
def kinetics(tmp_path):
    """Folder with the usual ways to name files, and the CSV; the last row has no file."""
    folder = tmp_path / "k400"
    for name in (
        "javelin throw/--07WQ2iBlw_000001_000011.mp4",
        "flipping_pancake/--33Lscn6sk_000004_000014.mkv",
        "-2VKVjgNuE0_000121_000131.mp4",
        "_aaaaaaaaaa.webm",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    file = tmp_path / "validate.csv"
    file.write_text(HEADER + ROWS)
    return folder, file


@pytest.mark.filterwarnings("ignore::keras_acl.data.video_list.MissingVideosWarning")
def test_kinetics_finds_the_usual_names(kinetics):
    folder, file = kinetics
    videos = read_kinetics(folder, file)
    assert videos.labels == (
        "flipping pancake",
        "javelin throw",
        "passing American football (in game)",
    )
    assert list(videos) == [
        Video(str(folder / "javelin throw/--07WQ2iBlw_000001_000011.mp4"), 1, group="--07WQ2iBlw"),
        Video(
            str(folder / "flipping_pancake/--33Lscn6sk_000004_000014.mkv"),
            0,
            group="--33Lscn6sk",
        ),
        Video(str(folder / "-2VKVjgNuE0_000121_000131.mp4"), 2, group="-2VKVjgNuE0"),
        Video(str(folder / "_aaaaaaaaaa.webm"), 1, group="_aaaaaaaaaa"),
    ]
    assert videos.missing == (str(folder / "javelin throw/gone_gone_g_000007_000017.mp4"),)


def test_kinetics_clips_of_one_video_are_told_apart_by_time(kinetics):
    folder, file = kinetics
    (folder / "--07WQ2iBlw_000020_000030.mp4").touch()
    file.write_text(HEADER + "a,--07WQ2iBlw,20,30,train\na,--07WQ2iBlw,1.0,11.0,train\n")
    videos = read_kinetics(folder, file)
    names = [Path(video.path).name for video in videos]
    assert names == ["--07WQ2iBlw_000020_000030.mp4", "--07WQ2iBlw_000001_000011.mp4"]
    assert {video.group for video in videos} == {"--07WQ2iBlw"}


def test_kinetics_subset_keeps_the_classes(kinetics):
    videos = read_kinetics(*kinetics, subset="train")
    assert [video.group for video in videos] == ["_aaaaaaaaaa"]
    assert len(videos.labels) == 3
    with pytest.raises(ValueError, match=r"has no split 'test'. It has: 'train', 'validate'"):
        read_kinetics(*kinetics, subset="test")


@pytest.mark.filterwarnings("ignore::keras_acl.data.video_list.MissingVideosWarning")
def test_kinetics_takes_the_order_of_a_model(kinetics):
    labels = ["javelin throw", "passing American football (in game)", "flipping pancake", "x"]
    videos = read_kinetics(*kinetics, labels=labels)
    assert [video.label for video in videos] == [0, 2, 1, 0]
    with pytest.raises(ValueError, match=r"validate.csv, line 3: unknown class 'flipping pancake'"):
        read_kinetics(*kinetics, labels=["javelin throw"])


def test_kinetics_test_side_has_no_labels(kinetics):
    folder, file = kinetics
    file.write_text("youtube_id,time_start,time_end,split\n--07WQ2iBlw,1,11,test\n")
    (video,) = read_kinetics(folder, file)
    assert video.label is None
    assert video.group == "--07WQ2iBlw"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "a,b,one,11,train\n", r"line 2: expected two times in seconds. .*'one'"),
        ("label,id\na,b\n", r"line 1: .* youtube_id, time_start, time_end. Received: 'label,id'"),
    ],
)
def test_kinetics_says_what_is_wrong_and_where(kinetics, text, message):
    folder, file = kinetics
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_kinetics(folder, file)


def test_kinetics_names_the_first_paths_tried(kinetics, tmp_path):
    _, file = kinetics
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(
        FileNotFoundError,
        match=r"None of the 5 videos that .* Looked for "
        r".*empty.javelin throw.--07WQ2iBlw_000001_000011.mp4, .*--33Lscn6sk_000004_000014.mp4",
    ):
        read_kinetics(empty, file)
