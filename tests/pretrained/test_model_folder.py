import os

import pytest
from saved import make_two_stream

from keras_acl.pretrained.load import load_pretrained
from keras_acl.pretrained.save import save_pretrained

FILES = ["README.md", "config.json", "metadata.json", "model.weights.h5"]


def test_a_save_killed_while_its_files_move_in_is_finished_by_the_reader(folder, monkeypatch):
    (folder / "golden.npz").write_bytes(b"something of the user")
    other = make_two_stream(num_classes=4, labels=None)
    moved = []

    def killed_at_the_third(source, target):
        moved.append(target.name)
        if len(moved) == 3:
            raise KeyboardInterrupt
        source.rename(target)

    with monkeypatch.context() as patched:
        patched.setattr("keras_acl.pretrained.model_folder.os.replace", killed_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            save_pretrained(other, folder)
    assert (folder / ".saved").is_dir()
    assert load_pretrained(folder).num_classes == 4
    assert sorted(file.name for file in folder.iterdir()) == [*FILES[:2], "golden.npz", *FILES[2:]]


def test_what_a_killed_process_left_beside_is_removed_after_a_day(model, tmp_path):
    for name in (".saving-tiny-1-old", ".saving-tiny-2-now", "saving-tiny"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.weights.h5").write_text("half")
    os.utime(tmp_path / ".saving-tiny-1-old", (0, 0))
    save_pretrained(model, tmp_path / "tiny")
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left == [".saving-tiny-2-now", "saving-tiny", "tiny"]  # of another process, the user's


def test_other_files_are_not_overwritten(model, tmp_path):
    (tmp_path / "README.md").write_text("of my project")
    with pytest.raises(ValueError, match="holds other files, and no earlier save"):
        save_pretrained(model, tmp_path)
    with pytest.raises(ValueError, match=r"is a file\. Expected a folder"):
        save_pretrained(model, tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text() == "of my project"
