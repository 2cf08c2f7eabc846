import json

import numpy as np
import pyarrow.parquet as parquet
import pytest

from keras_acl.inference.archive.manifest import Item
from keras_acl.inference.archive.options import ArchiveOptions
from keras_acl.inference.archive.tables import BAD, VIDEOS, ArchiveFolder, parts_of
from keras_acl.inference.archive.worker import best
from keras_acl.system import atomic_write
from keras_acl.video.video import Video

NAMES = ("left", "right", "up", "down", "on", "off")


def items(count):
    return [Item(f"{number}.mp4", Video(f"/videos/{number}.mp4")) for number in range(count)]


def good(name, **more):
    scores = np.array([0.1, 0.4, 0.05, 0.2, 0.25, 0.0])
    return {"path": name, "start": None, "end": 2.0, **best(scores, NAMES, ""), **more}


def bad(name):
    return {"path": name, "start": None, "end": None, "problem": "no video"}


@pytest.mark.parametrize(
    ("total", "wanted", "count", "sizes"),
    [
        (5, 2, 2, {2, 3}),
        (5, 9, 5, {1}),
        (100, None, 7, {14, 15}),
        (240_000, None, 1000, {240}),
        (5_000_000, None, 4883, {1023, 1024}),
    ],
)
def test_parts_are_all_videos_in_order(total, wanted, count, sizes):
    listed = [None] * total if total > 1000 else items(total)
    parts = parts_of(listed, wanted)
    assert len(parts) == count
    assert {len(part.items) for part in parts} == sizes
    assert [part.number for part in parts] == list(range(count))
    if total <= 1000:
        assert [item for part in parts for item in part.items] == listed


def test_no_part_is_refused():
    with pytest.raises(ValueError, match="shards=0"):
        parts_of(items(2), 0)


@pytest.fixture
def folder(tmp_path):
    return ArchiveFolder(tmp_path / "out", {"model": "m"}, 2, ArchiveOptions())


def test_rows_come_back(folder):
    folder.write(1, [good("a.mp4"), bad("b.mp4"), good("c.mp4")])
    table = parquet.read_table(folder.folder / "videos")
    assert table.column_names == ["path", "start", "end", "label", "score", "labels", "scores"]
    first, second = table.to_pylist()
    assert (first["path"], second["path"]) == ("a.mp4", "c.mp4")
    assert (first["label"], first["start"], first["end"]) == ("right", None, 2.0)
    assert first["labels"] == ["right", "on", "down", "left", "up"]
    np.testing.assert_allclose(first["scores"], [0.4, 0.25, 0.2, 0.1, 0.05])
    [broken] = parquet.read_table(folder.folder / "bad").to_pylist()
    assert broken == {"path": "b.mp4", "start": None, "end": None, "problem": "no video"}
    assert (folder.count(VIDEOS, range(2)), folder.count(BAD, range(2))) == (2, 1)
    assert [folder.done(number) for number in range(2)] == [False, True]


def test_columns_are_those_that_are_wanted_also_without_rows(tmp_path):
    options = ArchiveOptions(features=True, per_stream=True)
    folder = ArchiveFolder(tmp_path, {}, 2, options)
    streams = best(np.eye(6)[2], NAMES, "spatial_") | best(np.eye(6)[3], NAMES, "temporal_")
    folder.write(0, [good("a.mp4", features=np.arange(3.0), **streams)])
    folder.write(1, [bad("b.mp4")])
    [row] = parquet.read_table(tmp_path / "videos").to_pylist()
    assert (row["spatial_label"], row["temporal_label"]) == ("up", "down")
    assert row["features"] == [0.0, 1.0, 2.0]
    assert parquet.read_table(folder.file(VIDEOS, 1)).num_rows == 0


def test_a_part_that_is_done_again_leaves_no_bad_rows(folder):
    folder.write(0, [bad("a.mp4"), good("b.mp4")])
    assert folder.done(0)
    assert not folder.done(0, again=True)
    folder.write(0, [good("a.mp4"), good("b.mp4")])
    assert folder.done(0, again=True)
    assert (folder.count(VIDEOS, [0]), folder.count(BAD, [0])) == (2, 0)


@pytest.mark.parametrize("before", ["nothing", "a try with bad videos"])
@pytest.mark.parametrize("dies_at", ["bad", "videos"])
def test_a_write_that_ends_early_leaves_the_part_to_be_done(folder, monkeypatch, before, dies_at):
    rows = [bad("a.mp4"), good("b.mp4")]
    if before != "nothing":
        folder.write(0, rows)
    honest = atomic_write.os.replace

    def replace(source, target):
        if target.parent.name == dies_at:
            raise OSError(28, "No space left on device", str(target))
        honest(source, target)

    monkeypatch.setattr(atomic_write.os, "replace", replace)
    with pytest.raises(OSError, match="No space"):
        folder.write(0, rows)
    monkeypatch.undo()
    assert not folder.done(0)
    assert not list(folder.folder.rglob(".saving*"))
    folder.write(0, rows)
    assert (folder.count(VIDEOS, [0]), folder.count(BAD, [0])) == (1, 1)


def test_another_archive_is_refused(folder, tmp_path):
    out = tmp_path / "out"
    ArchiveFolder(out, {"model": "m"}, 2, ArchiveOptions())  # goes on
    with pytest.raises(ValueError, match=r"something else: model was 'm' and is 'n'\. Rep"):
        ArchiveFolder(out, {"model": "n"}, 2, ArchiveOptions())
    with pytest.raises(ValueError, match="parts was 2 and is 3"):
        ArchiveFolder(out, {"model": "m"}, 3, ArchiveOptions())
    assert json.loads((out / "archive.json").read_text()) == {"model": "m", "parts": 2}
    for text in ("[1]", "{"):
        (out / "archive.json").write_text(text)
        with pytest.raises(ValueError, match=r"archive\.json cannot be read"):
            ArchiveFolder(out, {"model": "m"}, 2, ArchiveOptions())


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "videos").mkdir()
    with pytest.raises(ValueError, match="is not an archive's"):
        ArchiveFolder(tmp_path, {}, 1, ArchiveOptions())
    assert not (tmp_path / "archive.json").exists()
