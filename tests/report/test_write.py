import dataclasses
import html
import json
import re

import numpy as np
import pytest
import tiny_network
from made_scores import LABELS, made_scores, save_run
from report.page import Page

from keras_acl.data import read_directory
from keras_acl.evaluation import calibration, class_table, compare, roc_curves, summary
from keras_acl.evaluation.metrics import NOT_FOUND
from keras_acl.evaluation.number_text import interval, p_value, percent, points
from keras_acl.evaluation.scores import Scores
from keras_acl.report import charts
from keras_acl.report.write import write_report

EVIL = (
    '<script>alert("1")</script>',
    "<img src=x onerror=alert(2)>",
    "'\"--></style>",
    "{{ 7*7 }}",
)


@pytest.fixture
def no_charts(monkeypatch):
    """Charts take most of the time, and have tests of their own."""
    monkeypatch.setattr(charts, "curve_charts", lambda *arguments: [])
    for name in ("matrix", "calibration", "change", "profile"):
        monkeypatch.setattr(charts, f"{name}_chart", lambda *arguments: "<svg></svg>")


def written(tmp_path, run, **options) -> Page:
    file = tmp_path / "report.html"
    write_report(run, file, **options)
    return Page(file)


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """A folder with a model, and scores of videos that are there."""
    folder = tmp_path_factory.mktemp("figures")
    tiny_network.write_figures(folder / "videos", 1)
    model = tiny_network.two_stream(labels=tiny_network.LABELS)
    model.save(folder / "model.keras")
    videos = read_directory(folder / "videos", model.labels)
    wrong = np.roll(np.eye(3) * 0.7 + 0.1, 1, axis=1)
    scores = dataclasses.replace(
        made_scores(labels=model.labels, count=3),
        paths=tuple(video.path for video in videos),
        truth=np.array([video.label for video in videos], np.int32),
        probabilities=wrong[[video.label for video in videos]].astype(np.float32),
    )
    return save_run(folder, scores), scores


@pytest.mark.usefixtures("no_charts")
def test_the_page_says_which_stream_carries_the_class(tmp_path):
    plain = made_scores()
    streams = {name: made_scores(seed).probabilities for seed, name in ((1, "spatial"), (2, "t"))}
    scores = dataclasses.replace(plain, streams=streams)
    page = written(tmp_path, save_run(tmp_path / "run", scores))
    values = summary(scores).streams
    rows = {row[0]: row[1] for row in page.tables["Accuracy of each stream"]}
    assert rows["spatial alone"] == percent(values["spatial"].top1, 2)
    assert rows["t alone"] == percent(values["t"].top1, 2)
    accuracies = {row.label: row.accuracy for row in class_table(scores.alone("t"))}
    header, *rows = page.tables["All classes"]
    place = header.index("t alone")
    assert {row[0]: row[place] for row in rows} == {
        label: percent(accuracy) for label, accuracy in accuracies.items()
    }
    two = written(tmp_path, tmp_path / "run", other=save_run(tmp_path / "plain", plain))
    header, first, second = two.tables["Accuracy of both runs"]
    assert header[-2:] == ["spatial alone", "t alone"]
    assert first[-1] == percent(values["t"].top1, 2)
    assert second[-1] == "–"
    assert "Each stream" not in written(tmp_path, tmp_path / "plain").text


@pytest.mark.usefixtures("no_charts")
def test_numbers_are_those_of_the_metrics(tmp_path):
    scores = made_scores()
    page = written(tmp_path, save_run(tmp_path / "run", scores))
    values = summary(scores)
    for share in (values.top1, values.top5, values.mean_class, values.calibration_error):
        assert percent(share, 2) in page.text
    assert interval(values.interval) in page.text
    assert "10 clips x 3 crops of 256, softmax averaged over 30 views" in page.text
    assert "60 videos asked for, 60 found, 0 failed; the numbers are over 60." in page.text
    assert page.headings[0] == "h1 some_net on moves"
    rows = {row[0]: row for row in page.tables["All classes"][1:]}
    for row in class_table(scores):
        assert rows[row.label][1:3] == [str(row.videos), percent(row.accuracy)]
        assert rows[row.label][4:6] == [percent(row.precision), percent(row.f1)]
        assert rows[row.label][7] == (row.most_confused or "–")
    for curve in roc_curves(scores):
        assert rows[curve.label][6] == f"{curve.area:.3f}"
    bins = [row for row in calibration(scores) if row.videos]
    assert [row[1] for row in page.tables["Calibration bins"][1:]] == [str(b.videos) for b in bins]
    assert [row[0] for row in page.tables["Groups of classes"][1:]] == ["crowds", "fast moving"]
    assert sum(int(row[2]) for row in page.tables["Most confused pairs"][1:]) <= 60


def test_page_needs_nothing_else(tmp_path):
    run = save_run(tmp_path / "run", made_scores())
    (run / "history.csv").write_text("epoch,loss,accuracy\n0,2,.1\n1,1,.5\n")
    page = written(tmp_path, run, other=save_run(tmp_path / "other", made_scores(1, skill=3)))
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    for word in ("http:", "https:", "@import", "<script", '<link rel="style', "javascript:"):
        assert word not in page.source
    assert len(page.ids) == len(set(page.ids))
    assert "Training" in "".join(page.headings)


def test_page_is_the_same_each_time(tmp_path):
    run = save_run(tmp_path / "run", made_scores())
    assert written(tmp_path, run).source == written(tmp_path, run).source


def test_names_from_elsewhere_are_text(tmp_path):
    scores = dataclasses.replace(
        made_scores(labels=EVIL, count=40),
        paths=tuple(f"/v/{EVIL[1]}/{index}{EVIL[0]}.mp4" for index in range(40)),
        model=EVIL[0],
        dataset=EVIL[1],
    )
    scores.probabilities[3] = np.nan
    problems = [None] * 40
    problems[3] = EVIL[0]
    scores = dataclasses.replace(scores, problems=tuple(problems))
    run = save_run(tmp_path / "run", scores)
    (run / "settings.json").write_text(json.dumps({EVIL[0]: EVIL[1]}))
    (run / "evaluation.json").write_text(json.dumps({"model": EVIL[0]}))
    other = save_run(tmp_path / "other", dataclasses.replace(scores, dataset=EVIL[2]))
    groups = {EVIL[0]: [EVIL[2]]}
    for options in ({}, {"other": other}):
        page = written(tmp_path, run, groups=groups, **options)
        assert not {"script", "img"} & set(page.elements)
        assert page.elements.count("style") == 1
        assert "49" not in page.headings[0]
        for name in EVIL:
            assert name in page.text


@pytest.mark.usefixtures("no_charts")
def test_failed_and_missing_videos_are_listed(tmp_path):
    scores = made_scores()
    scores.probabilities[[4, 5, 6]] = np.nan
    problems = [None] * 60
    problems[4], problems[5] = "Invalid data", NOT_FOUND
    page = written(
        tmp_path,
        save_run(tmp_path / "run", dataclasses.replace(scores, problems=tuple(problems))),
    )
    assert page.tables["video that failed"][1:] == [["4/0004.mp4", "Invalid data"]]
    assert page.tables["video that is not on disk"][1:] == [["5/0005.mp4", NOT_FOUND]]
    assert (
        "60 videos asked for, 59 found, 1 failed, 1 not evaluated yet; the numbers are over 57."
        in page.text
    )
    assert "Videos in no number here: 1 failed, 1 not on disk, 1 not evaluated yet." in page.text


def test_two_classes_and_400(tmp_path):
    page = written(tmp_path, save_run(tmp_path / "two", made_scores(labels=("no", "yes"))))
    assert "Top-5" not in page.text
    labels = [f"class {index}" for index in range(400)]
    page = written(tmp_path, save_run(tmp_path / "many", made_scores(labels=labels, count=900)))
    assert [len(page.tables[name]) for name in ("Worst classes", "Best classes")] == [11, 11]
    assert len(page.tables["All classes"]) == 401
    assert len(page.source) < 400_000


@pytest.mark.usefixtures("no_charts")
def test_two_runs(tmp_path):
    first, second = made_scores(0), dataclasses.replace(made_scores(1, skill=3), model="better")
    page = written(
        tmp_path,
        save_run(tmp_path / "first", first),
        other=save_run(tmp_path / "second", second),
        groups={"sports": LABELS[:3]},
    )
    expected = compare(first, second, {"sports": LABELS[:3]})
    assert page.headings[0] == "h1 some_net against better on moves"
    assert points(expected.overall.change) in page.text
    assert (
        f"p {'' if expected.overall.p < 0.001 else '= '}{p_value(expected.overall.p)}" in page.text
    )
    rows = page.tables["Change by group"] + page.tables["Change by class"]
    for row in (*expected.groups, *expected.classes):
        [found] = [one for one in rows if one[0] == row.name]
        assert found[1:7] == [
            str(row.videos), percent(row.first), percent(row.second), points(row.change),
            str(row.gained), str(row.lost),
        ]  # fmt: skip
        assert found[7:] == [
            p_value(row.p), p_value(row.adjusted) + (" *" if row.adjusted < 0.05 else "")
        ]  # fmt: skip
    assert [row[1] for row in page.tables["Accuracy of both runs"][1:]] == [
        percent(summary(scores).top1, 2) for scores in (first, second)
    ]
    assert f"Gained: {expected.overall.gained}" in page.text


@pytest.mark.usefixtures("no_charts")
def test_groups_from_a_file(tmp_path):
    run = save_run(tmp_path / "run", made_scores())
    (tmp_path / "groups.csv").write_text("group,label\nmine,eating\nmine,running\n")
    page = written(tmp_path, run, groups=tmp_path / "groups.csv")
    assert page.tables["Groups of classes"][1][0] == "mine"
    (tmp_path / "groups.csv").write_text("group,label\nmine,flying\n")
    with pytest.raises(ValueError, match="label='flying'"):
        written(tmp_path, run, groups=tmp_path / "groups.csv")


@pytest.mark.usefixtures("no_charts")
def test_no_groups_no_section(tmp_path):
    page = written(tmp_path, save_run(tmp_path / "run", made_scores(labels=("no", "yes"))))
    assert "Groups of classes" not in page.tables


@pytest.mark.backends
def test_hardest_videos_come_with_attention(figures, tmp_path):
    run, scores = figures
    calls = []
    page = written(tmp_path, run, hardest=2, progress=lambda *counts: calls.append(counts))
    assert page.source.count("<article>") == 2
    images = [address for address in page.addresses if address.startswith("data:image/jpeg")]
    assert len(images) == 2 * 5
    assert calls == [(1, 2), (2, 2)]
    said, true = (scores.labels[index] for index in (1, 0))
    assert f"temporal stream, for the predicted class: {said}" in page.text
    assert f"spatial stream, for the true class: {true}" in page.text
    assert f"True class {true}: {percent(0.1)}, place 2 of 3. The model says {said}" in page.text
    assert "No attention is shown" not in page.text


@pytest.mark.usefixtures("no_charts")
def test_a_video_that_is_gone_costs_its_strip(figures, tmp_path):
    run, scores = figures
    paths = (str(tmp_path / "gone.mp4"), *scores.paths[1:])
    gone = save_run(tmp_path / "run", dataclasses.replace(scores, paths=paths))
    page = written(tmp_path, gone, model=run)
    assert page.text.count("No attention is shown: the video cannot be read: ") == 1
    assert len([a for a in page.addresses if a.startswith("data:image/jpeg")]) == 10


@pytest.mark.usefixtures("no_charts")
def test_the_strip_of_a_part_is_of_that_part(figures, tmp_path, monkeypatch):
    run, scores = figures
    read = []

    def strip(model, video, classes, names):
        read.append((video.path, video.start, video.end))
        return []

    monkeypatch.setattr("keras_acl.report.write.attention_strip", strip)
    parts = dataclasses.replace(scores, parts=np.array([[0.1, 0.3], [np.nan, 0.2], [np.nan] * 2]))
    written(tmp_path, save_run(tmp_path / "run", parts), model=run)
    seconds = (0.1, None, None), (0.3, 0.2, None)
    assert sorted(read) == sorted(zip(scores.paths, *seconds, strict=True))


@pytest.mark.usefixtures("no_charts")
def test_no_attention_without_a_model(tmp_path):
    run = save_run(tmp_path / "run", made_scores())
    assert "it is not known which model was evaluated" in written(tmp_path, run).text
    assert "No attention" not in written(tmp_path, run, hardest=0).text
    (run / "evaluation.json").write_text('{"model": "runs/moved/model.keras"}')
    page = written(tmp_path, run)
    assert "No attention is shown, because the model is not available: There is no" in page.text
    assert page.source.count("<article>") == 8


def test_model_that_was_given_must_fit(figures, tmp_path):
    run = save_run(tmp_path / "run", made_scores())
    with pytest.raises(ValueError, match=r"the scores of .* must have the model's classes"):
        write_report(run, tmp_path / "report.html", model=figures[0])
    with pytest.raises(FileNotFoundError, match="There is no model at"):
        write_report(run, tmp_path / "report.html", model="nowhere.keras")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.usefixtures("no_charts")
def test_all_right_has_no_hard_video(tmp_path):
    page = written(tmp_path, save_run(tmp_path / "run", made_scores(skill=50)))
    assert "Nothing was confused." in page.text
    assert "Hardest" not in "".join(page.headings)


def test_mistakes(tmp_path):
    run, file = save_run(tmp_path / "run", made_scores()), tmp_path / "report.html"
    file.write_text("mine")
    with pytest.raises(FileNotFoundError, match="There are no scores at"):
        write_report(tmp_path / "nowhere", file)
    with pytest.raises(ValueError, match=r"0 or more\. Received: -1"):
        write_report(run, file, hardest=-1)
    other = save_run(tmp_path / "other", made_scores(labels=LABELS[:3]))
    with pytest.raises(ValueError, match="Only runs with the same classes"):
        write_report(run, file, other)
    nothing = made_scores()
    nothing.truth[:] = -1
    with pytest.raises(ValueError, match="No video has both a label and scores"):
        write_report(save_run(tmp_path / "nothing", nothing), file)
    (run / "scores.npz").write_bytes((run / "scores.npz").read_bytes()[:200])
    with pytest.raises(ValueError, match="holds no scores of an evaluation"):
        write_report(run, file)
    assert file.read_text() == "mine"


@pytest.mark.usefixtures("no_charts")
def test_scores_file_itself_is_a_run(tmp_path):
    run = save_run(tmp_path / "run", made_scores())
    assert "some_net on moves" in written(tmp_path, run / "scores.npz").text
    assert Scores.load(run).model == "some_net"


@pytest.mark.usefixtures("no_charts")
def test_a_notebook_shows_the_page_in_a_frame(tmp_path):
    run = save_run(tmp_path / "run", made_scores(labels=(EVIL[0], *LABELS[1:])))
    report = write_report(run, tmp_path / "report.html", hardest=0)
    page = report.file.read_text(encoding="utf-8")
    shown = report._repr_html_()
    [inside] = re.findall(r'^<iframe sandbox srcdoc="([^"<>]*)" style="[^"]*"></iframe>$', shown)
    assert html.unescape(inside) == page
    report.file.unlink()
    assert "report.html is not there" in report._repr_html_()
