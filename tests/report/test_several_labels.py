import dataclasses

import numpy as np
import pytest
from made_scores import made_scores, save_run
from report.page import Page

from keras_acl.evaluation.number_text import percent
from keras_acl.report.write import write_report

TRUTH = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]]
SCORES = [[0.9, 0.2, 0.1], [0.8, 0.7, 0.1], [0.1, 0.4, 0.6], [0.2, 0.6, 0.1]]


@pytest.fixture
def run(tmp_path):
    """Four videos: "a" is found at ranks 1 and 2, "b" at 1 and 3, "c" nobody has."""
    scores = dataclasses.replace(
        made_scores(labels=("a", "b", "c"), count=4),
        truth=np.array(TRUTH, np.int8),
        probabilities=np.array(SCORES, np.float32),
    )
    return save_run(tmp_path / "run", scores)


def test_a_page_says_how_well_each_label_is_found(run, tmp_path):
    """By hand: average precisions 1 and (1 + 2 / 3) / 2, their mean 0.9167."""
    write_report(run, tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    head, *rows = page.tables["All labels"]
    assert head == ["label", "videos", "average precision", "precision", "recall", "F1"]
    assert [row[:2] for row in rows] == [["b", "2"], ["a", "2"]]  # worst first
    assert rows[0][2:] == [percent(share) for share in (5 / 6, 0.5, 0.5, 0.5)]
    assert rows[1][2:] == [percent(1)] * 4
    assert percent(11 / 12, 2) in page.text
    assert f"at random {percent(0.5, 2)}" in page.text
    assert "No video has c." in page.text


def test_two_such_runs_are_not_compared(run, tmp_path):
    with pytest.raises(ValueError, match="write a report of each"):
        write_report(run, tmp_path / "report.html", other=run)
    assert not (tmp_path / "report.html").exists()
