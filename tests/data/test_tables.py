import pytest

from keras_acl.data.tables import class_index, read_table

CLASSES = {"run": 0, "sit": 1, "7": 2}


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


def test_a_cell_without_end_is_one_clear_error(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text('path,label\n"a.mp4,run\n' + "b.mp4,run\n" * 15000)
    with pytest.raises(
        ValueError, match=r"t.csv, line .* more than 131,072 .* quotation mark"
    ) as e:
        read_table(file, ["path"])
    assert len(str(e.value)) < 300
    file.write_text("path,label\na.mp4,run," + "x" * 100_000)
    with pytest.raises(ValueError, match="Received 3") as e:
        read_table(file, ["path"])
    assert len(str(e.value)) < 300


def test_only_paths_may_be_other_bytes_than_utf8(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes(b"path,label\ncaf\xe9.mp4,run\n")
    assert read_table(file, ["path"])[0].cells["path"] == "caf\udce9.mp4"
    file.write_bytes(b"path,label\na.mp4,caf\xe9\n")
    with pytest.raises(ValueError, match=r"t.csv, line 2: label is not UTF-8 text"):
        read_table(file, ["path"])


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
