"""`report.html.j2`, opened in a real browser."""

import dataclasses
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from made_scores import made_scores
from report import browser

from keras_acl.report.attention_strips import picture_row
from keras_acl.report.one_run import Strips, hardest_videos, run_context
from keras_acl.report.run import Run
from keras_acl.report.two_runs import comparison_context
from keras_acl.report.write import render

LABELS = (
    *(f"doing thing number {number} with something" for number in range(14)),
    "<script>window.hacked = true</script>",
    '"><img src=x onerror="window.hacked = true">',
)
DESKTOP, PHONE = 1200, 390


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Two runs, with everything there can be on a page, long names and evil ones."""
    browser.find_browser()
    long = f"/{'folder' * 30}/{'name' * 40}.mp4"
    scores = made_scores(labels=LABELS, count=160)
    scores.probabilities[[7, 8]] = np.nan
    problems = [None] * 160
    problems[7], problems[8] = f"broken {long}", "not on disk"
    paths = (f"/videos{long}", *scores.paths[1:])
    scores = dataclasses.replace(scores, paths=paths, problems=tuple(problems))
    runs = [
        Run(
            folder=Path("runs/first"),
            scores=scores,
            history={"epoch": [0, 1, 2], "loss": [3, 2, 1], "accuracy": [0.1, 0.5, 0.6]},
            settings={"recipe.epochs": "4", "source": long},
            notes=(f"history.csv cannot be read: {long}.",),
        ),
        Run(Path("runs/second"), dataclasses.replace(scores, paths=paths), model="x"),
    ]
    noise = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    contexts = []
    groups = {"some": LABELS[:8], LABELS[14]: LABELS[8:]}
    for number, run in enumerate(runs):
        hardest = hardest_videos(scores, 3)
        rows = [picture_row(f"spatial stream, for the true class: {LABELS[14]}", noise)] * 3
        strips = Strips({hardest[0].index: rows}, {hardest[1].index: "It is gone."})
        contexts.append(run_context(run, groups, hardest, strips, f"run{number}"))
    names = ("a_model_with_quite_a_long_name", "another_model_with_a_long_name")
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(contexts, names, comparison_context(*runs, groups, names)), "utf-8")
    return file


def test_nothing_overflows_fails_or_runs(page):
    desktop, phone = browser.measure(page, (DESKTOP, PHONE))
    for found, width in ((desktop, DESKTOP), (phone, PHONE)):
        assert found["width"] == width
        assert found["scrollWidth"] == width
        assert found["wide"] == []
        assert (found["images"], found["broken"], found["loaded"]) == (6, 0, [])
        assert not found["hacked"]
        assert len(found["charts"]) == 3 + 3 + 3  # curves were made for the first run only
        assert min(found["charts"]) > 250
        assert found["ink"] == "rgb(26, 32, 39)"
    assert desktop["elements"] == phone["elements"] > 500


def test_dark_is_dark_and_charts_follow(page):
    [found] = browser.measure(page, (PHONE,), dark=True)
    assert found["ink"] == "rgb(229, 233, 238)"
    assert found["chartInk"] in (found["ink"], "rgb(155, 167, 180)")


def test_screenshots(page, tmp_path):
    pictures = []
    for dark in (False, True):
        file = tmp_path / f"dark-{dark}.png"
        browser.screenshot(page, (DESKTOP, PHONE), 1600, dark, file)
        pictures.append(matplotlib.image.imread(file)[..., :3])
    light, dark = pictures
    assert light.shape == dark.shape == (1600, DESKTOP + PHONE, 3)
    for part in (np.s_[:, :DESKTOP], np.s_[:, DESKTOP:]):
        assert light[part].mean() > 0.8 > 0.3 > dark[part].mean()
        for picture in (light[part], dark[part]):
            assert picture.std() > 0.05  # not blank
            assert len(np.unique(np.round(picture[::3, ::3] * 255) @ (1, 256, 65536))) > 50
