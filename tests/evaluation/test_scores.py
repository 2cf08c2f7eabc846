import dataclasses
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_scores import certain, hand_made

from keras_acl.evaluation.scores import Protocol, Scores, merge


def assert_same(ours: Scores, theirs: Scores) -> None:
    assert set(ours.streams) == set(theirs.streams)
    for name, alone in ours.streams.items():
        np.testing.assert_array_equal(alone, theirs.streams[name])
    for field in dataclasses.fields(Scores):
        if field.name == "streams":
            continue
        mine, other = getattr(ours, field.name), getattr(theirs, field.name)
        if isinstance(mine, np.ndarray):
            assert mine.dtype == other.dtype
            np.testing.assert_array_equal(mine, other)
        else:
            assert mine == other


@pytest.fixture
def scores() -> Scores:
    """A done video, a failed one, one of unknown class and a pending one."""
    made = hand_made(
        [[0.1, 0.2, 0.7], None, [1, 0, 0], None],
        [2, 0, -1, 1],
        [None, "it breaks off after 1.00 s, far from its stated end", None, None],
        labels=("laufen", "sitzen, ruhig", "手を振る"),
        paths=["a b.mp4", "Größe/ü 'x'.avi", "動画/1.mkv", "odd \udcff.mp4"],
    )
    return dataclasses.replace(made, protocol=Protocol(4, 1, 64, True), dataset="Eigene «Daten»")


def test_a_file_holds_all_there_is(scores, tmp_path):
    scores.save(tmp_path / "new" / "scores.npz")
    assert_same(Scores.load(tmp_path / "new" / "scores.npz"), scores)
    assert_same(Scores.load(str(tmp_path / "new")), scores)  # the folder of a run


def with_streams(scores: Scores, known=(True, False, True, False)) -> Scores:
    """Streams of which the spatial one is sure of the first class, the temporal of the last."""
    rows = np.where(np.array(known)[:, None, None], np.eye(3, dtype=np.float32), np.nan)
    return dataclasses.replace(scores, streams={"spatial": rows[:, 0], "temporal": rows[:, 2]})


def test_the_scores_of_each_stream_are_kept(scores, tmp_path):
    both = with_streams(scores)
    both.save(tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz") as arrays:
        assert arrays["spatial_scores"].dtype == np.float32
        assert arrays["temporal_scores"].shape == (4, 3)
    loaded = Scores.load(tmp_path)
    assert_same(loaded, both)
    alone = loaded.alone("temporal")
    assert alone.probabilities[[0, 2]].tolist() == [[0, 0, 1]] * 2
    assert (alone.done == scores.done).all()
    with pytest.raises(ValueError, match="one stream have none"):
        scores.alone("spatial")
    with pytest.raises(ValueError, match=r"by each stream\. Received: .*\(3, 3\)"):
        dataclasses.replace(scores, streams={"spatial": np.zeros((3, 3))})


def test_streams_that_are_not_known_are_not_written(scores, tmp_path):
    with_streams(scores, [False] * 4).save(tmp_path / "scores.npz")
    assert Scores.load(tmp_path).streams == {}


def test_parts_are_merged_with_what_is_known_of_their_streams(scores):
    old = dataclasses.replace(scores, probabilities=np.roll(scores.probabilities, 1, axis=0))
    old = dataclasses.replace(old, problems=(None,) * 4)  # videos 1 and 3, without streams
    new = with_streams(dataclasses.replace(scores, problems=(None,) * 4))
    for parts in ((old, new), (new, old)):
        whole = merge(parts)
        assert whole.done.all()
        assert whole.alone("spatial").done.tolist() == [True, False, True, False]
        np.testing.assert_array_equal(whole.streams["temporal"], new.streams["temporal"])
    assert not any(np.isnan(scores).all() for scores in new.streams.values())


def test_a_rate_of_pictures_is_kept_and_files_of_before_have_none(scores):
    parts = np.array([[1, 2, 10], *[[np.nan] * 3] * 3])
    video = dataclasses.replace(scores, parts=parts).video(0)
    assert (video.start, video.end, video.fps) == (1.0, 2.0, 10.0)
    before = dataclasses.replace(scores, parts=parts[:, :2])
    assert before.parts.shape == (4, 3)
    assert before.video(0).fps is None


def test_the_file_is_as_documented_and_holds_no_pickle(scores, tmp_path):
    scores.save(tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as arrays:
        content = dict(arrays)
    assert {name: (array.dtype.kind, array.shape) for name, array in content.items()} == {
        "path": ("U", (4,)),
        "part": ("f", (4, 3)),
        "label": ("i", (4,)),
        "problem": ("U", (4,)),
        "scores": ("f", (4, 3)),
        "classes": ("U", (3,)),
        "about": ("U", ()),
    }
    assert content["label"].dtype == np.int32
    assert content["scores"].dtype == np.float32
    assert content["problem"].tolist()[2:] == ["", ""]
    about = json.loads(str(content["about"]))
    assert about["protocol"]["fully_convolutional"] is True
    assert about["model"] == "tiny"


def test_any_file_name_will_do(scores, tmp_path):
    scores.save(tmp_path / "mine")
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]
    assert_same(Scores.load(tmp_path / "mine"), scores)


def test_an_evaluation_of_nothing_can_be_kept(tmp_path):
    empty = hand_made([], [])
    empty.save(tmp_path / "scores.npz")
    assert_same(Scores.load(tmp_path / "scores.npz"), empty)
    assert empty.complete


def test_done_failed_and_pending_videos(scores):
    assert scores.done.tolist() == [True, False, True, False]
    assert scores.failed.tolist() == [False, True, False, False]
    assert not scores.complete
    rest = dataclasses.replace(scores, problems=("", "x", None, "y"))
    assert rest.complete


def test_no_file_is_told_from_a_broken_one(scores, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no scores at .*`keras-acl evaluate` writes"):
        Scores.load(tmp_path)
    file = tmp_path / "scores.npz"
    scores.save(file)
    whole = file.read_bytes()
    for content in (b"", b"no zip", whole[: len(whole) // 2], whole[:-30], whole[40:]):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"scores\.npz holds no scores of an evaluation: "):
            Scores.load(file)


def test_a_file_that_vanishes_while_it_is_opened_is_missing_not_broken(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.is_file", lambda file: True)
    with pytest.raises(FileNotFoundError):
        Scores.load(tmp_path / "scores.npz")


def changed(file, **changes) -> None:
    """Write the file again with other arrays; `None` leaves one out."""
    with np.load(file) as arrays:
        content = {**arrays, **changes}
    np.savez(file, **{name: array for name, array in content.items() if array is not None})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"about": None}, "about"),
        ({"about": np.array("no JSON")}, "Expecting value"),
        ({"about": np.array("{}")}, "format"),
        ({"scores": None}, "scores"),
        ({"scores": np.zeros((2, 3), np.float32)}, "of 4 videos and 3 classes"),
        ({"scores": np.zeros(4, np.float32)}, "of 4 videos and 3 classes"),
        ({"problem": np.array(["", ""])}, "of 4 videos and 3 classes"),
        ({"label": np.array([0, 1, 2, 3])}, "-1 to 2. Received: 0 to 3"),
        ({"label": np.array([0, 1, 2, -2])}, "-1 to 2. Received: -2 to 2"),
        ({"path": np.array([{}, 1, 2, 3], object)}, "pickle"),
    ],
)
def test_another_npz_is_refused(scores, tmp_path, changes, reason):
    file = tmp_path / "scores.npz"
    scores.save(file)
    changed(file, **changes)
    with pytest.raises(ValueError, match=rf"holds no scores of an evaluation: .*{reason}"):
        Scores.load(file)


def test_a_file_of_a_later_format_is_refused(scores, tmp_path):
    file = tmp_path / "scores.npz"
    scores.save(file)
    with np.load(file) as arrays:
        about = {**json.loads(str(arrays["about"])), "format": 2}
    changed(file, about=np.array(json.dumps(about)))
    with pytest.raises(ValueError, match=r"expected format 1\. Received: 2"):
        Scores.load(file)


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ValueError, match=r"model\.keras holds no scores of an evaluation"):
        Scores.load(tmp_path / "model.keras")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
def test_interrupted_writing_leaves_the_old_file(scores, tmp_path, monkeypatch, kind):
    file = tmp_path / "scores.npz"
    scores.save(file)

    def broken(beside, **arrays):
        raise kind("no space left")

    monkeypatch.setattr(np, "savez_compressed", broken)
    with pytest.raises(kind):
        hand_made([], []).save(file)
    assert_same(Scores.load(file), scores)
    assert [left.name for left in tmp_path.iterdir()] == ["scores.npz"]


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        (Protocol(10, 3, 256), "10 clips x 3 crops of 256, softmax averaged over 30 views"),
        (Protocol(1, 1, 64), "1 clip x 1 crop of 64, softmax averaged over 1 view"),
        (
            Protocol(1, 3, 256, True),
            "1 clip x 3 crops of 256, softmax averaged over 3 views and positions",
        ),
    ],
)
def test_protocols_read_as_sentences(protocol, text):
    assert str(protocol) == text


def test_numbers_of_videos_and_classes_must_fit(scores):
    with pytest.raises(ValueError, match="problems of 4 videos and 3 classes"):
        dataclasses.replace(scores, truth=np.zeros(3, np.int32))
    with pytest.raises(ValueError, match="4 videos and 2 classes"):
        dataclasses.replace(scores, labels=("a", "b"))


WHOLE = hand_made(
    [*certain([0, 1, 2, 2]), None, None, [0.2, 0.5, 0.3]],
    [0, 1, 2, 0, 1, 2, -1],
    [None, None, None, None, "broken", "not on disk", None],
)


def part(videos: set[int]) -> Scores:
    """What a process knows that did only these videos."""
    kept = np.isin(np.arange(7), list(videos))
    return dataclasses.replace(
        WHOLE,
        probabilities=np.where(kept[:, None], WHOLE.probabilities, np.float32(np.nan)),
        problems=tuple(
            problem if keep else None for problem, keep in zip(WHOLE.problems, kept, strict=True)
        ),
    )


@given(st.lists(st.integers(0, 4), min_size=7, max_size=7), st.permutations(range(5)))
def test_parts_make_the_whole_whatever_the_split(process_of, order):
    parts = [part({v for v in range(7) if process_of[v] == process}) for process in order]
    assert_same(merge(parts), WHOLE)
    assert_same(merge([merge(parts[:2]), *parts[1:]]), WHOLE)  # what is there twice does no harm


def test_merging_leaves_the_parts_alone():
    parts = [part({0, 4}), part({1, 5})]
    merge(parts)
    assert_same(parts[0], part({0, 4}))


def test_a_video_that_any_process_could_read_is_done():
    failed = dataclasses.replace(part(set()), problems=("disk not mounted", *[None] * 6))
    for parts in ([failed, WHOLE], [WHOLE, failed]):
        merged = merge(parts)
        assert_same(merged, WHOLE)
        assert not (merged.done & merged.failed).any()


def test_other_evaluations_do_not_merge():
    with pytest.raises(ValueError, match="no scores to merge"):
        merge([])
    message = r"Only parts of one evaluation.*tiny on hand made \(7 videos, 10 clips x 3 crops"
    for other in (
        dataclasses.replace(WHOLE, fingerprint="other weights"),
        dataclasses.replace(WHOLE, paths=WHOLE.paths[::-1]),
        dataclasses.replace(WHOLE, labels=WHOLE.labels[::-1]),
        dataclasses.replace(WHOLE, truth=WHOLE.truth[::-1]),
        dataclasses.replace(WHOLE, protocol=Protocol(1, 1, 256)),
        hand_made(certain([0]), [0]),
    ):
        with pytest.raises(ValueError, match=message):
            merge([WHOLE, other])


def test_scores_show_what_they_are_and_not_every_number():
    scores = dataclasses.replace(WHOLE, dataset="<moves>")
    assert "<moves>" in repr(scores)
    assert len(repr(scores)) < 200
    shown = scores._repr_html_()
    assert "&lt;moves&gt;" in shown
    assert str(scores.protocol) in shown
