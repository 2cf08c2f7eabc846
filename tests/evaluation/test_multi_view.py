import contextlib
import csv
import dataclasses
import functools
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import tiny_network as tiny
from evaluation.plain import plain_scores, plain_views, softmax, unsure, write_pictures
from tiny_network import CLIP

from keras_acl.data import Video, VideoList
from keras_acl.evaluation import multi_view as evaluating
from keras_acl.evaluation import view_scorer
from keras_acl.evaluation.metrics import NOT_FOUND, summary
from keras_acl.evaluation.multi_label import multi_label_summary
from keras_acl.evaluation.multi_view import evaluate_views
from keras_acl.evaluation.scores import Protocol, Scores
from keras_acl.models.compiled_call import predict_padded
from keras_acl.video import read_ahead
from keras_acl.video.views import ViewGrid

LENGTHS = (12, 40, 25, 7, 60)
GRID = ViewGrid(2, 3)


@pytest.fixture(scope="module")
def model():
    return unsure(tiny.two_stream(speed_ratio=2))


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> VideoList:
    """Five videos; of the last one a part counts."""
    videos = write_pictures(tmp_path_factory.mktemp("videos"), LENGTHS)
    videos[4] = dataclasses.replace(videos[4], start=0.5, end=1.7)
    return VideoList(videos, tiny.LABELS)


def evaluate(model, videos, **options) -> Scores:
    return evaluate_views(model, videos, **{"clips": GRID.clips, "crops": GRID.crops, **options})


class QuickScorer:
    """Scores views by their brightness, as a network would by what happens in them."""

    def __init__(self, model, fully_convolutional: bool = False) -> None:
        self.model = model

    def score(self, views: np.ndarray, size: int) -> np.ndarray:
        return predict_padded(self, views, size)

    def predict_on_batch(self, views: np.ndarray) -> np.ndarray:
        level = views.mean(axis=(1, 2, 3, 4)) / 255
        scores = [level, (1 - level) / 3, (1 - level) * 2 / 3]
        return np.stack(scores, axis=1).astype(np.float32)[:, None]


@pytest.fixture
def quick(monkeypatch):
    """Spares the network."""
    monkeypatch.setattr(view_scorer, "ViewScorer", QuickScorer)


def quick_scores(videos) -> np.ndarray:
    """What `QuickScorer` says, in a plain loop."""
    scorer = QuickScorer(None)
    views = [np.stack(plain_views(video, CLIP, GRID)) for video in videos]
    return np.array([scorer.predict_on_batch(each)[:, 0].mean(axis=0) for each in views])


@pytest.fixture
def one_thread(monkeypatch) -> None:
    """Which videos are done when tells the number of views; otherwise it is chance."""
    monkeypatch.setattr(read_ahead, "MOST_WORKERS", 1)


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Names of the videos that are decoded, in no order."""
    names, views = [], evaluating.iterate_views

    def counted(video, *arguments):
        names.append(Path(video.path).stem)
        yield from views(video, *arguments)

    monkeypatch.setattr(evaluating, "iterate_views", counted)
    return names


@pytest.fixture
def bad(tmp_path, videos) -> VideoList:
    """Broken, good, empty, missing, good, cut short and one that is listed but not on disk."""
    whole = Path(videos[1].path).read_bytes()
    contents = {"broken": b"no video", "empty": b"", "cut": whole[: len(whole) // 2]}
    for name, content in contents.items():
        (tmp_path / f"{name}.mp4").write_bytes(content)
    broken, empty, missing, cut = (
        Video(str(tmp_path / f"{name}.mp4"), 0) for name in ("broken", "empty", "missing", "cut")
    )
    listed = [broken, videos[0], empty, missing, videos[2], cut]
    return VideoList(listed, tiny.LABELS, missing=("listed.mp4",))


@pytest.fixture(autouse=True)
def no_thread_stays():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@pytest.mark.backends
def test_evaluation_is_a_plain_loop_over_views(model, videos, tmp_path, monkeypatch):
    scorer = functools.lru_cache(view_scorer.ViewScorer)  # traced once
    monkeypatch.setattr(view_scorer, "ViewScorer", scorer)
    expected = plain_scores(model, videos, GRID)
    assert np.ptp(expected, axis=0).min() > 0.05  # the videos differ
    scores = evaluate(model, videos)
    np.testing.assert_allclose(scores.probabilities, expected, rtol=0, atol=1e-6)
    assert scores.done.all()
    views = np.stack(plain_views(videos[4], CLIP, GRID))
    logits = model.stream_logits(views)
    for stream in ("spatial", "temporal"):
        alone = softmax(logits[f"{stream}_logits"]).mean(axis=0)
        np.testing.assert_allclose(scores.streams[stream][4], alone, rtol=0, atol=1e-5)
        assert scores.alone(stream).done.all()

    order = [3, 0, 4, 2, 1]
    permuted = evaluate(model, [videos[index] for index in order])
    np.testing.assert_allclose(permuted.probabilities, expected[order], rtol=0, atol=1e-6)
    for index in (2, 0, 1):
        split = evaluate(model, videos, shard=(index, 3), output=tmp_path, batch_size=4)
    assert split.complete
    np.testing.assert_allclose(split.probabilities, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("segments", [False, True])
def test_ten_crops_are_those_of_a_plain_loop(model, videos, segments):
    model = model.copy_with(clip=dataclasses.replace(model.clip, segments=segments))
    scores = evaluate_views(model, videos[:3], 2, "ten")
    expected = plain_scores(model, videos[:3], ViewGrid(2, "ten"))
    np.testing.assert_allclose(scores.probabilities, expected, rtol=1e-4, atol=1e-5)
    assert scores.protocol == Protocol(2, 10, model.clip.size, ten_crops=True)
    others = evaluate_views(model, videos[:3], 2, 1).probabilities
    assert np.abs(others - expected).max() > 1e-3


def test_the_result_says_what_was_done(model, videos, tmp_path, quick):
    scores = evaluate(model, videos, output=tmp_path, dataset="pictures")
    assert scores.paths == tuple(video.path for video in videos)
    assert scores.truth.tolist() == [0, 1, 2, 0, 1]
    assert scores.labels == tiny.LABELS
    assert (scores.model, scores.dataset) == ("TwoStreamClassifier", "pictures")
    assert str(scores.protocol).startswith("2 clips x 3 crops of 37, softmax averaged over 6")
    np.testing.assert_allclose(scores.probabilities, quick_scores(videos), atol=1e-6)
    np.testing.assert_array_equal(Scores.load(tmp_path).probabilities, scores.probabilities)
    top1 = json.loads((tmp_path / "metrics.json").read_text())["top1"]
    assert top1 == summary(scores).top1


def test_no_batch_size_order_or_split_changes_a_bit(model, videos, tmp_path, quick):
    whole = evaluate(model, videos).probabilities
    for batch_size in (1, 5, 7, 100):
        scores = evaluate(model, videos, batch_size=batch_size)
        np.testing.assert_array_equal(scores.probabilities, whole)
    reverse = evaluate(model, list(videos)[::-1])
    np.testing.assert_array_equal(reverse.probabilities[::-1], whole)
    for index in (1, 2, 0):
        scores = evaluate(model, videos, shard=(index, 3), output=tmp_path, batch_size=index + 1)
        assert scores.complete == (index == 0)
    np.testing.assert_array_equal(scores.probabilities, whole)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["metrics.json", "scores.npz"]


def test_more_processes_than_videos(model, videos, tmp_path, quick):
    calls = []
    for index in range(8):
        scores = evaluate(
            model, videos, shard=(index, 8), output=tmp_path, progress=lambda *c: calls.append(c)
        )
    assert scores.complete
    assert calls[-1] == (0, 0)
    np.testing.assert_allclose(scores.probabilities, quick_scores(videos), atol=1e-6)


def test_fully_convolutional_is_handed_on(model, videos, monkeypatch):
    asked = []

    def scorer(model, fully_convolutional):
        asked.append(fully_convolutional)
        return QuickScorer(model)

    monkeypatch.setattr(view_scorer, "ViewScorer", scorer)
    scores = evaluate(model, videos[:1], fully_convolutional=True)
    assert asked == [True]
    assert str(scores.protocol).endswith("over 6 views and positions")


@pytest.mark.parametrize("batch_size", [1, 4, 6, 50])
def test_files_that_cannot_be_read_are_in_the_result_not_in_the_mean(model, bad, quick, batch_size):
    scores = evaluate(model, bad, batch_size=batch_size)
    assert scores.complete
    assert scores.paths[-1] == "listed.mp4"
    assert scores.truth.tolist() == [0, 0, 0, 0, 2, 0, -1]
    assert scores.done.tolist() == [False, True, False, False, True, False, False]
    reasons = [problem for problem in scores.problems if problem is not None]
    assert len(reasons) == 5
    assert reasons[0].startswith("Invalid data")
    assert reasons[1]
    assert reasons[2] == reasons[4] == NOT_FOUND
    assert "breaks off" in reasons[3] or "Invalid data" in reasons[3]
    np.testing.assert_allclose(
        scores.probabilities[[1, 4]], quick_scores([bad[1], bad[4]]), atol=1e-6
    )
    values = summary(scores)
    assert (values.asked, values.found, values.failed, values.scored) == (7, 5, 3, 2)


@pytest.mark.parametrize("batch_size", [1, 4, 50])
def test_a_video_that_breaks_in_the_middle_leaves_nothing(
    model, videos, quick, monkeypatch, batch_size
):
    views = evaluating.iterate_views

    def breaking(video, *arguments):
        for number, view in enumerate(views(video, *arguments)):
            if video is videos[1] and number == 5:
                raise evaluating.DecodingError(video.path, "it breaks off after 1.00 s")
            yield view

    monkeypatch.setattr(evaluating, "iterate_views", breaking)
    calls = []
    scores = evaluate(
        model, videos, batch_size=batch_size, progress=lambda *call: calls.append(call)
    )
    assert scores.problems == (None, "it breaks off after 1.00 s", None, None, None)
    others = [0, 2, 3, 4]
    expected = quick_scores([videos[index] for index in others])
    np.testing.assert_allclose(scores.probabilities[others], expected, atol=1e-6)
    assert np.isnan(scores.probabilities[1]).all()
    assert calls == sorted(calls)
    assert calls[-1] == (30, 30)


def test_scores_that_are_no_numbers_are_a_problem(model, videos, tmp_path, monkeypatch):
    class Diverged(QuickScorer):
        def predict_on_batch(self, views):
            scores = super().predict_on_batch(views)
            return np.where(scores[..., :1] > 0.4, np.nan, scores)  # of bright views

    monkeypatch.setattr(view_scorer, "ViewScorer", Diverged)
    scores = evaluate(model, videos, output=tmp_path)
    assert scores.complete
    assert Scores.load(tmp_path).problems == scores.problems
    assert set(scores.problems) == {None, evaluating.NOT_FINITE}
    assert not (scores.done & scores.failed).any()


def test_parts_of_one_file_are_videos_of_their_own(model, videos, quick):
    parts = [dataclasses.replace(videos[4], start=s, end=s + 0.6, label=1) for s in (0.0, 1.0)]
    scores = evaluate(model, VideoList(parts, tiny.LABELS))
    np.testing.assert_allclose(scores.probabilities, quick_scores(parts), atol=1e-6)
    assert (scores.probabilities[0] != scores.probabilities[1]).any()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("views", [1, 7, 13, 29])
def test_an_interrupted_run_goes_on(
    model, videos, tmp_path, quick, decoded, one_thread, kind, views
):
    def interrupt(done: int, total: int) -> None:
        if done >= views:
            raise kind

    with pytest.raises(kind):
        evaluate(model, videos, output=tmp_path, batch_size=1, progress=interrupt)
    kept = Scores.load(tmp_path / "scores.0-of-1.part.npz")
    assert kept.done.tolist() == [views >= 6 * (place + 1) for place in range(5)]
    assert not (tmp_path / "scores.npz").exists()

    decoded.clear()
    calls = []
    scores = evaluate(model, videos, output=tmp_path, progress=lambda *call: calls.append(call))
    assert sorted(decoded) == [str(place) for place in range(5) if not kept.done[place]]
    np.testing.assert_allclose(scores.probabilities, quick_scores(videos), atol=1e-6)
    assert calls == sorted(calls)
    assert calls[0][0] >= 6 * kept.done.sum()
    assert calls[-1] == (30, 30)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["metrics.json", "scores.npz"]

    decoded.clear()
    evaluate(model, videos, output=tmp_path, progress=lambda *call: calls.append(call))
    assert decoded == []
    assert calls[-1] == (30, 30)


def test_a_shard_that_was_interrupted_goes_on(model, videos, tmp_path, quick, decoded, one_thread):
    def interrupt(done: int, total: int) -> None:
        if done >= 6:
            raise KeyboardInterrupt

    for index in (1, 0):
        with contextlib.suppress(KeyboardInterrupt):
            evaluate(model, videos, output=tmp_path, shard=(index, 2), progress=interrupt)
    assert len(list(tmp_path.glob("*.part.npz"))) == 2
    decoded.clear()
    scores = evaluate(model, videos, output=tmp_path)  # one process does the rest
    assert len(decoded) == 3
    assert len(set(decoded)) == 3
    np.testing.assert_allclose(scores.probabilities, quick_scores(videos), atol=1e-6)


def test_only_what_could_not_be_read_is_read_again(model, bad, tmp_path, quick, decoded):
    output = tmp_path / "run"
    first = evaluate(model, bad, output=output)
    decoded.clear()
    calls = []
    (tmp_path / "broken.mp4").write_bytes(Path(bad[1].path).read_bytes())  # repaired
    scores = evaluate(model, bad, output=output, progress=lambda *call: calls.append(call))
    assert sorted(decoded) == ["broken", "cut", "empty"]
    assert scores.problems == (None, *first.problems[1:])
    np.testing.assert_array_equal(scores.probabilities[0], scores.probabilities[1])
    assert calls[-1] == (36, 36)
    assert Scores.load(output).problems == scores.problems


def test_progress_counts_files_that_cannot_be_read(model, bad, quick):
    calls = []
    evaluate(model, bad, batch_size=4, progress=lambda *call: calls.append(call))
    assert calls == sorted(calls)
    assert {total for _, total in calls} == {36}
    assert calls[-1][0] == 36


@pytest.mark.usefixtures("one_thread")
def test_an_error_of_the_model_ends_the_run_and_its_threads(model, videos, tmp_path, monkeypatch):
    class Failing(QuickScorer):
        calls = 0

        def predict_on_batch(self, views):
            Failing.calls += 1
            if Failing.calls == 3:
                raise RuntimeError("out of memory")
            return super().predict_on_batch(views)

    monkeypatch.setattr(view_scorer, "ViewScorer", Failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        evaluate(model, videos, output=tmp_path, batch_size=4)
    kept = Scores.load(tmp_path / "scores.0-of-1.part.npz")
    assert kept.done.tolist() == [True, False, False, False, False]


class TestAnotherEvaluationInTheFolder:
    @pytest.fixture
    def run(self, model, videos, tmp_path, quick):
        evaluate(model, videos, output=tmp_path)

        def again(model=model, videos=videos, **options) -> None:
            message = r"scores\.npz holds another evaluation: TwoStreamClassifier on 5 videos"
            with pytest.raises(ValueError, match=message):
                evaluate(model, videos, output=tmp_path, **options)

        return again

    def test_protocol(self, run):
        run(clips=3)
        run(crops=1)
        run(fully_convolutional=True)

    def test_weights(self, run, model):
        other = tiny.two_stream(speed_ratio=2)
        other.set_weights(model.get_weights())
        bias = other.classifier.bias
        bias.assign(bias + 1e-6)
        run(model=other)

    @pytest.mark.parametrize(
        "options",
        [
            {"clip": dataclasses.replace(CLIP, span=8)},
            {"clip": dataclasses.replace(CLIP, fps=25)},
            {"mean": 0.5},
            {"speed_ratio": 2, "frame_indices": "stride"},
        ],
    )
    def test_same_weights_used_otherwise(self, run, model, options):
        other = tiny.two_stream(**{"speed_ratio": 2, **options})
        other.set_weights(model.get_weights())
        run(model=other)

    def test_videos(self, run, videos):
        run(videos=videos[:4])
        run(videos=VideoList(list(videos)[::-1], tiny.LABELS))
        run(videos=[dataclasses.replace(video, label=0) for video in videos])
        run(videos=[dataclasses.replace(video, start=None, end=None) for video in videos])

    def test_the_same_model_made_anew_goes_on(self, model, videos, tmp_path, run, decoded):
        same = tiny.two_stream(speed_ratio=2, dropout=0.1, consistency_weight=1.5, name="other")
        same.set_weights(model.get_weights())
        evaluate(same, videos, output=tmp_path, batch_size=3)
        assert decoded == []


def test_classes_must_be_the_models(model, videos, quick):
    message = r"in the model's order: pass labels=model\.labels.*"
    for labels in (tiny.LABELS[::-1], (*tiny.LABELS, "more")):
        with pytest.raises(
            ValueError, match=message + rf"{len(labels)} classes \(.*\) for a model of 3"
        ):
            evaluate(model, VideoList(videos, labels))


def test_a_model_without_labels(videos, quick):
    model = tiny.two_stream(labels=None)
    assert evaluate(model, videos).labels == tiny.LABELS
    assert evaluate(model, list(videos)).labels == ("class 0", "class 1", "class 2")
    with pytest.raises(ValueError, match=r"4 classes \(.*\) for a model of 3 classes without"):
        evaluate(model, VideoList(videos, (*tiny.LABELS, "more")))


def test_paths_without_labels(model, videos, quick):
    scores = evaluate(model, [videos[0].path, Path(videos[1].path), videos[2]])
    assert scores.truth.tolist() == [-1, -1, 2]
    assert scores.done.all()
    assert summary(scores).scored == 1


def test_several_labels_a_video(model, videos, quick, tmp_path):
    labels = [(0, 1), (), (2,), None, (1,)]
    listed = [
        dataclasses.replace(video, label=label) for video, label in zip(videos, labels, strict=True)
    ]
    model = model.copy_with(multi_label=True)
    scores = evaluate(model, VideoList(listed, tiny.LABELS), output=tmp_path)
    expected = [[1, 1, 0], [0, 0, 0], [0, 0, 1], [-1, -1, -1], [0, 1, 0]]
    assert scores.truth.tolist() == expected
    assert "sigmoid averaged over 6 views" in str(scores.protocol)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    values = multi_label_summary(scores)
    assert metrics["mean_average_precision"] == pytest.approx(values.mean_average_precision)
    assert (metrics["scored"], metrics["classes"]) == (4, 3)
    assert metrics["streams"] == values.streams
    with open(tmp_path / "labels.csv", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["label"], row["videos"]) for row in rows] == [
        ("left", "1"),
        ("right", "2"),
        ("up", "1"),
    ]
    found = [float(row["average_precision"]) for row in rows]
    assert np.mean(found) == pytest.approx(values.mean_average_precision, abs=1e-6)
    assert evaluate(model, VideoList(listed, tiny.LABELS), output=tmp_path).complete  # goes on


def test_labels_of_the_other_kind_are_refused(model, videos, quick):
    with pytest.raises(ValueError, match=r"The videos have one label for each .*takes several"):
        evaluate(model.copy_with(multi_label=True), videos)
    with pytest.raises(ValueError, match="The videos may have several labels"):
        evaluate(model, [dataclasses.replace(videos[0], label=(0,))])


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([], r"no videos to evaluate\. Received an empty list"),
        (VideoList([], tiny.LABELS, missing=("a.mp4",)), "no videos to evaluate"),
        ("videos/a.mp4", r"a list of videos\. Received one path: 'videos/a\.mp4'"),
        (Path("a.mp4"), r"a list of videos\. Received one path: 'a\.mp4'"),
        ([Video("a.mp4", 3)], "beyond the model's 3 classes. Received: 3"),
    ],
)
def test_videos_that_make_no_sense(model, listed, message):
    with pytest.raises(ValueError, match=message):
        evaluate(model, listed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"shard": (2, 2)}, r"shard=\(2, 2\)"),
        ({"shard": (-1, 2)}, r"shard=\(-1, 2\)"),
        ({"clips": 0}, "clips=0"),
        ({"crops": 0}, "crops=0"),
    ],
)
def test_arguments_out_of_range(model, videos, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(model, videos, **options)


def test_an_unknown_argument_is_refused(model, videos):
    with pytest.raises(TypeError, match="batchsize"):
        evaluate(model, videos, batchsize=3)


@pytest.mark.usefixtures("quick")
def test_as_many_videos_are_decoded_at_a_time_as_there_are_workers(model, videos, monkeypatch):
    together, views = threading.Barrier(5, timeout=10), evaluating.iterate_views

    def in_step(*arguments):
        together.wait()
        yield from views(*arguments)

    monkeypatch.setattr(evaluating, "iterate_views", in_step)
    scores = evaluate(model, videos, workers=5)
    np.testing.assert_allclose(scores.probabilities, quick_scores(videos), rtol=1e-6)
