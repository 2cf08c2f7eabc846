import csv

import numpy as np
import pytest
from gray_videos import CLIP, LABELS, numbers_of, spoil, write_gray_videos
from video_files import write_video

from keras_acl.data.bad_videos import BadVideoWarning
from keras_acl.data.from_files import from_csv, from_directory, from_kinetics, from_ucf101
from keras_acl.data.stream import LoadingOptions
from keras_acl.data.video_list import MissingVideosWarning


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """calm/0.mp4 to 4.mp4 and wild/5.mp4 to 9.mp4."""
    folder = tmp_path_factory.mktemp("gray") / "videos"
    write_gray_videos(folder)
    return folder


def numbers(dataset):
    return [number for batch in dataset for number in numbers_of(batch[0])]


def test_a_folder_for_training_and_for_testing(folder):
    train = from_directory(folder, CLIP, batch_size=4)
    assert (train.labels, train.training, len(train)) == (LABELS, True, 3)
    assert sorted(numbers(train)) == list(range(10))
    test = from_directory(folder, CLIP, labels=LABELS[::-1], training=False)
    assert test.labels == ("wild", "calm")
    assert numbers(test) == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]
    assert np.concatenate([labels for _, labels in test]).tolist() == [0] * 5 + [1] * 5


def test_nothing_is_written_where_nothing_was_named(tmp_path, monkeypatch):
    (bad,) = spoil(write_gray_videos(tmp_path / "videos"), 3)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    train = from_directory(tmp_path / "videos", CLIP)
    with pytest.warns(BadVideoWarning, match=r"3\.mp4 cannot be read"):
        list(train)
    assert list(train.bad_files) == [bad]
    assert list((tmp_path / "work").iterdir()) == []


def test_the_two_sides_of_a_validation_split(folder):
    train, validation = (
        from_directory(folder, CLIP, validation_split=0.2, subset=subset, seed=3)
        for subset in ("training", "validation")
    )
    assert (train.training, validation.training) == (True, False)
    assert len(train.videos) == 8
    assert [video.label for video in validation.videos] == [0, 1]
    assert sorted(numbers(train) + numbers(validation)) == list(range(10))


def test_every_keyword_reaches_the_dataset(folder):
    loading = LoadingOptions(threads=1, drop_remainder=True)
    options = {"training": False, "augmentation": None, "seed": 5, "loading": loading}
    data = from_directory(folder, CLIP, 4, labels=None, **options)
    assert (data.training, data.batch_size, len(data)) == (False, 4, 2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'sead'"):
        from_directory(folder, CLIP, sead=5)


@pytest.mark.parametrize(("fraction", "subset"), [(0.2, None), (None, "training"), (0.2, "test")])
def test_a_split_needs_both_arguments(folder, fraction, subset):
    with pytest.raises(ValueError, match=r"Received: validation_split=.*, subset="):
        from_directory(folder, CLIP, validation_split=fraction, subset=subset)


def test_a_table(folder, tmp_path):
    with open(tmp_path / "list.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [("path", "label"), ("wild/7.mp4", "wild"), ("calm/2.mp4", "calm")]
        )
    dataset = from_csv(tmp_path / "list.csv", CLIP, root=folder, training=False)
    assert dataset.labels == LABELS
    assert numbers(dataset) == [7, 2]


def test_ucf101_trains_on_one_side_and_tests_on_the_other(tmp_path):
    splits = tmp_path / "splits"
    splits.mkdir()
    (splits / "classInd.txt").write_text("1 Archery\n2 Biking\n")
    (splits / "trainlist02.txt").write_text("Archery/v_Archery_g02_c01.avi 1\n")
    (splits / "testlist02.txt").write_text("Biking/v_Biking_g01_c01.avi\n")
    for number, name in enumerate(("Archery_g02", "Biking_g01")):
        file = tmp_path / name.split("_")[0] / f"v_{name}_c01.avi"
        file.parent.mkdir()
        write_video(file, np.full((12, 16, 24, 3), 20 + 20 * number, np.uint8))
    train = from_ucf101(tmp_path, splits, CLIP, split=2)
    test = from_ucf101(tmp_path, splits, CLIP, split=2, subset="test")
    assert (train.training, numbers(train)) == (True, [0])
    assert (test.training, numbers(test)) == (False, [1])
    assert train.labels == test.labels == ("Archery", "Biking")


def test_kinetics_reads_what_is_on_disk(tmp_path):
    with open(tmp_path / "train.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("label", "youtube_id", "time_start", "time_end", "split"),
                ("abseiling", "aaaaaaaaaaa", 0, 10, "train"),
                ("archery", "bbbbbbbbbbb", 5, 15, "train"),
            ]
        )
    write_video(tmp_path / "bbbbbbbbbbb_000005_000015.mp4", np.full((12, 16, 24, 3), 40, np.uint8))
    with pytest.warns(MissingVideosWarning, match="1 of 2 videos"):
        dataset = from_kinetics(tmp_path, tmp_path / "train.csv", CLIP)
    assert dataset.labels == ("abseiling", "archery")
    assert numbers(dataset) == [1]
    assert len(dataset.videos.missing) == 1
