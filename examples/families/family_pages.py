"""The page and the picture of the families, from runs.csv: no number of them is typed by hand.

    python examples/families/family_pages.py

A block of the page stands between `<!-- NAME -->` and `<!-- end -->`, with a name of `blocks`.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "ablation"))
sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from keras_acl.system.atomic_write import written_whole
from keras_acl.system.figures import save_figure

from family_clips import DISTRACTORS, FIGURES, TASKS, WORDS
from family_networks import CLIP, FAMILIES
from family_runs import BATCH, HERE, RATE, RIDGE, SEEDS, read_rows
from lips import README_SPEAKERS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pages import BLOCK, START

CLASSES = {FIGURES: 8, WORDS: 10}
OURS, OTHERS = "#0072B2", "#666666"  # of Okabe and Ito
FLOORS = {"chance": ":", "ridge regression": "--"}
Rows = list[dict[str, str]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=HERE, help="where runs.csv is")
    options = parser.parse_args(arguments)
    rows, page = read_rows(options.folder / "runs.csv"), options.folder / "README.md"
    text = filled(page.read_text(encoding="utf-8"), rows)
    with written_whole(page) as beside:
        beside.write_text(text, encoding="utf-8")
    draw(rows, options.folder / "families.png")


def filled(page: str, rows: Rows) -> str:
    """The page with every block as the rows have it.

    Raises:
        ValueError: If a block has another name than those of `blocks`, or no end.
    """
    known = blocks(rows)
    names = [found[1] for found in BLOCK.finditer(page)]
    if 2 * len(names) != len(START.findall(page)) or set(names) != set(known):
        raise ValueError(f"Expected the blocks {', '.join(known)}. Received: {', '.join(names)}")
    return BLOCK.sub(
        lambda found: f"<!-- {found[1]} -->\n\n{known[found[1]]}\n\n<!-- end -->", page
    )


def blocks(rows: Rows) -> dict[str, str]:
    """Texts of the page by name."""
    return {"budget": budget(rows), "table": table(rows), "floors": below(rows)}


def accuracies(rows: Rows, task: str, family: str) -> list[float]:
    """Per cent, of each seed."""
    return [
        100 * float(row["accuracy"])
        for row in rows
        if (row["task"], row["family"]) == (task, family)
    ]


def families_of(rows: Rows) -> list[str]:
    """Those that have all their runs.

    Raises:
        ValueError: If there is none.
    """
    whole = [
        family
        for family in FAMILIES
        if all(len(accuracies(rows, task, family)) >= len(SEEDS) for task in TASKS)
    ]
    if not whole:
        raise ValueError("No family has all its runs yet.")
    return whole


def budget(rows: Rows) -> str:
    """What each run had."""
    runs = [row for row in rows if row["family"] in families_of(rows)]

    def all_of(name: str, task: str = "") -> str:
        return " or ".join(sorted({row[name] for row in runs if task in ("", row["task"])}))

    return (
        f"Clips of {CLIP.frames} frames of {CLIP.size} x {CLIP.size} pixels that show a whole "
        f"video. *{TASKS[FIGURES].capitalize()}*: {CLASSES[FIGURES]} motions, {DISTRACTORS} other "
        f"figures, {all_of('clips', FIGURES)} clips to learn from and {all_of('tested', FIGURES)} "
        f"others to measure on. *{TASKS[WORDS].capitalize()}*: {CLASSES[WORDS]} words, "
        f"{all_of('clips', WORDS)} clips to learn from and {all_of('tested', WORDS)} of "
        f"{len(README_SPEAKERS)} other speakers to measure on, each clip's mean picture taken off. "
        f"{all_of('steps')} steps of {BATCH} clips, moved and lit at random; Adam, a warm-up and a "
        f"cosine from one rate for all, {RATE}: chosen in a few runs of some of the families "
        f"on other clips, and not the best for each. Seeds "
        f"{', '.join(map(str, SEEDS))}: of the first weights, the order and the variations; the "
        f"clips are the same. Parameters and multiply-adds are those of the network for mouths; "
        f"*seconds* is the processor time of a training. Made with "
        f"{all_of('versions')} on {all_of('machine')}, at commit {all_of('commit')}."
    )


def table(rows: Rows) -> str:
    """A row for each family and each floor."""
    tasks = list(TASKS)
    head = [f"{TASKS[task]}, %" for task in tasks] + [
        f"{TASKS[task]}, known clips, %" for task in tasks
    ]
    head += ["parameters", "million multiply-adds", "seconds"]
    lines = ["| | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for family in families_of(rows):
        runs = {
            task: [row for row in rows if (row["task"], row["family"]) == (task, family)]
            for task in tasks
        }
        cells = [spread(accuracies(rows, task, family)) for task in tasks]
        cells += [
            f"{100 * statistics.mean(float(row['accuracy_train']) for row in runs[task]):.0f}"
            for task in tasks
        ]
        cells += [
            f"{int(runs[WORDS][0]['parameters']):,}",
            f"{int(runs[WORDS][0]['multiply_adds']) / 1e6:.1f}",
            f"{statistics.mean(float(row['seconds']) for task in tasks for row in runs[task]):.0f}",
        ]
        lines.append(f"| {FAMILIES[family].title} | " + " | ".join(cells) + " |")
    for name, found in floors_of(rows).items():
        cells = [f"{found[task]:.1f}" for task in tasks] + ["–"] * (len(head) - len(tasks))
        lines.append(f"| No network: {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


def floors_of(rows: Rows) -> dict[str, dict[str, float]]:
    """Accuracy without a network, per cent, by task."""
    return {
        "chance": {task: 100 / CLASSES[task] for task in TASKS},
        "ridge regression": {task: accuracies(rows, task, RIDGE)[0] for task in TASKS},
    }


def below(rows: Rows) -> str:
    """Which families did not learn, and which know more than a network is needed for."""
    lines = []
    for task, title in TASKS.items():
        tested = next(int(row["tested"]) for row in rows if row["task"] == task and row["tested"])
        chance = 1 / CLASSES[task]
        limit = 100 * (chance + 2 * math.sqrt(chance * (1 - chance) / tested))
        ridge = accuracies(rows, task, RIDGE)[0]
        means = {f: statistics.mean(accuracies(rows, task, f)) for f in families_of(rows)}
        near = titles(family for family, mean in means.items() if mean < limit)
        above = titles(family for family, mean in means.items() if mean > ridge)
        lines.append(
            f"* {title.capitalize()}. Highest mean: {titles([max(means, key=means.get)])}. Better "
            f"than the ridge regression: {above}. Within two standard errors of chance, so that "
            f"nothing shows that they learned: {near}."
        )
    return "\n".join(lines)


def titles(families: Iterable[str]) -> str:
    """Names of families as a list in a sentence."""
    return "; ".join(FAMILIES[family].title for family in families) or "none"


def draw(rows: Rows, file: Path) -> None:
    """Every run and the mean of each family, by task, beside the floors."""
    families = list(reversed(families_of(rows)))
    figure = Figure(figsize=(9.5, 1.4 + 0.27 * len(families)), layout="constrained")
    axes = figure.subplots(1, len(TASKS), sharey=True)
    for axis, task in zip(axes, TASKS, strict=True):
        draw_task(axis, rows, task, families)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    save_figure(figure, file)


def draw_task(axis: Axes, rows: Rows, task: str, families: list[str]) -> None:
    """One panel."""
    for name, found in floors_of(rows).items():
        axis.axvline(
            found[task], color="black", ls=FLOORS[name], lw=1.2, label=f"no network: {name}"
        )
    for place, family in enumerate(families):
        values = accuracies(rows, task, family)
        colour = OURS if family.startswith("two_stream") else OTHERS
        axis.plot(values, [place] * len(values), "o", color=colour, alpha=0.35, ms=5, mew=0)
        axis.plot(statistics.mean(values), place, "|", color=colour, ms=13, mew=2.5)
    axis.set_yticks(range(len(families)), [FAMILIES[family].title for family in families])
    axis.set_ylim(-0.6, len(families) - 0.4)
    axis.set_xlim(left=0)
    axis.tick_params(labelsize=9)
    axis.set_title(f"{TASKS[task]}: accuracy on new clips, %", fontsize=10)
    axis.grid(axis="x", alpha=0.3)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


if __name__ == "__main__":
    main()
