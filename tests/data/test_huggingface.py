import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from gray_videos import CLIP, LABELS, numbers_of, write_gray_videos

from keras_acl.data.from_files import from_huggingface
from keras_acl.data.huggingface import read_huggingface
from keras_acl.data.video_dataset import VideoDataset


@pytest.fixture(scope="module")
def datasets():
    """The package, which asks no network."""
    before = dict(os.environ)
    os.environ.update(HF_DATASETS_OFFLINE="1", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    import datasets

    yield datasets
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return write_gray_videos(tmp_path_factory.mktemp("gray"))


@pytest.fixture(scope="module")
def dataset(datasets, videos):
    """Ten videos, the even ones as bytes, with a `ClassLabel`."""
    cells = [
        {"bytes": Path(video.path).read_bytes(), "path": f"{number}.mp4"}
        if number % 2 == 0
        else {"bytes": None, "path": video.path}
        for number, video in enumerate(videos)
    ]
    features = datasets.Features(
        video=datasets.Video(decode=False), label=datasets.ClassLabel(names=list(LABELS))
    )
    columns = {"video": cells, "label": [video.label for video in videos]}
    return datasets.Dataset.from_dict(columns, features=features)


def numbers(batches):
    return [number for batch in batches for number in numbers_of(batch[0])]


def test_rows_are_read_in_order_and_in_any_order(dataset, videos):
    test = from_huggingface(dataset, CLIP, 4, training=False)
    assert test.labels == LABELS
    assert numbers(test) == list(range(10))
    assert np.concatenate([labels for _, labels in test]).tolist() == [0] * 5 + [1] * 5
    train = from_huggingface(dataset, CLIP, 4, labels=LABELS[::-1])
    passes = [numbers(train) for _ in range(2)]
    assert passes[0] != passes[1]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(10))
    assert [video.path for video in train.videos[:2]] == ["row 0 (0.mp4)", videos[1].path]
    assert train.videos[0].label == 1


def test_shuffled_and_saved_ones_decoded_or_not(dataset, datasets, tmp_path):
    shuffled = dataset.shuffle(seed=1).cast_column("video", datasets.Video())
    shuffled.save_to_disk(tmp_path / "saved")
    saved = datasets.load_from_disk(tmp_path / "saved")
    found = numbers(from_huggingface(saved, CLIP, training=False))
    assert sorted(found) == list(range(10))
    assert found != list(range(10))
    assert numbers(from_huggingface(shuffled, CLIP, training=False)) == found


def test_videos_go_to_other_processes(dataset):
    here = read_huggingface(dataset)
    listed = pickle.loads(pickle.dumps(here))
    assert listed == here
    assert len(set(listed)) == 10
    assert numbers(VideoDataset(listed[4:6], CLIP, training=False)) == [4, 5]


def test_labels_may_be_text_numbers_or_none(dataset, datasets):
    plain = dataset.rename_columns({"label": "kind", "video": "clip"})
    plain = plain.cast_column("kind", datasets.Value("int64"))
    read = read_huggingface(plain, video="clip", label="kind")
    assert read.labels == ("0", "1")
    assert read_huggingface(plain, LABELS, "clip", "kind").labels == LABELS
    texts = dataset.remove_columns("label").add_column("label", [*"bbbbbaaaaa"])
    read = read_huggingface(texts)
    assert (read.labels, read[0].label) == (("a", "b"), 1)
    read = read_huggingface(dataset, label=None)
    assert [video.label for video in read] == [None] * 10


def test_what_makes_no_sense_is_refused(dataset, datasets):
    with pytest.raises(TypeError, match=r"one split, .*Received: DatasetDict"):
        read_huggingface(datasets.DatasetDict(train=dataset))
    with pytest.raises(TypeError, match="Received: IterableDataset"):
        read_huggingface(dataset.to_iterable_dataset())
    with pytest.raises(ValueError, match="no column clip, but video, label: see `video`"):
        read_huggingface(dataset, video="clip")
    with pytest.raises(ValueError, match="The Dataset has no row"):
        read_huggingface(dataset.select([]))
    with pytest.raises(ValueError, match="column label holds no videos, but int64"):
        read_huggingface(dataset, video="label")
    with pytest.raises(ValueError, match="row 5: unknown class 'wild'"):
        read_huggingface(dataset, ["calm"])
    empty = datasets.Dataset.from_dict(
        {"video": [None], "label": ["a"]},
        features=datasets.Features(
            video=datasets.Video(decode=False), label=datasets.Value("string")
        ),
    )
    with pytest.raises(ValueError, match="Row 0 has neither bytes nor a path"):
        read_huggingface(empty)
