from pathlib import Path

import pytest

from keras_acl.data.kinetics import read_kinetics
from keras_acl.video.video import Video

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
def test_it_finds_the_usual_names(kinetics):
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


def test_clips_of_one_video_are_told_apart_by_time(kinetics):
    folder, file = kinetics
    (folder / "--07WQ2iBlw_000020_000030.mp4").touch()
    file.write_text(HEADER + "a,--07WQ2iBlw,20,30,train\na,--07WQ2iBlw,1.0,11.0,train\n")
    videos = read_kinetics(folder, file)
    names = [Path(video.path).name for video in videos]
    assert names == ["--07WQ2iBlw_000020_000030.mp4", "--07WQ2iBlw_000001_000011.mp4"]
    assert {video.group for video in videos} == {"--07WQ2iBlw"}


def test_a_subset_keeps_the_classes(kinetics):
    videos = read_kinetics(*kinetics, subset="train")
    assert [video.group for video in videos] == ["_aaaaaaaaaa"]
    assert len(videos.labels) == 3
    with pytest.raises(ValueError, match=r"has no split 'test'. It has: 'train', 'validate'"):
        read_kinetics(*kinetics, subset="test")


@pytest.mark.filterwarnings("ignore::keras_acl.data.video_list.MissingVideosWarning")
def test_it_takes_the_order_of_a_model(kinetics):
    labels = ["javelin throw", "passing American football (in game)", "flipping pancake", "x"]
    videos = read_kinetics(*kinetics, labels=labels)
    assert [video.label for video in videos] == [0, 2, 1, 0]
    with pytest.raises(ValueError, match=r"validate.csv, line 3: unknown class 'flipping pancake'"):
        read_kinetics(*kinetics, labels=["javelin throw"])


def test_the_test_side_has_no_labels(kinetics):
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
def test_it_says_what_is_wrong_and_where(kinetics, text, message):
    folder, file = kinetics
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_kinetics(folder, file)


def test_it_names_the_first_paths_tried(kinetics, tmp_path):
    _, file = kinetics
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(
        FileNotFoundError,
        match=r"None of the 5 videos that .* Looked for "
        r".*empty.javelin throw.--07WQ2iBlw_000001_000011.mp4, .*--33Lscn6sk_000004_000014.mp4",
    ):
        read_kinetics(empty, file)
