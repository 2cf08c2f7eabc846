import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from gray_videos import CLIP, LABELS, numbers_of, spoil, write_gray_videos

from keras_acl.data.augmentation import Augmentation
from keras_acl.data.bad_videos import BadVideosError, BadVideoWarning
from keras_acl.data.stream import LoadingOptions
from keras_acl.data.video_dataset import VideoDataset
from keras_acl.data.video_list import VideoList
from keras_acl.video.video import Video

TWO_THREADS = LoadingOptions(threads=2)


class Recorded(VideoDataset):
    """Notes which batches were handed out while a pass was running."""

    def __getitem__(self, index):
        cursor = self._cursor
        place = (cursor.epoch, cursor._taken) if cursor._running else None
        batch = super().__getitem__(index)
        if place is not None:
            self.handed_out.append((place, batch[0]))
        return batch


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> VideoList:
    """Ten videos: 0 to 4 are calm, 5 to 9 wild."""
    return write_gray_videos(tmp_path_factory.mktemp("gray") / "videos")


@pytest.fixture
def own_videos(tmp_path) -> VideoList:
    """The same, to be spoilt."""
    return write_gray_videos(tmp_path / "videos")


def dataset(videos, batch_size=3, cls=VideoDataset, loading=TWO_THREADS, **arguments):
    result = cls(videos, CLIP, batch_size, loading=loading, **arguments)
    if cls is Recorded:
        result.handed_out = []
    return result


def small_model(steps_per_execution=1):
    model = keras.Sequential(
        [
            keras.layers.Rescaling(1 / 255),
            keras.layers.GlobalAveragePooling3D(),
            keras.layers.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, steps_per_execution=steps_per_execution)
    return model


def passes(videos, epochs, **arguments):
    """What an undisturbed dataset gives, epoch by epoch."""
    reference = dataset(videos, **arguments)
    return [[batch[0] for batch in reference] for _ in range(epochs)]


def openings(data, monkeypatch) -> list[int]:
    """The places at which the dataset began to read ahead; grows."""
    opened = []
    open_stream = data._stream._open
    monkeypatch.setattr(data._stream, "_open", lambda at: opened.append(at) or open_stream(at))
    return opened


def assert_same(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        np.testing.assert_array_equal(batch, other)


def test_batches_are_uint8_clips_and_int32_classes(videos):
    batches = list(dataset(videos))
    assert [clips.shape for clips, _ in batches] == [(3, 2, 16, 16, 3)] * 3 + [(1, 2, 16, 16, 3)]
    for clips, labels in batches:
        assert clips.dtype == np.uint8
        assert labels.dtype == np.int32
        assert [number // 5 for number in numbers_of(clips)] == labels.tolist()
    seen = [number for clips, _ in batches for number in numbers_of(clips)]
    assert sorted(seen) == list(range(10))
    assert seen != list(range(10))


def test_what_it_knows(videos):
    data = dataset(videos)
    assert len(data) == 4
    assert data.labels == LABELS
    assert data.clip is CLIP
    assert data.batch_size == 3
    assert data.videos is videos
    assert data.bad_files == {}


def test_every_epoch_has_another_order_and_other_clips(videos):
    first, second = (np.concatenate(batches) for batches in passes(videos, 2))
    assert numbers_of(first) != numbers_of(second)
    assert sorted(numbers_of(first)) == sorted(numbers_of(second))


def test_evaluation_is_the_same_every_time_and_in_order(videos):
    data = dataset(videos, training=False)
    first, second = ([clips for clips, _ in data] for _ in range(2))
    assert_same(first, second)
    assert numbers_of(np.concatenate(first)) == list(range(10))


def test_the_seed_decides(videos):
    assert_same(passes(videos, 2, seed=4)[1], passes(videos, 2, seed=4)[1])
    assert numbers_of(np.concatenate(passes(videos, 1, seed=4)[0])) != numbers_of(
        np.concatenate(passes(videos, 1, seed=5)[0])
    )


def test_the_number_of_threads_changes_nothing(videos):
    one_thread = LoadingOptions(threads=1)
    assert_same(passes(videos, 1, loading=one_thread)[0], passes(videos, 1)[0])


def test_set_epoch_resumes_with_identical_batches(videos):
    reference = passes(videos, 4)
    resumed = dataset(videos)
    resumed.set_epoch(2)
    for epoch in (2, 3):
        assert resumed.epoch == epoch
        assert_same([clips for clips, _ in resumed], reference[epoch])


def test_setting_the_epoch_it_has_already_costs_nothing(videos, monkeypatch):
    data = dataset(videos)
    opened = openings(data, monkeypatch)
    for epoch in range(3):
        data.set_epoch(epoch)
        assert len(list(data)) == 4
    assert opened == [0]


def test_a_batch_can_be_asked_for_by_hand(videos):
    reference = passes(videos, 2)
    data = dataset(videos)
    for index in (0, 3, 1, 0, 2):
        np.testing.assert_array_equal(data[index][0], reference[0][index])
    assert_same([clips for clips, _ in data], reference[0])  # and a pass still begins at its start
    np.testing.assert_array_equal(data[3][0], reference[1][3])
    for index in (-1, 4):
        with pytest.raises(IndexError, match=f"There are 4 batches. Received: index={index}"):
            data[index]


def test_a_glance_decodes_nothing_twice(videos, monkeypatch):
    data = dataset(videos)
    monkeypatch.setattr(data._stream, "pick", None)
    opened = openings(data, monkeypatch)
    data[0], data[1]  # as Keras does on TensorFlow
    data.on_epoch_begin()
    data[0]  # as Keras does on JAX and torch
    data.on_epoch_end()
    assert len(list(data)) == 4
    assert opened == [0]


@pytest.mark.backends
@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_fit_consumes_whole_passes_in_order(videos, steps_per_execution, monkeypatch):
    if steps_per_execution == 2 and keras.backend.backend() == "torch":
        pytest.skip("Keras: steps_per_execution must be 1 with the PyTorch backend")
    train = dataset(videos, cls=Recorded, seed=3)
    validation = dataset(videos, 4, cls=Recorded, training=False)
    opened = [openings(data, monkeypatch) for data in (train, validation)]
    small_model(steps_per_execution).fit(train, epochs=3, validation_data=validation, verbose=0)
    assert opened == [[0], [0]]
    expected = {
        (epoch, place): clips
        for epoch, batches in enumerate(passes(videos, 3, seed=3))
        for place, clips in enumerate(batches)
    }
    handed_out = train.handed_out
    if handed_out[0][0] == handed_out[1][0] == (0, 0):  # JAX and torch look at one batch first
        del handed_out[0]
    assert [place for place, _ in handed_out] == list(expected)
    assert_same([clips for _, clips in handed_out], list(expected.values()))
    assert [place for (_, place), _ in validation.handed_out] == [0, 1, 2] * 3
    (every_time,) = passes(videos, 1, batch_size=4, training=False)
    assert_same([clips for _, clips in validation.handed_out], every_time * 3)


@pytest.mark.backends
def test_a_resumed_fit_ends_with_the_same_weights(videos):
    def weights(*epochs):
        keras.utils.set_random_seed(0)
        model = small_model()
        model.build((None, 2, 16, 16, 3))
        for first, last in epochs:
            train = dataset(videos)  # a new process would make a new one
            train.set_epoch(first)
            model.fit(train, epochs=last, initial_epoch=first, verbose=0)
        return model.get_weights()

    for whole, resumed in zip(weights((0, 4)), weights((0, 2), (2, 4)), strict=True):
        np.testing.assert_array_equal(whole, resumed)


@pytest.mark.backends
def test_evaluate_and_predict_see_every_video_once(videos):
    model = small_model()
    data = dataset(videos, training=False)
    clips = np.concatenate([clips for clips, _ in data])
    expected = model.predict(clips, verbose=0)
    for _ in range(2):
        np.testing.assert_allclose(model.predict(data, verbose=0), expected, atol=1e-5)
    labels = np.array([video.label for video in videos])
    loss = model.evaluate(clips, labels, batch_size=10, verbose=0)
    for _ in range(2):
        assert model.evaluate(data, verbose=0) == pytest.approx(loss, abs=1e-5)


@pytest.mark.backends
def test_videos_without_labels_can_be_predicted(videos):
    data = dataset([Video(video.path) for video in videos], training=False)
    assert data.labels == ()
    assert [len(batch) for batch in data] == [1, 1, 1, 1]
    assert small_model().predict(data, verbose=0).shape == (10, 2)


@pytest.mark.backends
def test_mixup_gives_class_probabilities(videos):
    def batches():
        return list(dataset(videos, augmentation=Augmentation(mixup=0.8)))

    plain = dataset(videos)
    levels = 20 + 20 * np.arange(10)
    for (clips, classes), (again, _), (unmixed, labels) in zip(
        batches(), batches(), plain, strict=True
    ):
        assert clips.dtype == classes.dtype == np.float32
        np.testing.assert_array_equal(clips, again)
        np.testing.assert_allclose(classes.sum(axis=1), 1, rtol=1e-6)
        if len(set(labels.tolist())) == len(labels) == 2:
            numbers = numbers_of(unmixed)
            blend = classes[:, labels] @ levels[numbers]
            np.testing.assert_allclose(clips.mean(axis=(1, 2, 3, 4)), blend, atol=2)
    model = keras.Sequential([keras.layers.GlobalAveragePooling3D(), keras.layers.Dense(2)])
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    mixed = dataset(videos, augmentation=Augmentation(mixup=0.2))
    assert np.isfinite(model.fit(mixed, verbose=0).history["loss"][0])


def with_several_labels(videos) -> VideoList:
    """Ten videos: of none of the classes, of a, of b, of both, and again."""
    labels = [(), (0,), (1,), (0, 1)]
    listed = [Video(video.path, labels[i % 4]) for i, video in enumerate(videos)]
    return VideoList(listed, ["a", "b"])


@pytest.mark.backends
def test_several_labels_are_a_one_for_each_class_of_the_clip(videos):
    several = with_several_labels(videos)
    data = dataset(several, 4, training=False)
    assert data.multi_label
    assert not dataset(videos).multi_label
    targets = [batch[1] for batch in data]
    assert targets[0].dtype == np.float32
    np.testing.assert_array_equal(targets[0], [[0, 0], [1, 0], [0, 1], [1, 1]])
    np.testing.assert_array_equal(np.concatenate(targets), np.tile(targets[0], (3, 1))[:10])


@pytest.mark.backends
def test_mixup_blends_several_labels_as_it_blends_clips(videos):
    several = with_several_labels(videos)
    mixed = dataset(several, 10, augmentation=Augmentation(mixup=0.8))
    for (clips, targets), (unmixed, labels) in zip(mixed, dataset(several, 10), strict=True):
        levels = unmixed.mean(axis=(1, 2, 3, 4))
        for clip, target, level, label in zip(clips, targets, levels, labels, strict=True):
            # clip = w · own + (1 - w) · other, and its target likewise
            blends = [
                (clip.mean() - other) / (level - other) if level != other else 1.0
                for other in levels
            ]
            expected = [
                w * label + (1 - w) * other for w, other in zip(blends, labels, strict=True)
            ]
            assert min(np.abs(target - found).max() for found in expected) < 0.05


def test_several_labels_need_class_names(videos):
    with pytest.raises(ValueError, match="stand in a VideoList, which knows"):
        dataset(list(with_several_labels(videos)))


@pytest.mark.backends
def test_randaugment_runs_in_the_threads(videos):
    def clips(magnitude):
        augmentation = Augmentation(randaugment=magnitude)
        return [batch[0] for batch in dataset(videos, augmentation=augmentation)]

    assert_same(clips(0.9), clips(0.9))
    changed = np.concatenate(clips(0.9)) != np.concatenate(clips(0.0))
    assert changed.any(axis=(1, 2, 3, 4)).sum() >= 5


def test_bad_files_cost_a_warning_each_and_nothing_else(own_videos, tmp_path):
    paths = spoil(own_videos, 0, 7)
    loading = LoadingOptions(threads=2, bad_files=tmp_path / "bad.txt", max_bad_fraction=0.2)
    data = dataset(own_videos, loading=loading)
    with pytest.warns(BadVideoWarning) as seen:
        epochs = [list(data) for _ in range(3)]
    assert sorted(str(w.message).split(" cannot")[0] for w in seen) == sorted(paths)
    assert sorted(data.bad_files) == sorted(paths)
    lines = (tmp_path / "bad.txt").read_text().splitlines()
    assert sorted(line.split("\t")[0] for line in lines) == sorted(paths)
    for batches in epochs:
        labels = np.concatenate([labels for _, labels in batches])
        assert np.bincount(labels).tolist() == [5, 5]
        for clips, labels in batches:
            assert [number // 5 for number in numbers_of(clips)] == labels.tolist()


def test_processes_give_the_same_batches_as_threads_and_report_bad_files_here(own_videos):
    paths = spoil(own_videos, 3)
    with_processes = dataset(own_videos, loading=LoadingOptions(processes=2))
    batches = []
    for data in (with_processes, dataset(own_videos)):
        with pytest.warns(BadVideoWarning, match=r"3\.mp4 cannot be read") as seen:
            batches.append([clips for clips, _ in data])
        assert len(seen) == 1
        assert list(data.bad_files) == paths
    with_processes.close()
    assert_same(*batches)


@pytest.mark.backends
@pytest.mark.filterwarnings("ignore::keras_acl.data.bad_videos.BadVideoWarning")
def test_too_many_bad_files_stop_fit_with_an_explanation(own_videos):
    spoil(own_videos, 0, 1, 2)
    data = dataset(own_videos)
    with pytest.raises(Exception, match="2 of 10 videos cannot be read, and no more than 1 may"):
        small_model().fit(data, epochs=2, verbose=0)
    assert isinstance(data.error, BadVideosError)


@pytest.mark.filterwarnings("ignore::keras_acl.data.bad_videos.BadVideoWarning")
def test_a_class_that_cannot_be_read_is_named(own_videos):
    spoil(own_videos, 5, 6, 7, 8, 9)
    data = dataset(own_videos, loading=LoadingOptions(max_bad_fraction=1.0))
    with pytest.raises(BadVideosError, match="No video of class wild can be read: "):
        list(data)


def test_shards_share_the_videos(videos):
    shards = [
        dataset(videos, loading=LoadingOptions(threads=1, shard=(host, 3)), training=training)
        for training in (True, False)
        for host in range(3)
    ]
    for group in (shards[:3], shards[3:]):
        read = [numbers_of(np.concatenate([clips for clips, _ in shard])) for shard in group]
        assert [len(numbers) for numbers in read] == [3, 3, 3]
        assert len(set().union(*read)) == 9


def test_the_last_batch_can_be_left_out(videos):
    data = dataset(videos, loading=LoadingOptions(threads=2, drop_remainder=True))
    seen = set()
    for _ in range(3):
        batches = [clips for clips, _ in data]
        assert [len(clips) for clips in batches] == [3, 3, 3]
        seen |= set(numbers_of(np.concatenate(batches)))
    assert len(data) == 3
    assert seen == set(range(10))  # not always the same one is left out


def test_closing_ends_the_threads(videos):
    before = set(threading.enumerate())
    data = dataset(videos)
    list(data)
    assert set(threading.enumerate()) - before
    data.close()
    until = time.monotonic() + 5
    while set(threading.enumerate()) - before:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert len(list(data)) == 4


def press_until_it_ends(process) -> tuple[int, str]:
    """Press Ctrl-C, which reaches the workers, too; how often, and what the process says.

    Once in a long while the first one meets Python between two instructions of a `Condition`, whose
    lock then stays taken. The second one ends the process.
    """
    os.killpg(process.pid, signal.SIGINT)
    try:
        return 1, process.communicate(timeout=30)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
        return 2, process.communicate(timeout=30)[1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to process groups")
@pytest.mark.parametrize("processes", [0, 1])
def test_an_interrupt_in_the_middle_of_an_epoch_ends_the_process(tmp_path, processes):
    write_gray_videos(tmp_path / "videos")
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import keras_acl
            from keras_acl.data import LoadingOptions, VideoDataset, read_directory

            if __name__ == "__main__":
                videos = read_directory({str(tmp_path / "videos")!r})
                clip = keras_acl.ClipSpec(frames=2, span=4, size=16)
                loading = LoadingOptions(processes={processes})
                data = VideoDataset(videos, clip, 2, loading=loading)
                while True:
                    for batch in data:
                        print("batch", flush=True)
            """
        )
    )
    # Any backend will do, and JAX starts twice as fast as TensorFlow.
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout.readline() == "batch\n"
            presses, errors = press_until_it_ends(process)
        finally:
            process.kill()
    assert process.returncode != 0
    assert errors.count("KeyboardInterrupt") == presses


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="There are no videos to read"):
        dataset(VideoList([], LABELS))


def test_labels_are_all_there_or_not_at_all(videos):
    mixed = [Video("a.mp4"), *videos]
    with pytest.raises(ValueError, match=r"or none\. Received: 1 of 11 without one"):
        dataset(mixed)


def test_mixup_needs_class_names(videos):
    with pytest.raises(ValueError, match=r"in a VideoList\. Received: list"):
        dataset(list(videos), augmentation=Augmentation(mixup=0.2))


def test_randaugment_needs_threads(videos):
    with pytest.raises(ValueError, match=r"use threads\. Received: processes=2, randaugment=0\.5"):
        dataset(
            videos, loading=LoadingOptions(processes=2), augmentation=Augmentation(randaugment=0.5)
        )


@pytest.mark.parametrize(
    ("batch_size", "options", "text"),
    [
        (0, {}, "A batch holds at least one clip. Received: batch_size=0"),
        (11, {"drop_remainder": True}, "Received: 10 videos, batch_size=11, shard=\\(0, 1\\)"),
        (1, {"shard": (0, 11)}, "Received: 10 videos, batch_size=1, shard=\\(0, 11\\)"),
    ],
)
def test_a_pass_has_at_least_one_batch(videos, batch_size, options, text):
    with pytest.raises(ValueError, match=text):
        dataset(videos, batch_size, loading=LoadingOptions(**options))


def test_processes_that_train_together_read_their_parts_of_each_batch(videos, monkeypatch):
    alone = dataset(videos, batch_size=4, loading=LoadingOptions(drop_remainder=True), seed=5)
    expected = [numbers_of(clips) for clips, _ in alone]
    module = "keras_acl.data.video_dataset"
    monkeypatch.setattr(f"{module}.replicas", lambda: 4)
    parts = []
    for index in range(2):
        monkeypatch.setattr(f"{module}.process", lambda index=index: (index, 2))
        shared = dataset(videos, batch_size=4, seed=5)
        assert (shared.batch_size, shared.local_batch_size, len(shared)) == (4, 2, 2)
        parts.append([numbers_of(clips) for clips, _ in shared])
    assert [[*a, *b] for a, b in zip(*parts, strict=True)] == expected
