"""The pictures of the ablation."""

import math
import statistics
from pathlib import Path

from keras_acl.system.figures import save_figure

import comparisons
from comparisons import Cells, Comparison
from lips import FLOOR
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tables import MEASURES, METHODS, PANELS, TASK_NAMES, part_name, variant_name

# Of Okabe and Ito: these can be told apart by everybody.
FUSED, APART, PLAIN = "#D55E00", "#0072B2", "#666666"
BEST_FLOOR = f"{FLOOR}differences_ridge"  # what needs no network
FIGURE_TASKS = ("motion", "appearance_motion")


def colour(variant: str) -> str:
    """By whether two streams exchange features, are apart, or there is one."""
    if variant.startswith("fusion"):
        return FUSED
    return PLAIN if variant.startswith("slow") else APART


def draw_methods(cells: Cells, file: Path) -> None:
    """Accuracy of the methods, mean with its 95 % interval and every unit, by task."""
    cells = comparisons.on_folds(cells)
    known = comparisons.parts(cells)
    panels = [panel for panel in PANELS if panel in known]
    if not panels:
        return
    columns = math.ceil(len(PANELS) / 2) if len(panels) > 3 else len(panels)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(1.9 + 2.1 * columns, 0.5 + 2.0 * rows), layout="constrained")
    line = None
    grid = figure.subplots(rows, columns, squeeze=False)
    for axis, place in zip(grid.flat, range(grid.size), strict=True):
        if place >= len(panels):
            axis.set_axis_off()
            continue
        task, regime = panels[place]
        runs = {variant: cells.get((regime, task, variant), {}) for variant in METHODS}
        found = {v: comparisons.levels(cell, "accuracy") for v, cell in runs.items()}
        strip(axis, found, METHODS, labels=place % columns == 0)
        floor = comparisons.levels(cells.get((regime, task, BEST_FLOOR), {}), "accuracy")
        if floor:
            line = axis.axvline(statistics.mean(floor), color="black", ls=":", lw=1.2)
        axis.set_title(part_name(task, regime).replace(": ", "\n"), fontsize=10)
    figure.supxlabel("accuracy on new clips, %", fontsize=10)
    if line:
        label = "no network: ridge regression"
        figure.legend([line], [label], loc="outside lower right", fontsize=9, frameon=False)
    save_figure(figure, file)


def draw_variants(cells: Cells, file: Path) -> None:
    """Accuracy and where the streams look, of every variant among three distractors."""
    known = comparisons.parts(cells)
    tasks = [task for task in FIGURE_TASKS if (task, "rule") in known]
    if not tasks:
        return
    names = ("accuracy", "pointing_spatial", "pointing_temporal")
    trained = {task: comparisons.variants(cells, task, "rule") for task in tasks}
    heights = [0.8 + 0.24 * len(variants) for variants in trained.values()]
    figure = Figure(figsize=(10.5, sum(heights)), layout="constrained")
    grid = figure.subplots(
        len(tasks), len(names), squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for row, (task, variants) in zip(grid, trained.items(), strict=True):
        titles = {variant: variant_name(variant) for variant in variants}
        for axis, name in zip(row, names, strict=True):
            found = {v: comparisons.levels(cells["rule", task, v], name) for v in variants}
            strip(axis, found, titles, labels=axis is row[0])
            axis.set_title(f"{TASK_NAMES[task]}\n{MEASURES[name]}, %", fontsize=10)
    save_figure(figure, file)


def strip(axis: Axes, found: dict[str, list[float]], titles: dict[str, str], labels: bool) -> None:
    """A row for each variant: every value, and the mean with its 95 % interval."""
    names = list(reversed(titles))
    for place, variant in enumerate(names):
        values = found[variant]
        if not values:
            continue
        mean, half = comparisons.interval(values)
        style = {"color": colour(variant), "zorder": 3}
        axis.plot(values, [place] * len(values), "o", alpha=0.25, ms=4, mew=0, **style)
        error = None if math.isnan(half) else half
        face = colour(variant) if "sup" in variant else "white"  # filled: streams supervised
        axis.errorbar(mean, place, xerr=error, fmt="o", ms=6, mfc=face, mew=1.5, capsize=3, **style)
    axis.set_yticks(range(len(names)), [titles[name] for name in names])
    axis.set_ylim(-0.6, len(names) - 0.4)  # dots at the edge stay whole
    axis.tick_params(labelleft=labels, labelsize=9)
    axis.grid(alpha=0.3)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def draw_regimes(cells: Cells, file: Path) -> None:
    """What the term changes, with its interval, wherever there are runs with and without it."""
    pairs = {("ac", "no_fusion"): PLAIN, ("sup_ac", "sup"): APART}
    cells = comparisons.on_folds(cells)
    rows = [row for row in comparisons.comparisons(cells) if row[2:4] in pairs and not row.earlier]
    parts = list(dict.fromkeys((row.task, row.regime) for row in reversed(rows)))
    if not parts:
        return
    names = ("accuracy", "pointing_temporal")
    figure = Figure(figsize=(10.5, 1.2 + 0.36 * len(parts)), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, name in zip(axes, names, strict=True):
        for row in rows:
            _change(axis, cells, row, name, parts.index(row[:2]), pairs[row[2:4]])
        axis.axvline(0, color="black", lw=0.8)
        axis.set_yticks(range(len(parts)), [part_name(*part) for part in parts], fontsize=9)
        axis.set_ylim(-0.6, len(parts) - 0.4)
        axis.tick_params(labelleft=axis is axes[0])
        axis.set_title(f"{MEASURES[name]}: change by the term, points", fontsize=10)
        axis.grid(alpha=0.3)
    for pair in dict.fromkeys(row[2:4] for row in rows):
        shade = pairs[pair]
        axes[0].plot([], [], "o", color=shade, label=" minus ".join(map(variant_name, pair)))
    figure.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    save_figure(figure, file)


def _change(axis: Axes, cells: Cells, row: Comparison, name: str, place: int, shade: str) -> None:
    values = comparisons.differences(cells, row, name)
    if not values:
        return
    mean, half = comparisons.interval(values)
    place += 0.15 if row.variant == "ac" else -0.15
    axis.plot(values, [place] * len(values), "o", color=shade, alpha=0.25, ms=4, mew=0)
    error = None if math.isnan(half) else half
    axis.errorbar(mean, place, xerr=error, fmt="o", color=shade, capsize=3, ms=5)
