import dataclasses
import json

import numpy as np
import pytest
from made_scores import hand_made

from keras_acl.evaluation import resume as journals
from keras_acl.evaluation.metrics import NOT_FOUND, summary
from keras_acl.evaluation.resume import Journal
from keras_acl.evaluation.scores import Scores

RUN, SIT, WAVE = (row.astype(np.float32) for row in np.eye(3))
TRUTH = [0, 1, 2, 0, 1]


def nothing_done(**changes) -> Scores:
    """Five videos, the last of which is not on disk."""
    made = hand_made([None] * 5, TRUTH, [None] * 4 + [NOT_FOUND])
    return dataclasses.replace(made, **changes)


def names(folder) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def finished(folder) -> Scores:
    journal = Journal(nothing_done(), folder, (0, 1))
    for video in journal.pending:
        journal.add(video, SIT)
    return journal.finish()


def test_shards_have_every_video_once():
    shares = [Journal(nothing_done(), None, (index, 3)).pending for index in range(3)]
    assert shares == [[0, 3], [1], [2]]  # not the one that is not on disk


def test_without_a_folder_everything_stays_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = nothing_done()
    journal = Journal(start, None, (0, 1))
    journal.add(0, RUN)
    journal.add(2, "broken")
    journal.save()
    scores = journal.finish()
    assert scores.done.tolist() == [True, False, False, False, False]
    assert scores.problems == (None, None, "broken", None, NOT_FOUND)
    assert names(tmp_path) == []
    assert not start.done.any()  # what was handed in is left alone


def test_an_interrupted_process_goes_on(tmp_path):
    journal = Journal(nothing_done(), tmp_path, (0, 1))
    journal.add(0, RUN)
    journal.add(1, WAVE)
    journal.save()
    assert names(tmp_path) == ["scores.0-of-1.part.npz"]
    again = Journal(nothing_done(), tmp_path, (0, 1))
    assert again.pending == [2, 3]
    again.add(2, WAVE)
    again.add(3, RUN)
    scores = again.finish()
    assert names(tmp_path) == ["metrics.json", "scores.npz"]
    np.testing.assert_array_equal(scores.probabilities[:4], [RUN, WAVE, WAVE, RUN])
    np.testing.assert_array_equal(Scores.load(tmp_path).probabilities, scores.probabilities)
    assert Journal(nothing_done(), tmp_path, (0, 1)).pending == []


def two_streams() -> Scores:
    nothing = nothing_done().probabilities
    return nothing_done(streams={"spatial": nothing.copy(), "temporal": nothing.copy()})


def test_each_stream_is_kept_beside_both(tmp_path):
    journal = Journal(two_streams(), tmp_path, (0, 2))
    journal.add(0, np.stack([RUN, SIT, WAVE]))
    journal.save()
    other = Journal(two_streams(), tmp_path, (0, 1))
    for video in other.pending:
        other.add(video, np.stack([WAVE, SIT, RUN]))
    other.finish()
    scores = Scores.load(tmp_path)
    np.testing.assert_array_equal(scores.probabilities[:4], [RUN, WAVE, WAVE, WAVE])
    np.testing.assert_array_equal(scores.streams["spatial"][:4], [SIT] * 4)
    np.testing.assert_array_equal(scores.streams["temporal"][:4], [WAVE, RUN, RUN, RUN])
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["streams"]["spatial"]["top1"] == 0.25  # of run, sit, wave, run
    assert metrics["streams"]["temporal"]["top1"] == 0.25


def test_what_an_older_version_began_goes_on_without_its_streams(tmp_path):
    before = Journal(nothing_done(), tmp_path, (0, 1))
    before.add(0, RUN)
    before.save()
    journal = Journal(two_streams(), tmp_path, (0, 1))
    assert journal.pending == [1, 2, 3]
    for video in journal.pending:
        journal.add(video, np.stack([WAVE, SIT, RUN]))
    scores = journal.finish()
    assert scores.complete
    assert scores.alone("spatial").done.tolist() == [False, True, True, True, False]
    assert summary(scores).streams == {}  # an accuracy of other videos would be no comparison


def test_other_numbers_of_processes_go_on_with_what_is_there(tmp_path):
    for index in (0, 2):
        journal = Journal(nothing_done(), tmp_path, (index, 3))
        journal.add(journal.pending[0], RUN)
        journal.save()
    assert Journal(nothing_done(), tmp_path, (0, 1)).pending == [1, 3]
    assert Journal(nothing_done(), tmp_path, (1, 2)).pending == [1, 3]
    assert Journal(nothing_done(), tmp_path, (0, 2)).pending == []


def test_a_file_that_could_not_be_read_is_tried_again(tmp_path):
    first = Journal(nothing_done(), tmp_path, (0, 2))
    first.add(0, RUN)
    first.add(2, "disk not mounted")
    first.save()
    other = Journal(nothing_done(), tmp_path, (1, 2))
    other.add(1, SIT)
    other.add(3, "broken")
    other.save()
    assert other.finish().complete
    again = Journal(nothing_done(), tmp_path, (0, 1))
    assert again.pending == [2, 3]
    again.add(2, WAVE)
    again.add(3, "still broken")
    again.save()
    kept = Scores.load(tmp_path / "scores.0-of-1.part.npz")
    assert kept.problems == (None, None, None, "still broken", NOT_FOUND)
    scores = again.finish()
    assert scores.problems == kept.problems
    assert scores.done.tolist() == [True, True, True, False, False]
    assert Scores.load(tmp_path).problems == scores.problems


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_last_process_joins_the_parts(tmp_path, order):
    for number, index in enumerate(order):
        journal = Journal(nothing_done(), tmp_path, (index, 3))
        for video in journal.pending:
            journal.add(video, [RUN, SIT, WAVE][video % 3])
        journal.save()
        scores = journal.finish()
        assert scores.complete == (number == 2)
    assert names(tmp_path) == ["metrics.json", "scores.npz"]
    np.testing.assert_array_equal(scores.probabilities[:4], [RUN, SIT, WAVE, RUN])


def test_two_processes_may_end_at_once(tmp_path, monkeypatch):
    """The second one finishes, from first to last, while the first one is writing the whole."""
    first, second = (Journal(nothing_done(), tmp_path, (index, 2)) for index in range(2))
    for journal in (first, second):
        for video in journal.pending:
            journal.add(video, SIT)
        journal.save()
    write = np.savez_compressed

    def interrupted(file, **arrays):
        monkeypatch.setattr(np, "savez_compressed", write)
        assert second.finish().complete
        write(file, **arrays)

    monkeypatch.setattr(np, "savez_compressed", interrupted)
    assert first.finish().complete
    assert names(tmp_path) == ["metrics.json", "scores.npz"]
    assert Scores.load(tmp_path).complete


def test_work_is_kept_now_and_then(tmp_path, monkeypatch):
    journal = Journal(nothing_done(), tmp_path, (0, 1))
    journal.add(0, RUN)
    assert names(tmp_path) == []
    monkeypatch.setattr(journals, "SAVE_EVERY", -1.0)
    journal.add(1, "broken")
    kept = Scores.load(tmp_path / "scores.0-of-1.part.npz")
    assert kept.done.tolist() == [True, False, False, False, False]
    assert kept.problems[1] == "broken"


@pytest.mark.parametrize("unfinished", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "other weights"},
        {"paths": ("0.mp4", "1.mp4", "2.mp4", "3.mp4", "other.mp4")},
        {"labels": ("run", "wave", "sit")},
    ],
)
def test_a_folder_of_another_evaluation_is_refused(tmp_path, change, unfinished):
    if unfinished:
        Journal(nothing_done(**change), tmp_path, (0, 1)).save()
    else:
        dataclasses.replace(finished(tmp_path), **change).save(tmp_path / "scores.npz")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    message = (
        r"scores\S*npz holds another evaluation: tiny on 5 videos of hand made, 10 clips x 3 crops"
        r".*Give another output folder, or remove that file\."
    )
    with pytest.raises(ValueError, match=message):
        Journal(nothing_done(), tmp_path, (0, 1))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_broken_file_in_the_folder_is_named(tmp_path):
    (tmp_path / "scores.0-of-1.part.npz").write_bytes(b"half")
    with pytest.raises(ValueError, match=r"0-of-1\.part\.npz holds no scores of an evaluation"):
        Journal(nothing_done(), tmp_path, (0, 1))


def test_metrics_are_those_of_the_scores(tmp_path):
    scores = finished(tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics.pop("model"), metrics.pop("dataset")) == ("tiny", "hand made")
    assert tuple(metrics.pop("interval")) == summary(scores).interval
    expected = dataclasses.asdict(summary(scores))
    del expected["interval"]
    assert metrics == expected
    assert (metrics["asked"], metrics["found"], metrics["top1"]) == (5, 4, 0.25)


def test_without_labels_there_are_no_metrics(tmp_path):
    start = nothing_done(truth=np.full(5, -1, np.int32))
    journal = Journal(start, tmp_path, (0, 1))
    for video in journal.pending:
        journal.add(video, RUN)
    journal.finish()
    assert names(tmp_path) == ["scores.npz"]
