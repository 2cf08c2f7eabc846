import pytest

from keras_acl.data.tables import class_index, read_table
from keras_acl.data.video_list import MissingVideosWarning, only_present
from keras_acl.video.files import find_videos
from keras_acl.video.video import Video

CLASSES = {"run": 0, "sit": 1, "7": 2}


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_find_videos_knows_them_by_suffix_at_any_depth(tmp_path):
    touch(tmp_path, "b.MP4", "a/x.avi", "a/deep/y.webm", "notes.txt", "a/x.csv")
    touch(tmp_path, ".hidden.mp4", ".cache/z.mp4", "a/.trash/z.mp4", "c.mkv")
    (tmp_path / "folder.mp4").mkdir()
    names = ["a/deep/y.webm", "a/x.avi", "b.MP4", "c.mkv"]
    assert find_videos(tmp_path) == [str(tmp_path / name) for name in names]


def test_find_videos_needs_a_folder(tmp_path):
    touch(tmp_path, "a.mp4")
    with pytest.raises(FileNotFoundError, match=r"no folder .*gone. Check the path"):
        find_videos(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"no folder .*a.mp4. It is a file"):
        find_videos(tmp_path / "a.mp4")


def test_read_table_reads_what_spreadsheets_write(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes('\ufeffpath, label\r\n"a, b.mp4",run\r\n\r\nc.mp4 , sit\r\n'.encode())
    rows = read_table(file, ["path", "label"])
    assert [row.cells for row in rows] == [
        {"path": "a, b.mp4", "label": "run"},
        {"path": "c.mp4", "label": "sit"},
    ]
    assert rows[1].where == f"{file}, line 4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: expected a header with the column\(s\) path, label. Received: ''"),
        ("path\na.mp4\n", r"column\(s\) label. Received: 'path'"),
        ("a.mp4 0\nb.mp4 1\n", r"column\(s\) path, label. Received: 'a.mp4 0'"),
        ("path,label\n", "has a header and no rows"),
        ("path,label\na.mp4,run\nb.mp4\n", "line 3: expected 2 cells, .* Received 1: 'b.mp4'"),
        ("path,label\na,b.mp4,run\n", "line 2: expected 2 cells, .* Received 3: 'a,b.mp4,run'"),
    ],
)
def test_read_table_says_what_is_wrong(tmp_path, text, message):
    file = tmp_path / "t.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_table(file, ["path", "label"])


def test_read_table_needs_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"t.csv"):
        read_table(tmp_path / "t.csv", ["path"])


@pytest.mark.parametrize(("value", "index"), [("run", 0), ("sit", 1), ("0", 0), ("1", 1), ("7", 2)])
def test_class_index_takes_names_and_indices_names_first(value, index):
    assert class_index(value, CLASSES, "here") == index


@pytest.mark.parametrize("value", ["jump", "3", "-1", "1.0", ""])
def test_class_index_refuses_the_rest(value):
    message = f"t.csv, line 2: unknown class '{value}'. Expected an index below 3 or one of 'run', "
    with pytest.raises(ValueError, match=message):
        class_index(value, CLASSES, "t.csv, line 2")


def test_only_present_counts_the_holes(tmp_path):
    touch(tmp_path, "a.mp4", "c.mp4")
    listed = [Video(str(tmp_path / f"{name}.mp4"), 0) for name in "abcd"]
    with pytest.warns(MissingVideosWarning, match=r"2 of 4 videos that list\.csv .*b\.mp4"):
        videos = only_present(listed, ["run"], "list.csv")
    assert list(videos) == [listed[0], listed[2]]
    assert videos.missing == (listed[1].path, listed[3].path)


def test_only_present_refuses_when_nothing_is(tmp_path):
    listed = [Video(str(tmp_path / f"{name}.mp4"), 0) for name in "abcd"]
    with pytest.raises(
        FileNotFoundError,
        match=r"None of the 4 videos that list.csv lists is on disk. "
        r"Looked for .*a.mp4, .*b.mp4, .*c.mp4, \.\.\.$",
    ):
        only_present(listed, ["run"], "list.csv")
