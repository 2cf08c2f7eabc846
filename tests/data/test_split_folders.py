import warnings

import pytest

from keras_acl.data.sources import read_directory, read_splits
from keras_acl.data.split_folders import find_splits


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize("train", ["train", "Training"])
@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_a_split_folder_is_known_by_its_names(tmp_path, train, validation):
    touch(tmp_path, f"{train}/run/1.mp4", f"{train}/sit/2.mp4", f"{validation}/run/3.mp4")
    touch(tmp_path, "lists/a.txt", ".git/x")
    found = {"train": tmp_path / train, "validation": tmp_path / validation}
    assert find_splits(tmp_path) == found
    touch(tmp_path, "test/sit/4.mp4")
    assert find_splits(tmp_path) == {**found, "test": tmp_path / "test"}


@pytest.mark.parametrize(
    "files",
    [
        ["train/1.mp4", "bus/2.mp4"],  # vehicles
        ["train/steam/1.mp4", "bus/city/2.mp4"],
        ["train/steam/1.mp4", "test/bench/2.mp4"],
        ["train/run/1.mp4"],
        ["val/run/1.mp4", "test/run/1.mp4"],
    ],
)
def test_other_folders_are_not_split(tmp_path, files):
    touch(tmp_path, *files)
    assert find_splits(tmp_path) == {}
    with pytest.raises(ValueError, match=f"Expected folders train and val .*{files[0][:3]}"):
        read_splits(tmp_path)


def test_read_splits_reads_each_side_in_one_class_order(tmp_path):
    touch(tmp_path, "train/run/1.mp4", "train/sit/2.mp4", "val/sit/3.mp4", "testing/run/4.mp4")
    train, validation, test = read_splits(tmp_path)
    assert train.counts == {"run": 1, "sit": 1}
    assert validation.counts == {"run": 0, "sit": 1}
    assert test.counts == {"run": 1, "sit": 0}
    swapped = read_splits(tmp_path, ["sit", "run"])
    assert swapped.validation.labels == ("sit", "run")
    assert swapped.validation[0].label == 0


def test_a_missing_side_is_none_and_an_unknown_class_is_an_error(tmp_path):
    touch(tmp_path, "train/run/1.mp4", "train/sit/2.mp4", "test/sit/3.mp4")
    assert read_splits(tmp_path).validation is None
    touch(tmp_path, "test/fly/4.mp4")
    with pytest.raises(ValueError, match="fly is not among the 2 labels"):
        read_splits(tmp_path)


def test_two_folders_for_one_side_are_an_error(tmp_path):
    touch(tmp_path, "train/run/1.mp4", "val/run/2.mp4", "valid/run/3.mp4")
    with pytest.raises(ValueError, match="two folders for validation: val and valid"):
        find_splits(tmp_path)


def test_a_side_without_class_folders_is_left_out_and_named(tmp_path):
    touch(tmp_path, "train/run/1.mp4", "val/run/2.mp4", "test/3.mp4")
    with pytest.warns(UserWarning, match=r"test has no class folder of .*train inside"):
        found = find_splits(tmp_path)
    assert set(found) == {"train", "validation"}


def test_class_names_that_are_sides_are_a_warning(tmp_path):
    touch(tmp_path, "train/run/1.mp4", "val/run/2.mp4")
    with pytest.warns(UserWarning, match=r"'train' and 'val' in .* look like the sides"):
        assert read_directory(tmp_path).labels == ("train", "val")
    touch(tmp_path / "vehicles", "train/1.mp4", "bus/2.mp4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_directory(tmp_path / "vehicles").labels == ("bus", "train")
