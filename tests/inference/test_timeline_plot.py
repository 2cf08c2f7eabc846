import base64
import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from video_files import numbered_frames, write_video

from keras_acl.inference import timeline_plot
from keras_acl.inference.timeline import Timeline
from keras_acl.inference.timeline_plot import WIDTH, minutes, plot_timeline
from keras_acl.system.figures import DPI


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures that would be written."""
    figures: list[Figure] = []
    save = timeline_plot.save_figure

    def kept(figure, file):
        figures.append(figure)
        save(figure, file)

    monkeypatch.setattr(timeline_plot, "save_figure", kept)
    return figures


def two_parts(path="gone.mp4", problem=None, labels=("run", "jump", "$_{no math")) -> Timeline:
    """Two minutes: the first class, then the second."""
    times = np.stack([np.arange(0, 120.0, 2), np.arange(2, 122.0, 2)], axis=1)
    scores = np.zeros((60, len(labels)), np.float32)
    scores[:30, 0], scores[30:, 1] = 0.8, 0.9
    return Timeline(str(path), times, scores, labels, problem)


@pytest.mark.parametrize(
    ("second", "digits", "text"),
    [
        (0, 0, "0:00"),
        (59.6, 0, "1:00"),
        (61, 0, "1:01"),
        (3599.96, 1, "1:00:00.0"),
        (3725, 0, "1:02:05"),
        (7.25, 2, "0:07.25"),
    ],
)
def test_seconds_as_minutes(second, digits, text):
    assert minutes(second, digits) == text


def test_curves_and_bars_show_the_scores_and_the_segments(drawn, tmp_path):
    plot_timeline(two_parts(), tmp_path / "t.png")
    curves, bars = drawn[0].axes
    first, second = curves.patches
    assert (first.get_label(), second.get_label()) == ("run", "jump")
    values, edges, _ = first.get_data()
    assert values[:30] == pytest.approx([0.8] * 30)
    assert (edges[0], edges[-1]) == (0, 120)
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars.patches]
    assert spans == [(0, 60), (60, 120)]
    colours = [bar.get_facecolor() for bar in bars.patches]
    assert colours == [curve.get_edgecolor() for curve in (first, second)]
    assert [text.get_text() for text in bars.texts] == ["run", "jump"]
    ticks = [tick.get_text() for tick in bars.get_xticklabels()]
    assert ticks[1:4] == ["0:00", "0:10", "0:20"] or ticks[:3] == ["0:00", "0:10", "0:20"]
    assert imread(tmp_path / "t.png").shape[1] == WIDTH * DPI


def test_overlapping_segments_of_several_labels_have_a_row_each(drawn, tmp_path):
    times = np.stack([np.arange(0, 60.0, 2), np.arange(2, 62.0, 2)], axis=1)
    scores = np.full((30, 2), 0.9, np.float32)
    scores[:10, 1] = 0
    several = Timeline("gone.mp4", times, scores, ("run", "red"), multi_label=True)
    plot_timeline(several, tmp_path / "rows.png")
    bars = [patch.get_bbox() for patch in drawn[0].axes[-1].patches]
    assert [(bar.ymin, bar.ymax) for bar in bars] == [(0.5, 1), (0, 0.5)]
    assert [(bar.xmin, bar.xmax) for bar in bars] == [(0, 60), (20, 60)]


def test_frames_of_the_recording_stand_above(drawn, tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(60))
    times = np.array([[0.0, 1.0], [1.0, 2.0]])
    timeline = Timeline(str(path), times, np.array([[0.9, 0.1], [0.1, 0.9]]), ("a", "b"))
    plot_timeline(timeline, tmp_path / "t.png", thumbnails=4)
    strip = drawn[0].axes[0]
    levels = [cell.images[0].get_array().mean() for cell in strip.child_axes]
    # frames 7, 22, 37, 52, in the middle of four parts of 15: gray of level 7 + 3n
    np.testing.assert_allclose(levels, [28, 73, 118, 163], atol=2)
    plot_timeline(timeline, tmp_path / "t.png", thumbnails=0)
    assert len(drawn[1].axes) == 2


def test_a_problem_and_odd_names_are_printed_as_they_are(drawn, tmp_path):
    plot_timeline(two_parts("a$b_{c.mp4", problem="it breaks off"), tmp_path / "t.svg")
    assert drawn[0].get_suptitle() == "a$b_{c.mp4 (it breaks off)"


def test_more_classes_than_colours_and_none(drawn, tmp_path):
    count = 14
    times = np.stack([np.arange(count), np.arange(count) + 1.0], axis=1)
    labels = tuple(f"class {index}" for index in range(count))
    timeline = Timeline("v.mp4", times, np.eye(count), labels)
    plot_timeline(timeline, tmp_path / "t.png", timeline.segments(smoothing=1))
    curves, bars = drawn[0].axes
    assert len(curves.patches) == 10
    assert len(bars.patches) == 14
    assert [text.get_text() for text in drawn[0].legends[0].texts][9:] == [
        "class 9",
        "other classes",
    ]
    flat = Timeline("v.mp4", times, np.full((count, count), 1 / count), labels)
    plot_timeline(flat, tmp_path / "t.png")
    assert len(drawn[1].axes[1].patches) == 0
    assert len(drawn[1].axes[0].patches) == 1


def test_a_notebook_shows_the_plot_and_the_segments():
    shown = two_parts(labels=("run", "<jump>"))._repr_html_()
    picture = imread(io.BytesIO(base64.b64decode(shown.split("base64,")[1].split('"')[0])))
    # Of the two bars at the bottom the left half has the first colour, the right half the second.
    rows = np.round(picture[..., :3] * 255).astype(int)
    for colour, (first, last) in {(31, 119, 180): (0, 0.55), (255, 127, 14): (0.5, 1)}.items():
        _, columns = np.nonzero((rows == colour).all(axis=2))
        widths = columns / picture.shape[1]
        assert np.mean((first < widths) & (widths < last)) > 0.9
    for part in ("0:00.0", "1:00.0", "2:00.0", "run", "&lt;jump&gt;"):
        assert part in shown
