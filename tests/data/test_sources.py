import csv
import logging
import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_acl.data.sources import list_videos, read_csv, read_directory
from keras_acl.data.video_list import MissingVideosWarning, VideoList
from keras_acl.video.video import Video


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_read_directory_sorts_classes_and_files(tmp_path):
    touch(tmp_path, "walk/2.mp4", "walk/1.avi", "run/deep/3.mkv", "run/notes.txt", ".git/x.mp4")
    videos = read_directory(tmp_path)
    assert videos == VideoList(
        [
            Video(str(tmp_path / "run/deep/3.mkv"), 0),
            Video(str(tmp_path / "walk/1.avi"), 1),
            Video(str(tmp_path / "walk/2.mp4"), 1),
        ],
        ["run", "walk"],
    )


def test_read_directory_takes_the_classes_of_a_model(tmp_path):
    touch(tmp_path, "walk/1.mp4", "run/2.mp4")
    (tmp_path / "lists").mkdir()  # no videos, no class: nothing wrong
    videos = read_directory(tmp_path, labels=["walk", "jump", "run"])
    assert videos.labels == ("walk", "jump", "run")
    assert videos.counts == {"walk": 1, "jump": 0, "run": 1}
    assert [video.label for video in videos] == [0, 2]


@pytest.mark.parametrize(
    ("files", "labels", "message"),
    [
        (
            [],
            None,
            "one folder for each class .* 0 folders .* and 0 videos beside them.$",
        ),
        (["1.mp4", "a/1.txt"], None, "1 folders without videos and 1 videos .* such as 1.mp4"),
        (["run/1.mp4", "sit/1.mp4"], ["run"], "sit is not among the 1 labels: run$"),
        (["run/1.mp4"], ["run", "run"], "Received twice: 'run'"),
    ],
)
def test_read_directory_says_what_is_wrong(tmp_path, files, labels, message):
    touch(tmp_path, *files)
    with pytest.raises(ValueError, match=message):
        read_directory(tmp_path, labels)


@pytest.mark.parametrize("labels", [None, ["sit", "run"]])
def test_a_stray_video_is_a_warning_that_names_it(tmp_path, labels):
    touch(tmp_path, "run/1.mp4", "sit/2.mp4", "stray.mp4", ".hidden.mp4", "notes.txt")
    with pytest.warns(UserWarning, match=r"left out: 1 in .*, such as stray\.mp4"):
        videos = read_directory(tmp_path, labels)
    names = [Path(video.path).name for video in videos]
    assert names == (["2.mp4", "1.mp4"] if labels else ["1.mp4", "2.mp4"])


@pytest.mark.skipif(sys.platform == "win32", reason="Links need rights there")
def test_a_class_folder_may_be_a_link(tmp_path):
    touch(tmp_path, "set/run/1.mp4", "elsewhere/2.mp4")
    (tmp_path / "set" / "sit").symlink_to(tmp_path / "elsewhere")
    videos = read_directory(tmp_path / "set")
    assert [Path(video.path).name for video in videos] == ["1.mp4", "2.mp4"]
    assert videos.labels == ("run", "sit")


def test_folders_of_other_things_are_no_classes(tmp_path, caplog):
    touch(tmp_path, "run/1.mp4", "sit/2.mp4", "lists/train.txt", "__MACOSX/._1.mp4", ".git/x.mp4")
    (tmp_path / "empty").mkdir()
    with caplog.at_level("INFO", "keras_acl"):
        assert read_directory(tmp_path).labels == ("run", "sit")
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "__MACOSX, empty, lists"
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="Other systems' file names are always text")
def test_a_file_name_that_is_no_utf8_is_read_as_any_other(tmp_path):
    touch(tmp_path, "run/1.mp4", "sit/2.mp4")
    name = os.fsdecode(b"caf\xe9.mp4")
    (tmp_path / "run" / name).touch()
    videos = read_directory(tmp_path)
    assert [Path(video.path).name for video in videos] == ["1.mp4", name, "2.mp4"]
    (tmp_path / "list.csv").write_bytes(b"path,label\nrun/caf\xe9.mp4,run\n")
    assert read_csv(tmp_path / "list.csv")[0].path == videos[1].path
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    touch(tmp_path, os.fsdecode(b"caf\xe9/3.mp4"))
    with pytest.raises(ValueError, match=r"class name is printable .* Received: caf\\udce9"):
        read_directory(tmp_path)


def test_read_directory_needs_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*gone"):
        read_directory(tmp_path / "gone")


@pytest.fixture
def csv_file(tmp_path):
    touch(tmp_path, "clips/a.mp4", "clips/b.mp4", "c.mp4")

    def write(*lines, header="path,label"):
        file = tmp_path / "list.csv"
        file.write_text("\n".join((header, *lines)))
        return file

    return write


def test_read_csv_is_relative_to_itself_and_sorts_names(tmp_path, csv_file):
    videos = read_csv(csv_file("clips/b.mp4,walk", "c.mp4,run", f"{tmp_path}/clips/a.mp4,walk"))
    assert videos.labels == ("run", "walk")
    assert list(videos) == [
        Video(str(tmp_path / "clips/b.mp4"), 1),
        Video(str(tmp_path / "c.mp4"), 0),
        Video(str(tmp_path / "clips/a.mp4"), 1),
    ]


def test_read_csv_takes_another_root(tmp_path, csv_file):
    videos = read_csv(csv_file("a.mp4,walk"), root=tmp_path / "clips")
    assert videos[0].path == str(tmp_path / "clips/a.mp4")


def test_read_csv_takes_indices(csv_file):
    rows = csv_file("c.mp4,2", "clips/a.mp4,0")
    assert read_csv(rows).labels == ("0", "1", "2")
    assert [video.label for video in read_csv(rows)] == [2, 0]
    named = read_csv(rows, labels=["run", "sit", "walk"])
    assert named.labels == ("run", "sit", "walk")
    assert [video.label for video in named] == [2, 0]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("20240101", "20240102"), ("20240101", "20240102")),
        (("2024", "7"), ("2024", "7")),
        (("9" * 5000, "1"), ("1", "9" * 5000)),
        (("19", "0"), tuple(map(str, range(20)))),
        (("20", "0"), ("0", "20")),
    ],
)
def test_numbers_far_above_the_number_of_classes_are_names(csv_file, labels, names):
    rows = csv_file(*(f"c.mp4,{label}" for label in labels))
    assert read_csv(rows).labels == names
    with pytest.raises(ValueError, match=r"line 2: unknown class .* below 1"):
        read_csv(rows, labels=["run"])


def test_read_csv_takes_the_order_of_a_model(csv_file):
    videos = read_csv(csv_file("c.mp4,walk", "clips/a.mp4,run"), labels=["walk", "sit", "run"])
    assert [video.label for video in videos] == [0, 2]


def test_a_cell_may_hold_several_labels(csv_file):
    file = csv_file("clips/a.mp4,walk|red", "clips/b.mp4,", "c.mp4, red ")
    videos = read_csv(file, multi_label=True)
    assert (videos.labels, videos.multi_label) == (("red", "walk"), True)
    assert [video.label for video in videos] == [(0, 1), (), (0,)]
    assert videos.counts == {"red": 2, "walk": 1}
    several = read_csv(file, ["walk", "blue", "red"], multi_label=True)
    assert [video.label for video in several] == [(0, 2), (), (2,)]
    numbers = read_csv(csv_file("c.mp4,2|0"), multi_label=True)
    assert (numbers.labels, numbers[0].label) == (("0", "1", "2"), (0, 2))


def test_joined_labels_are_one_class_unless_asked_for(csv_file, caplog):
    file = csv_file("c.mp4,walk|red")
    with caplog.at_level(logging.WARNING, "keras_acl"):
        videos = read_csv(file)
    assert (videos.labels, videos.multi_label) == (("walk|red",), False)
    assert "'walk|red' is one class here; multi_label=True" in caplog.text
    caplog.clear()
    read_csv(file, multi_label=True)
    assert not caplog.records


NAMES = st.text("ab é1.'", min_size=1).map(str.strip).filter(bool)
TABLE = st.lists(st.sets(NAMES, max_size=4), min_size=1, max_size=6)


@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=TABLE, seed=st.integers(0, 9))
def test_several_labels_are_those_of_pandas_dummies(tmp_path, table, seed):
    paths = [f"{number}.mp4" for number in range(len(table))]
    touch(tmp_path, *paths)
    cells = ["|".join(random.Random(seed).sample(sorted(names), len(names))) for names in table]
    with open(tmp_path / "list.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), *zip(paths, cells, strict=True)])
    labels = sorted(set().union(*table)) or ["none"]
    videos = read_csv(tmp_path / "list.csv", labels, multi_label=True)
    assert [{videos.labels[index] for index in video.label} for video in videos] == table


@pytest.mark.parametrize(
    ("lines", "labels", "message"),
    [
        (["c.mp4,walk||red"], None, r"list\.csv, line 2: a label is empty.*'walk\|\|red'"),
        (["c.mp4,|walk"], None, "line 2: a label is empty"),
        (["c.mp4,walk|run|walk"], None, r"line 2: a label stands there twice.*'walk\|run\|walk'"),
        (["c.mp4,0|walk"], ["walk"], "Several labels are class indices in ascending order, each"),
        (["c.mp4,walk|fly"], ["run", "walk"], "line 2: unknown class 'fly'"),
        (
            ["c.mp4,walk", "clips/a.mp4,run", "c.mp4,run"],
            None,
            r"line 4: c\.mp4 has other labels than in .*line 2\..* one row .*walk\|run$",
        ),
        (["c.mp4,walk"], ["walk", "a|b"], r"a class name cannot have it\. Received: 'a\|b'"),
    ],
)
def test_several_labels_that_make_no_sense_are_told(csv_file, lines, labels, message):
    with pytest.raises(ValueError, match=message):
        read_csv(csv_file(*lines), labels, multi_label=True)


def test_a_video_may_be_listed_twice_with_the_same_labels_or_in_parts(csv_file):
    rows = "c.mp4,walk|red,0,1", "c.mp4,red|walk,0,1", "c.mp4,red,1,2"
    videos = read_csv(csv_file(*rows, header="path,label,start,end"), multi_label=True)
    assert [video.label for video in videos] == [(0, 1), (0, 1), (0,)]


def test_read_csv_takes_parts_and_groups_where_given(tmp_path, csv_file):
    file = csv_file("c.mp4,1.5,3,run,monday", "c.mp4,,,run,", header="path,start,end,label,group")
    path = str(tmp_path / "c.mp4")
    assert list(read_csv(file)) == [Video(path, 0, 1.5, 3.0, "monday"), Video(path, 0)]


def test_read_csv_counts_the_holes(tmp_path, csv_file):
    with pytest.warns(MissingVideosWarning, match=r"1 of 2 videos .*gone\.mp4"):
        videos = read_csv(csv_file("c.mp4,run", "gone.mp4,walk"))
    assert videos.missing == (str(tmp_path / "gone.mp4"),)
    assert videos.labels == ("run", "walk")
    assert repr(videos) == "VideoList(1 videos, 2 classes, 1 missing)"


@pytest.mark.parametrize(
    ("lines", "labels", "message"),
    [
        (["c.mp4,run", "c.mp4,fly"], ["run"], r"list.csv, line 3: unknown class 'fly'"),
        (["c.mp4,run", "c.mp4,1"], ["run"], r"list.csv, line 3: unknown class '1'. .* below 1"),
        (["c.mp4,run", "c.mp4,"], None, r"list.csv, line 3: unknown class ''"),
        ([",run"], None, r"list.csv, line 2: the path is empty"),
        (["c.mp4,run"], ["run", "run"], "Received twice: 'run'"),
    ],
)
def test_read_csv_says_what_is_wrong_and_where(csv_file, lines, labels, message):
    with pytest.raises(ValueError, match=message):
        read_csv(csv_file(*lines), labels)


@pytest.mark.parametrize(
    ("times", "message"),
    [("soon,", "line 2: could not convert"), ("5,2", "line 2: .* Received: start=5.0, end=2.0")],
)
def test_read_csv_names_the_line_of_wrong_times(csv_file, times, message):
    file = csv_file(f"c.mp4,run,{times}", header="path,label,start,end")
    with pytest.raises(ValueError, match=message):
        read_csv(file)


def test_read_csv_needs_its_files(csv_file, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"None of the 1 videos that .*list.csv lists"):
        read_csv(csv_file("gone.mp4,run"))
    with pytest.raises(FileNotFoundError, match=r"gone.csv"):
        read_csv(tmp_path / "gone.csv")
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*gone"):
        read_csv(csv_file("c.mp4,run"), root=tmp_path / "gone")


def test_sources_are_a_class_folder_a_csv_or_videos(tmp_path):
    touch(tmp_path, "set/run/1.mp4", "set/walk/1.mp4", "a.mp4", "b.mkv")
    videos = list_videos([tmp_path / "set"])
    assert (videos.labels, len(videos)) == (("run", "walk"), 2)
    (tmp_path / "list.csv").write_text("path,label\nset/run/1.mp4,sport\n")
    assert list_videos([tmp_path / "list.csv"]).labels == ("sport",)
    paths = [str(tmp_path / name) for name in ("a.mp4", "b.mkv")]
    videos = list_videos([*paths, tmp_path / "set" / "run"])
    assert [video.path for video in videos] == [*paths, str(tmp_path / "set/run/1.mp4")]
    assert all(video.label is None for video in videos)
    assert len(list_videos([tmp_path / "set" / "run"])) == 1
    with pytest.raises(ValueError, match="A CSV stands alone"):
        list_videos([tmp_path / "list.csv", paths[0]])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no video file in .*empty"):
        list_videos([tmp_path / "empty"])


def test_folders_of_pictures_are_videos_of_their_class(tmp_path):
    for name in ("jump/v1/img_00001.jpg", "jump/v1/img_00002.jpg", "run/v2.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pictures = str(tmp_path / "jump" / "v1")
    assert [(video.path, video.label) for video in read_directory(tmp_path)] == [
        (pictures, 0),
        (str(tmp_path / "run" / "v2.mp4"), 1),
    ]
    assert [video.path for video in list_videos([pictures])] == [pictures]
    (tmp_path / "list.csv").write_text("path,label,fps\njump/v1,jump,12\nrun/v2.mp4,run,\n")
    assert [video.fps for video in read_csv(tmp_path / "list.csv")] == [12.0, None]
    url = "https://example.com/a.mp4"
    assert [video.path for video in list_videos([url])] == [url]
