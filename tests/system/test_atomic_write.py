import shutil
from collections import namedtuple

import keras
import pytest

from keras_acl.system.atomic_write import check_room

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
