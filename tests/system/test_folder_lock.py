import pytest

from keras_acl.system.folder_lock import locked


def test_a_folder_is_one_process_at_a_time(tmp_path):
    folder = tmp_path / "new"
    refused = pytest.raises(RuntimeError, match=r"Another process is training into .*new")
    with locked(folder, "training into"), refused, locked(folder, "training into"):
        pass
    with locked(folder, "training into"):
        pass


def test_works_of_other_names_do_not_mind_each_other(tmp_path):
    with locked(tmp_path, "reading", ".lock-0"), locked(tmp_path, "reading", ".lock-1"):
        assert {file.name for file in tmp_path.iterdir()} == {".lock-0", ".lock-1"}
