"""The picture of a timeline: scores over time, segments below, a strip of frames above."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from keras_acl.inference.timeline import Segment, Timeline
from keras_acl.system.figures import save_figure
from keras_acl.video.read import read_frames
from keras_acl.video.video import DecodingError

# As many colours as can be told apart; gray stands for all other classes.
PALETTE = [f"tab:{name}" for name in ("blue", "orange", "green", "red", "purple", "brown", "pink")]
PALETTE += ["tab:olive", "tab:cyan", "black"]
OTHERS = "lightgray"
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
MOST_TICKS = 12
WIDTH = 10.0  # inches
THUMBNAIL_SIDE = 96  # pixels
MOST_ROWS = 10  # of segments that are drawn at full height
LETTER = 0.075  # inches of a letter of a class name on its segment


def minutes(second: float, digits: int = 0) -> str:
    """Seconds as `m:ss`, or `h:mm:ss` from an hour on.

    Args:
        second: Seconds, 0 or more.
        digits: Digits behind the point.
    """
    scale = 10**digits
    whole, part = divmod(round(second * scale), scale)
    hours, rest = divmod(whole, 3600)
    text = f"{rest // 60}:{rest % 60:02d}"
    if hours:
        text = f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
    return f"{text}.{part:0{digits}d}" if digits else text


def plot_timeline(
    timeline: Timeline,
    file: str | Path,
    segments: Sequence[Segment] | None = None,
    thumbnails: int = 10,
) -> None:
    """Draw the scores of the main classes over time, and the segments below.

    Args:
        timeline: Timeline that `predict_timeline` returned.
        file: Picture to write; its ending chooses the format.
        segments: Segments to draw, by default those of `timeline.segments()`.
        thumbnails: Frames of the recording shown above; 0 for none. They are read from the file
            again, each from the nearest key frame on; without the file there are none.
    """
    save_figure(timeline_figure(timeline, segments, thumbnails), file)


def timeline_figure(
    timeline: Timeline, segments: Sequence[Segment] | None = None, thumbnails: int = 10
) -> Figure:
    """The figure that `plot_timeline` writes."""
    chosen = timeline.segments() if segments is None else list(segments)
    colours = _colours(timeline, chosen)
    frames = _thumbnails(timeline, thumbnails)
    # Segments of several labels may overlap: a row for each of these.
    rows = list(dict.fromkeys(one.label for one in chosen)) if timeline.multi_label else []
    heights = [0.62] * bool(frames) + [2.6, 0.3 * max(1, min(len(rows), MOST_ROWS))]
    figure = Figure(figsize=(WIDTH, sum(heights) + 1.3), layout="constrained")
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if frames:
        _draw_frames(axes[0], frames)
    _draw_scores(axes[-2], timeline, colours)
    _draw_segments(axes[-1], chosen, colours, float(timeline.times[-1, 1]), rows)
    title = Path(timeline.path).name
    if timeline.problem:
        title += f" ({timeline.problem})"
    figure.suptitle(title, fontsize=10, x=0.01, ha="left", parse_math=False)
    handles, names = axes[-2].get_legend_handles_labels()
    if any(segment.label not in colours for segment in chosen):
        handles, names = [*handles, Patch(color=OTHERS)], [*names, "other classes"]
    figure.legend(handles, names, loc="outside lower left", ncols=6, fontsize=8, frameon=False)
    return figure


def _colours(timeline: Timeline, segments: list[Segment]) -> dict[str, str]:
    """Colours of the classes shown: those with most seconds, in order of appearance, then others.

    Others are classes that come close to a segment somewhere.
    """
    seconds: dict[str, float] = {}
    for segment in segments:
        seconds[segment.label] = seconds.get(segment.label, 0.0) + segment.end - segment.start
    longest = sorted(seconds, key=lambda name: -seconds[name])[: len(PALETTE)]
    names = [name for name in seconds if name in longest]
    best = timeline.scores.max(axis=0)
    order = [index for index in np.argsort(-best) if best[index] >= 0.3] or [int(best.argmax())]
    names += [timeline.labels[i] for i in order if timeline.labels[i] not in seconds]
    return dict(zip(names, PALETTE, strict=False))


def _thumbnails(timeline: Timeline, count: int) -> list[np.ndarray]:
    seconds = float(timeline.times[-1, 1])
    try:
        return [
            read_frames(timeline.path, [(place + 0.5) * seconds / count], THUMBNAIL_SIDE)[0]
            for place in range(count)
        ]
    except DecodingError:
        return []


def _draw_frames(axis: Axes, frames: list[np.ndarray]) -> None:
    axis.set_axis_off()
    share = 1 / len(frames)
    for place, frame in enumerate(frames):
        cell = axis.inset_axes(((place + 0.02) * share, 0, 0.96 * share, 1))
        cell.imshow(frame)
        cell.set_axis_off()


def _draw_scores(axis: Axes, timeline: Timeline, colours: dict[str, str]) -> None:
    edges, scores = timeline.moments()
    for name, colour in colours.items():
        curve = scores[:, timeline.labels.index(name)]
        axis.stairs(curve, edges, color=colour, linewidth=1.5, label=name, baseline=None)
    axis.set(ylim=(0, 1.03), ylabel="score")
    axis.grid(alpha=0.3)
    axis.tick_params(labelbottom=False)
    _set_times(axis, edges[-1])


def _draw_segments(
    axis: Axes,
    segments: list[Segment],
    colours: dict[str, str],
    seconds: float,
    rows: Sequence[str] = (),
) -> None:
    height = 1 / max(1, len(rows))
    for segment in segments:
        colour = colours.get(segment.label, OTHERS)
        row = 1 - height * (rows.index(segment.label) + 0.5 if rows else 0.5)
        place = {"ymin": row - height / 2, "ymax": row + height / 2}
        axis.axvspan(
            segment.start, segment.end, facecolor=colour, edgecolor="white", lw=0.8, **place
        )
        middle, length = (segment.start + segment.end) / 2, segment.end - segment.start
        if length / seconds * WIDTH > LETTER * len(segment.label):
            ink = "black" if colour == OTHERS else "white"
            axis.text(middle, row, segment.label, color=ink, fontsize=7, ha="center", va="center",
                      parse_math=False)  # fmt: skip
    axis.set(ylim=(0, 1), yticks=[], xlabel="time")
    axis.set_ylabel("segments", rotation=0, ha="right", va="center")
    _set_times(axis, seconds)


def _set_times(axis: Axes, seconds: float) -> None:
    step = next((step for step in STEPS if seconds / step <= MOST_TICKS), seconds)
    digits = 0 if step >= 1 else 1
    axis.set_xlim(0, seconds)
    axis.xaxis.set_major_locator(MultipleLocator(step))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda at, _: minutes(max(at, 0), digits)))
