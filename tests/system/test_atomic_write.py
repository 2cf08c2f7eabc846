import errno
import shutil
from collections import namedtuple

import keras
import pytest

from keras_acl.system.atomic_write import check_room, written_whole

Usage = namedtuple("Usage", "total used free")


def test_a_model_that_has_no_room_is_not_begun(tmp_path, monkeypatch):
    variables = [keras.Variable(keras.ops.ones((1000, 1000)))]  # 4 MB
    file = tmp_path / "new" / "model.keras"
    check_room(file, variables)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(9e6, 4e6, 4.5e6))
    with pytest.raises(OSError, match=r"model\.keras: it takes 5 MB, and the disk has 4 MB left"):
        check_room(file, variables)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(9e6, 3e6, 5.5e6))
    check_room(file, variables)


@pytest.mark.parametrize("named", [False, True], ids=["without a name", "of the file beside"])
def test_an_error_of_writing_names_the_file(named, tmp_path):
    file = tmp_path / "history.csv"
    file.write_text("before")

    def write():
        with written_whole(file) as beside:
            beside.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device", *([str(beside)] * named))

    with pytest.raises(OSError, match="No space left on device") as caught:
        write()
    assert caught.value.filename == str(file)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, written_whole(tmp_path / "a.csv"):
        (tmp_path / "b.csv").read_text()
    assert caught.value.filename == str(tmp_path / "b.csv")
