"""Charts of a report: matplotlib's SVG, in the colours of the page that they stand in."""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from keras_acl.evaluation.calibration import CalibrationBin
from keras_acl.evaluation.comparison import Difference
from keras_acl.evaluation.metrics import wilson_interval
from keras_acl.evaluation.number_text import signed
from keras_acl.evaluation.roc import RocCurve, mean_area, mean_curve
from keras_acl.training.history import drawn, highest

# A figure is drawn in these stand-ins. In the page they are variables of its style sheet, so that
# one picture serves light and dark.
INK, MUTED, LINE, PAGE = "#010203", "#010204", "#010205", "#010206"
ACCENT, OTHER = "#010207", "#010208"  # right or gained; wrong or lost
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", PAGE: "page", ACCENT: "accent"} | {
    OTHER: "other"
}
# A picture cannot have variables: hues that show on white and on black.
ACCENT_RGB, OTHER_RGB = (0.23, 0.51, 0.96), (0.93, 0.47, 0.13)

CHART = 360  # pixels wide, as it fits on a phone
CURVE = 320  # three side by side
NAMED_CLASSES = 30  # a matrix has names up to here
NAME_LENGTH = 26
SIGNIFICANT = 0.05


def curve_charts(history: Mapping[str, Sequence[float]], salt: str) -> list[str]:
    """The quantities of `drawn` by epoch, a chart each; validation dashed.

    Args:
        history: Columns of a `history.csv`; `epoch` counts from 0.
        salt: Tells the ids of this run's charts from others in the page.
    """
    charts = []
    for name in drawn(history):
        with _chart(f"{salt}-{name}", CURVE, 230) as (figure, svg):
            axis = figure.subplots()
            epochs = np.add(history["epoch"], 1)
            axis.plot(epochs, history[name], "o-", color=ACCENT, label="training")
            if f"val_{name}" in history:
                axis.plot(epochs, history[f"val_{name}"], "o--", color=OTHER, label="validation")
                axis.legend()
            axis.set(
                title=name.replace("_", " "),
                xlabel="epoch",
                xlim=(epochs[0] - 0.5, epochs[-1] + 0.5),
            )
            axis.set_ylim(0, highest(history, name))
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axis.grid(axis="y")
        last = {key: history[key][-1] for key in (name, f"val_{name}") if key in history}
        words = ", ".join(f"{key} {value:.3f}" for key, value in last.items())
        charts.append(svg(f"{name} over {len(epochs)} epochs; at the end {words}"))
    return charts


def matrix_chart(matrix: np.ndarray, labels: Sequence[str], salt: str) -> str:
    """The confusion matrix: with names and numbers, or as a picture where the classes are many.

    Args:
        matrix: (L, L) videos by class (rows) and prediction (columns).
        labels: (L,) class names.
        salt: Tells the ids of this run's charts from others in the page.
    """
    count = len(labels)
    right, total = int(np.trace(matrix)), int(matrix.sum())
    title = f"Confusion matrix of {count} classes: {right} of {total} videos on the diagonal"
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    if count > NAMED_CLASSES:
        with _chart(f"{salt}-matrix", 480, 480) as (figure, svg):
            axis = figure.subplots()
            axis.imshow(_matrix_picture(shares), interpolation="none")
            axis.set(xlabel="predicted class, by its number", ylabel="true class, by its number")
            axis.spines[:].set_visible(True)
        return svg(title)
    cell = 27 if count <= 16 else 24
    names = [_short(label) for label in labels]
    margin = 40 + 6.2 * max(map(len, names))
    side = round(max(count * cell + margin, 240))
    with _chart(f"{salt}-matrix", side, side) as (figure, svg):
        axis = figure.subplots()
        for row, column in zip(*matrix.nonzero(), strict=True):
            share = shares[row, column]
            colour = ACCENT if row == column else OTHER
            place = (column - 0.5, row - 0.5)
            axis.add_patch(Rectangle(place, 1, 1, facecolor=colour, alpha=0.12 + 0.88 * share))
            ink = PAGE if share > 0.5 else INK
            axis.text(column, row, str(matrix[row, column]), color=ink, ha="center", va="center")
        axis.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
        turned = {"rotation": 60, "rotation_mode": "anchor", "ha": "right"}
        axis.set_xticks(range(count), names, **turned)
        axis.set_yticks(range(count), names)
        axis.set(xlabel="predicted", ylabel="true")
        axis.set_xticks(np.arange(count + 1) - 0.5, minor=True)
        axis.set_yticks(np.arange(count + 1) - 0.5, minor=True)
        axis.grid(which="minor")
        axis.tick_params(which="both", length=0)
        axis.spines[:].set_visible(True)
    return svg(title)


def calibration_chart(bins: Sequence[CalibrationBin], error: float, salt: str) -> str:
    """The reliability diagram: accuracy by confidence, and how many videos each bin has."""
    filled = [row for row in bins if row.videos]
    centres = [(row.low + row.high) / 2 for row in filled]
    width = bins[0].high - bins[0].low
    with _chart(f"{salt}-calibration", CHART, 380) as (figure, svg):
        axis, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        axis.plot([0, 1], [0, 1], "--", color=MUTED, label="as sure as right")
        heights = [row.accuracy for row in filled]
        axis.bar(centres, heights, width * 0.9, color=ACCENT, alpha=0.75, label="accuracy")
        intervals = np.array(
            [wilson_interval(round(row.accuracy * row.videos), row.videos) for row in filled]
        )
        axis.vlines(centres, *intervals.T, color=INK, linewidth=1, label="95 % interval")
        sure = [row.confidence for row in filled]
        axis.plot(sure, sure, "D", color=OTHER, markersize=4, label="mean score")
        axis.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy")
        figure.legend(loc="outside upper left", ncols=2, fontsize=10)
        below.bar(centres, [row.videos for row in filled], width * 0.9, color=MUTED)
        below.set(xlabel="score of the predicted class", ylabel="videos")
        below.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        for one in (axis, below):
            one.grid(axis="y")
        for one in (axis.xaxis, axis.yaxis):
            one.set_major_formatter(PercentFormatter(1, symbol=" %"))
    return svg(f"Reliability diagram; expected calibration error {error:.1%}")


def roc_chart(curves: Sequence[RocCurve], salt: str) -> str:
    """ROC curves: of each class, thin; their mean; and the class with the smallest area."""
    mean, worst = mean_curve(list(curves)), min(curves, key=lambda curve: curve.area)
    with _chart(f"{salt}-roc", CHART, 380) as (figure, svg):
        axis = figure.subplots()
        axis.plot([0, 1], [0, 1], "--", color=MUTED, linewidth=1, label="chance")
        for index, curve in enumerate(curves):
            name = "a class" if index == 0 and len(curves) > 1 else None
            axis.plot(curve.false_positives, curve.true_positives, color=MUTED, linewidth=0.8,
                      alpha=0.6, label=name)  # fmt: skip
        lines = [(worst, OTHER, _short(worst.label)), (mean, ACCENT, "mean")][: len(curves)]
        areas = worst.area, mean_area(list(curves))
        for (curve, colour, name), area in zip(lines, areas, strict=False):
            axis.plot(curve.false_positives, curve.true_positives, color=colour, linewidth=2,
                      label=f"{name}: area {area:.3f}")  # fmt: skip
        axis.set(xlim=(-0.01, 1), ylim=(0, 1.01), aspect="equal",
                 xlabel="false positive rate", ylabel="true positive rate")  # fmt: skip
        figure.legend(loc="outside upper left", ncols=2, fontsize=10)
        axis.grid()
        for one in (axis.xaxis, axis.yaxis):
            one.set_major_formatter(PercentFormatter(1, symbol=" %"))
    return svg(f"ROC curves of {len(curves)} classes; mean area {areas[1]:.3f}")


def change_chart(rows: Sequence[Difference], salt: str) -> str:
    """The change of every class as named bars, in the order given; the significant ones full."""
    with _chart(f"{salt}-change", CHART, 64 + 19 * len(rows)) as (figure, svg):
        axis = figure.subplots()
        places = np.arange(len(rows))
        changes = [100 * row.change for row in rows]
        bars = axis.barh(places, changes, 0.72, color=_colours(rows))
        for bar, row, change in zip(bars, rows, changes, strict=True):
            bar.set_alpha(1 if row.adjusted < SIGNIFICANT else 0.45)
            star = " *" if row.adjusted < SIGNIFICANT else ""
            side = {"ha": "left" if change >= 0 else "right", "va": "center", "fontsize": 10}
            sign = 1 if change >= 0 else -1
            axis.annotate(signed(change) + star, (change, bar.get_y() + 0.36), (4 * sign, 0),
                          textcoords="offset points", **side)  # fmt: skip
        axis.axvline(0, color=INK, linewidth=1)
        axis.set_yticks(places, [_short(row.name) for row in rows])
        axis.set(ylim=(len(rows) - 0.4, -0.6), xlabel="change of accuracy in points")
        axis.margins(x=0.28)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.grid(axis="x")
    return svg(_change_title(rows))


def profile_chart(rows: Sequence[Difference], salt: str) -> str:
    """The change of many classes as bars without names, in the order given."""
    with _chart(f"{salt}-profile", CHART, 260) as (figure, svg):
        axis = figure.subplots()
        bars = axis.bar(range(len(rows)), [100 * row.change for row in rows], 1.0,
                        color=_colours(rows))  # fmt: skip
        for bar, row in zip(bars, rows, strict=True):
            bar.set_alpha(1 if row.adjusted < SIGNIFICANT else 0.45)
        axis.axhline(0, color=INK, linewidth=1)
        axis.set(xlabel="classes, by their change", ylabel="points", xlim=(-1, len(rows)))
        axis.set_xticks([])
        axis.grid(axis="y")
    return svg(_change_title(rows))


def _change_title(rows: Sequence[Difference]) -> str:
    better, worse = sum(row.change > 0 for row in rows), sum(row.change < 0 for row in rows)
    sure = sum(row.adjusted < SIGNIFICANT for row in rows)
    return (
        f"Change of accuracy by class: {better} of {len(rows)} classes better, {worse} worse, "
        f"{sure} significantly"
    )


def _colours(rows: Sequence[Difference]) -> list[str]:
    return [ACCENT if row.change >= 0 else OTHER for row in rows]


def _matrix_picture(shares: np.ndarray) -> np.ndarray:
    """(L, L, 4) float RGBA: the diagonal in one hue, mistakes in another, opaque as they are many.

    A single mistake can be seen, too.
    """
    picture = np.empty((*shares.shape, 4))
    picture[..., :3] = OTHER_RGB
    picture[np.arange(len(shares)), np.arange(len(shares)), :3] = ACCENT_RGB
    picture[..., 3] = np.where(shares > 0, 0.25 + 0.75 * np.sqrt(shares), 0)
    return picture


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"


@contextlib.contextmanager
def _chart(salt: str, width: float, height: float) -> Iterator[tuple[Figure, "_Svg"]]:
    """A figure of so many pixels, and what makes an SVG of it once the block is left."""
    style: dict[Any, Any] = {
        "svg.fonttype": "none",  # text stays text: it can be read out, copied and restyled
        "svg.hashsalt": salt,
        "text.usetex": False,
        "text.parse_math": False,  # a dollar in a class name is a dollar
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.titlelocation": "left",
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "text.color": INK,
        "axes.titlecolor": INK,
        "axes.labelcolor": MUTED,
        "axes.edgecolor": LINE,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": LINE,
        "ytick.color": LINE,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "grid.color": LINE,
        "grid.linewidth": 0.8,
        "legend.frameon": False,
        "lines.markersize": 4,
    }
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # Text is drawn by the browser; matplotlib's own font only measures it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        svg = _Svg(salt, round(width), round(height))
        yield figure, svg
        svg.draw(figure)


class _Svg:
    """Draws a figure, and makes of matplotlib's file an element for a page.

    Args:
        salt: In front of every id: a page has several charts, whose ids must differ.
        width: Width of the chart in pixels.
        height: Height of the chart in pixels.
    """

    def __init__(self, salt: str, width: int, height: int):
        self.salt, self.width, self.height = salt, width, height
        self.text = ""

    def draw(self, figure: Figure) -> None:
        """Keep what matplotlib writes."""
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
        self.text = file.getvalue()

    def __call__(self, title: str) -> str:
        """The element, with a title for those who cannot see it."""
        body = self.text[self.text.index("<svg") :]
        body = body[body.index(">") + 1 :]
        body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
        body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)  # it would rule the page
        body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
        body = re.sub(r"<[^>]*>", lambda tag: self._tag(tag[0]), body)
        body = re.sub(r">\s+<", "><", body)
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" aria-labelledby="{self.salt}-title">'
            f'<title id="{self.salt}-title">{escape(title)}</title>{body.strip()}'
        )

    def _tag(self, tag: str) -> str:
        """A tag with ids of its own and the page's colours; text between tags is left alone."""
        tag = re.sub(r'^<g id="[^"]*"', "<g", tag)  # nothing refers to groups
        tag = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{self.salt}-", tag)
        for colour, name in VARIABLES.items():
            tag = tag.replace(colour, f"var(--{name})")
        return re.sub(r"font-family: [^;\"]*;? ?", "", tag)
