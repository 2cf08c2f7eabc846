"""What the runs of the ablation add up to: `runs.csv`, `results.md` and two pictures.

`runs.csv` is enough to print the tables of `results.md` again:

    python examples/ablation/results.py examples/ablation
"""

import csv
import functools
import json
import math
import statistics
import sys
from pathlib import Path

from keras_acl.system.atomic_write import written_whole
from keras_acl.system.figures import save_figure

from matplotlib.figure import Figure
from plan import EQUATIONS, REGIMES, TABLE5, VARIANTS, only_weight_differs

KEYS = ("regime", "task", "variant", "seed")
MEASURES = {
    "accuracy": "accuracy",
    "accuracy_shifted": "other crowd",
    "accuracy_spatial": "spatial alone",
    "accuracy_temporal": "temporal alone",
    "pointing_spatial": "S on actor",
    "pointing_temporal": "T on actor",
    "correlation": "S with T",
}
BASE, TERM = "no_fusion", "ac"
CONFIDENCE = 0.95

Cell = dict[int, dict[str, float]]  # what was measured, by seed


def write_results(output: Path) -> None:
    """Read every finished run and write what they say."""
    cells = read_runs(output / "runs")
    write_table(output / "runs.csv", cells)
    with written_whole(output / "results.md") as beside:
        beside.write_text(report(cells), encoding="utf-8")
    draw_variants(cells, output / "variants.png")
    draw_regimes(cells, output / "regimes.png")
    print(f"{sum(map(len, cells.values()))} runs: {output / 'results.md'}")


def read_runs(folder: Path) -> dict[tuple[str, str, str], Cell]:
    """(regime, task, variant) -> seed -> measured."""
    cells: dict[tuple[str, str, str], Cell] = {}
    for file in sorted(folder.glob("*.json")):
        if file.name.startswith("saving-"):  # of a process that is at it, or was killed
            continue
        result = json.loads(file.read_text(encoding="utf-8"))
        run = result["run"]
        cell = cells.setdefault((run["regime"], run["task"], run["variant"]), {})
        cell[run["seed"]] = {**result["measured"], "seconds": result["seconds"]}
    return cells


def write_table(file: Path, cells) -> None:
    """Write a row for each run."""
    names = sorted({name for cell in cells.values() for row in cell.values() for name in row})
    with written_whole(file) as beside, open(beside, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow([*KEYS, *names])
        for key, cell in sorted(cells.items()):
            for seed, row in sorted(cell.items()):
                values = [f"{row[name]:.4f}" if name in row else "" for name in names]
                writer.writerow([*key, seed, *values])


def read_table(file: Path) -> dict[tuple[str, str, str], Cell]:
    """What `write_table` wrote, as `read_runs` gives it."""
    cells: dict[tuple[str, str, str], Cell] = {}
    with open(file, newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            *key, seed = (row.pop(name) for name in KEYS)
            values = {name: float(value) for name, value in row.items() if value}
            cells.setdefault(tuple(key), {})[int(seed)] = values
    return cells


def report(cells) -> str:
    """The tables, as Markdown."""
    parts = [
        "# Results of `examples/ablation/run.py`\n\n"
        "Per cent, mean ± standard deviation over the seeds (their number in brackets). *Other "
        "crowd*: accuracy without distractors for networks trained among them, and the other way "
        "round. *Alone*: accuracy of one stream's logits. *On actor*: how often the strongest "
        "place of a stream's map of the labelled class is where the actor passes. *S with T*: "
        "correlation of both streams' maps, times 100. λ is 1.5, ramped over the first third of "
        "the training, where nothing else is said."
    ]
    for regime in ("rule", "alone"):
        for task in sorted({task for name, task, _ in cells if name == regime}):
            heading = f"## Table 5 in the small: {task}, {REGIMES[regime].meaning}"
            parts.append(f"{heading}\n\n{variant_table(cells, regime, task, TABLE5)}")
    hard = "appearance_motion"
    if any(("rule", hard, variant) in cells for variant in EQUATIONS):
        rows = (BASE, TERM, *EQUATIONS)
        parts.append(
            "## The temporal maps of section 3.3 and the forms of Eq. 3\n\n"
            + variant_table(cells, "rule", hard, rows)
        )
    parts.append(
        "## The term against the same network without it, paired by seed\n\n"
        "Difference in points with its 95 % interval (Student's t, for each figure alone), bold "
        "where that leaves out 0, and in how many of the seeds it is above 0.\n\n"
        + difference_table([*comparisons(cells), *comparisons_of_forms(cells)])
    )
    return "\n\n".join(parts) + "\n"


def variant_table(cells, regime: str, task: str, variants) -> str:
    rows = [f"| | {' | '.join(MEASURES.values())} |", "|---" * (len(MEASURES) + 1) + "|"]
    chances = [
        row["chance"]
        for (r, t, _), c in cells.items()
        if (r, t) == (regime, task)
        for row in c.values()
    ]
    for variant in variants:
        cell = cells.get((regime, task, variant))
        if cell:
            shown = " | ".join(
                mean_and_spread([r[m] for r in cell.values() if m in r]) for m in MEASURES
            )
            rows.append(f"| {VARIANTS[variant]} ({len(cell)}) | {shown} |")
    chance = 100 * statistics.mean(chances)
    return "\n".join(rows) + f"\n\nThe actor passes over {chance:.1f} % of the picture."


def mean_and_spread(values: list[float]) -> str:
    if not values:
        return "–"
    mean = f"{100 * statistics.mean(values):.1f}"
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


def difference_table(compared: list[tuple[str, Cell, Cell]]) -> str:
    names = ("accuracy", "accuracy_temporal", "pointing_spatial", "pointing_temporal")
    heads = " | ".join(MEASURES[name] for name in names)
    rows = [f"| | without the term: accuracy | {heads} |", "|---" * (len(names) + 2) + "|"]
    for title, base, term in compared:
        shown = [describe(paired(base, term, name)) for name in names]
        alone = mean_and_spread([base[seed]["accuracy"] for seed in term if seed in base])
        rows.append(f"| {title} | {alone} | {' | '.join(shown)} |")
    return "\n".join(rows)


def comparisons(cells) -> list[tuple[str, Cell, Cell]]:
    """Title, runs without the term and runs with it, where there are both."""
    found = []
    for regime, record in REGIMES.items():
        for task in sorted({task for name, task, _ in cells if name == regime}):
            base, term = base_of(cells, regime, task), cells.get((regime, task, TERM), {})
            if set(base) & set(term):
                found.append((f"{task}: {record.meaning}", base, term))
    return found


def comparisons_of_forms(cells) -> list[tuple[str, Cell, Cell]]:
    """The same for the other forms of the term, in the circumstances of Table 5."""
    found = []
    for (regime, task, form), term in sorted(cells.items()):
        base = base_of(cells, regime, task)
        if form in ("ac_scam", *EQUATIONS) and set(base) & set(term):
            found.append((f"{task}, {VARIANTS[form]}: {REGIMES[regime].meaning}", base, term))
    return found


def base_of(cells, regime: str, task: str) -> Cell:
    """The runs without the term; where only λ differs, those of the rule."""
    regime = "rule" if only_weight_differs(REGIMES[regime]) else regime
    return cells.get((regime, task, BASE), {})


def paired(base: Cell, term: Cell, name: str) -> list[float]:
    """Differences by seed, in points; none where there was nothing to measure."""
    seeds = sorted(set(base) & set(term))
    return [100 * (term[seed][name] - base[seed][name]) for seed in seeds if name in term[seed]]


def interval(differences: list[float]) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval; NaN for a single seed."""
    mean, count = statistics.mean(differences), len(differences)
    if count < 2:
        return mean, math.nan
    return mean, t_quantile(count - 1) * statistics.stdev(differences) / math.sqrt(count)


@functools.cache
def t_quantile(freedom: int) -> float:
    """Bound that Student's t of so many degrees of freedom keeps within, with 95 % probability."""
    import tensorflow as tf  # for the incomplete beta function

    low, high = 0.0, 16.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        arguments = (freedom / 2, 0.5, freedom / (freedom + middle**2))
        beyond = tf.math.betainc(*(tf.constant(value, tf.float64) for value in arguments))
        low, high = (middle, high) if beyond > 1 - CONFIDENCE else (low, middle)
    return high


def describe(differences: list[float]) -> str:
    if not differences:
        return "–"
    mean, half = interval(differences)
    above = sum(value > 0 for value in differences)
    shown = f"{mean:+.1f}" if math.isnan(half) else f"{mean:+.1f} ± {half:.1f}"
    shown = f"**{shown}**" if abs(mean) > half else shown
    return f"{shown} ({above} of {len(differences)})"


def draw_variants(cells, file: Path) -> None:
    """Every seed as a dot and the mean as a line, by variant."""
    tasks = sorted({task for regime, task, _ in cells if regime == "rule"})
    names = ("accuracy", "pointing_spatial", "pointing_temporal")
    figure = Figure(figsize=(3.6 * len(names), 2.6 * max(len(tasks), 1)), layout="constrained")
    grid = figure.subplots(max(len(tasks), 1), len(names), squeeze=False)
    for row, task in zip(grid, tasks, strict=False):
        for axis, name in zip(row, names, strict=True):
            for place, variant in enumerate(reversed(TABLE5)):
                cell = cells.get(("rule", task, variant), {})
                values = [100 * r[name] for r in cell.values() if name in r]
                colour = "tab:red" if variant.startswith("ac") else "tab:blue"
                axis.plot(values, [place] * len(values), "o", color=colour, alpha=0.4, ms=4)
                if values:
                    axis.plot(statistics.mean(values), place, "|", color=colour, ms=18, mew=2)
            axis.set_yticks(range(len(TABLE5)), [VARIANTS[v] for v in reversed(TABLE5)])
            axis.set_ylim(-0.6, len(TABLE5) - 0.4)  # dots at the edge stay whole
            axis.tick_params(labelleft=axis is row[0])
            axis.set_title(f"{task}: {MEASURES[name]}, %", fontsize=9)
            axis.grid(alpha=0.3, axis="x")
    save_figure(figure, file)


def draw_regimes(cells, file: Path) -> None:
    """What the term changes, with its interval, in each regime."""
    compared = comparisons(cells)
    names = ("accuracy", "pointing_temporal")
    figure = Figure(figsize=(10, 1.2 + 0.32 * len(compared)), layout="constrained")
    for axis, name in zip(figure.subplots(1, 2), names, strict=True):
        for place, (_, base, term) in enumerate(reversed(compared)):
            values = paired(base, term, name)
            if not values:
                continue
            mean, half = interval(values)
            half = 0 if math.isnan(half) else half
            axis.errorbar(mean, place, xerr=half, fmt="o", color="tab:red", capsize=3)
            axis.plot(values, [place] * len(values), ".", color="black", alpha=0.3)
        axis.axvline(0, color="black", lw=0.8)
        axis.set_yticks(range(len(compared)), [row[0] for row in reversed(compared)], fontsize=8)
        axis.set_ylim(-0.6, len(compared) - 0.4)
        axis.tick_params(labelleft=name == names[0])
        axis.set_title(f"AC minus no term: {MEASURES[name]}, points", fontsize=9)
        axis.grid(alpha=0.3, axis="x")
    save_figure(figure, file)


if __name__ == "__main__":
    print(report(read_table(Path(sys.argv[1]) / "runs.csv")), end="")
