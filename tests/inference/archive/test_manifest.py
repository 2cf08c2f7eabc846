import logging
import os

import fsspec
import pyarrow
import pyarrow.parquet as parquet
import pytest

from keras_acl.inference.archive.manifest import Item, digest_of, printable_name, read_manifest
from keras_acl.video.video import Video


def write_table(where, **columns):
    parquet.write_table(pyarrow.table(columns), where)
    return where


def test_a_csv_and_a_parquet_file_say_the_same(tmp_path):
    table = tmp_path / "list.csv"
    table.write_text("path,label,start,end\n a.mp4 ,x,1.5,2\nsub/b.mp4,y,,\n")
    columns = {"path": ["a.mp4", "sub/b.mp4"], "start": [1.5, None], "end": [2, None]}
    other = write_table(tmp_path / "list.parquet", **columns, size=[1, 2])
    expected = (
        Item("a.mp4", Video(str(tmp_path / "a.mp4"), start=1.5, end=2)),
        Item("sub/b.mp4", Video(str(tmp_path / "sub" / "b.mp4"))),
    )
    assert read_manifest(table) == read_manifest(str(other)) == expected


def test_paths_do_not_depend_on_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "list.csv").write_text(f"path\na.mp4\n{tmp_path}/b.mp4\nhttp://a.org/c.mp4\n")
    monkeypatch.chdir(tmp_path)
    paths = [item.video.path for item in read_manifest("list.csv")]
    assert paths == [f"{tmp_path}/a.mp4", f"{tmp_path}/b.mp4", "http://a.org/c.mp4"]


def test_a_video_that_is_named_twice_is_there_once(tmp_path, caplog):
    caplog.set_level(logging.INFO, "keras_acl")
    table = tmp_path / "list.csv"
    table.write_text("path,start\na.mp4,\nb.mp4,\n./a.mp4,\na.mp4,3\nb.mp4,\n")
    names = [(item.name, item.video.start) for item in read_manifest(table)]
    assert names == [("a.mp4", None), ("b.mp4", None), ("a.mp4", 3.0)]
    assert "names 2 videos more than once: each is done once" in caplog.text


def test_a_folder_has_names_below_it(tmp_path, monkeypatch):
    for name in ("a.mp4", "b/c.avi", "b/.hidden.mp4", "notes.txt", os.fsdecode(b"d\xff.mp4")):
        file = tmp_path / "videos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.chdir(tmp_path)
    items = read_manifest("videos")
    assert [item.name for item in items] == ["a.mp4", "b/c.avi", "d\udcff.mp4"]
    assert items[1].video.path == str(tmp_path / "videos" / "b" / "c.avi")
    assert printable_name(items[2]) == r"d\udcff.mp4"
    # Another place, the same archive.
    os.rename("videos", "moved")
    assert digest_of(read_manifest("moved")) == digest_of(items)
    assert digest_of(items) != digest_of(items[::-1])


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/bucket", recursive=True)


def test_manifests_and_folders_may_lie_elsewhere(memory):
    memory.pipe("/bucket/videos/a.mp4", b"")
    memory.pipe("/bucket/videos/b/c.MKV", b"")
    memory.pipe("/bucket/videos/.trash/d.mp4", b"")
    memory.pipe("/bucket/videos/list.csv", b"path\nb/c.MKV\nmemory://bucket/x.mp4\n")
    items = read_manifest("memory://bucket/videos")
    assert [item.name for item in items] == ["a.mp4", "b/c.MKV"]
    assert [item.video.path for item in items] == [
        "memory:///bucket/videos/a.mp4",
        "memory:///bucket/videos/b/c.MKV",
    ]
    items = read_manifest("memory://bucket/videos/list.csv")
    assert [item.video.path for item in items] == [
        "memory://bucket/videos/b/c.MKV",
        "memory://bucket/x.mp4",
    ]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.csv", "file\na.mp4\n", r"a\.csv, line 1: expected a header with the column\(s\) path"),
        ("a.csv", "path,start\n,1\n", r"a\.csv, line 2: expected a path. Received: ''"),
        ("a.csv", "path,start\na.mp4,x\n", r"a\.csv, line 2: could not convert"),
        ("a.csv", "path,start,end\na.mp4,2,1\n", r"a\.csv, line 2: A part of a video"),
        ("a.parquet", "no parquet", r"a\.parquet cannot be read as Parquet: Parquet magic"),
        (
            "a.mp4",
            "",
            r"ends in \.csv or \.parquet or \.pq, or a folder of videos. Received: .*a\.mp4",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(name, content, error, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=error):
        read_manifest(tmp_path / name)


def test_parquet_without_paths_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected a column path\. Received: 'file,label'"):
        read_manifest(write_table(tmp_path / "a.parquet", file=["a"], label=["b"]))
    with pytest.raises(ValueError, match=r"row 2: expected a path. Received: None"):
        read_manifest(write_table(tmp_path / "a.parquet", path=["a", None]))
    with pytest.raises(ValueError, match="There is no video"):
        read_manifest(write_table(tmp_path / "a.parquet", path=pyarrow.array([], "string")))


@pytest.mark.parametrize("name", ["gone", "gone.csv", "gone.parquet", "memory://gone/list.csv"])
def test_a_manifest_that_is_not_there(name, tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        read_manifest(name if "://" in name else tmp_path / name)


def test_nothing_at_an_address(memory):
    memory.pipe("/bucket/notes.txt", b"")
    with pytest.raises(ValueError, match="There is no video in memory://bucket"):
        read_manifest("memory://bucket")
