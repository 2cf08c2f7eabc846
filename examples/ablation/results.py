"""What the runs of the ablation add up to: tables, pictures, and the numbers in pages.

`runs.csv` is enough for all of it:

    python examples/ablation/results.py examples/ablation                       # every table
    python examples/ablation/results.py examples/ablation --pages PAGE.md       # fill in a page
    python examples/ablation/results.py examples/ablation --pictures FOLDER
"""

import argparse
import csv
import json
from pathlib import Path

from keras_acl.system.atomic_write import written_whole

from charts import draw_methods, draw_regimes, draw_variants
from comparisons import Cells
from pages import filled
from tables import report

KEYS = ("regime", "task", "variant", "fold", "seed")
PROVENANCE = ("commit", "machine", "backend", "versions")  # words; the others are numbers


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where runs.csv is")
    parser.add_argument("--pages", type=Path, nargs="+", help="Markdown whose numbers are renewed")
    parser.add_argument("--pictures", type=Path, help="folder in which the pictures are drawn")
    options = parser.parse_args(arguments)
    cells = read_table(options.folder / "runs.csv")
    for page in options.pages or ():
        try:
            text = filled(page.read_text(encoding="utf-8"), cells)
        except ValueError as error:
            raise SystemExit(f"{page}: {error}") from None
        with written_whole(page) as beside:
            beside.write_text(text, encoding="utf-8")
    if options.pictures:
        draw(cells, options.pictures)
    if not options.pages and not options.pictures:
        print(report(cells), end="")


def write_results(output: Path) -> None:
    """Read every finished run and write what they say."""
    write_table(output / "runs.csv", read_runs(output / "runs"))
    cells = read_table(output / "runs.csv")  # rounded, so that the file gives the same tables
    with written_whole(output / "results.md") as beside:
        beside.write_text(report(cells), encoding="utf-8")
    draw(cells, output)
    print(f"{sum(map(len, cells.values()))} runs: {output / 'results.md'}")


def draw(cells: Cells, folder: Path) -> None:
    """Write the pictures of which there are runs."""
    draw_methods(cells, folder / "methods.png")
    draw_variants(cells, folder / "variants.png")
    draw_regimes(cells, folder / "regimes.png")


def read_runs(folder: Path) -> Cells:
    """What was measured: (regime, task, variant) -> (fold, seed) -> name -> value."""
    cells: Cells = {}
    for file in sorted(folder.glob("*.json")):
        if file.name.startswith("saving-"):  # of a process that is at it, or was killed
            continue
        result = json.loads(file.read_text(encoding="utf-8"))
        run, made_by = result["run"], result.get("provenance", {})
        fold = run.get("fold")
        cell = cells.setdefault((run["regime"], run["task"], run["variant"]), {})
        cell["" if fold is None else str(fold), run["seed"]] = {
            **result["measured"],
            "seconds": result["seconds"],
            **{name: str(made_by[name]) for name in PROVENANCE if name in made_by},
        }
    return cells


def write_table(file: Path, cells: Cells) -> None:
    """Write a row for each run."""
    found = {name for cell in cells.values() for row in cell.values() for name in row}
    names = [*sorted(found - set(PROVENANCE)), *(name for name in PROVENANCE if name in found)]
    with written_whole(file) as beside, open(beside, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*KEYS, *names])
        for key, cell in sorted(cells.items()):
            for run, row in sorted(cell.items()):
                writer.writerow([*key, *run, *(_written(row.get(name, "")) for name in names)])


def _written(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4f}"


def read_table(file: Path) -> Cells:
    """What `write_table` wrote, as `read_runs` gives it."""
    cells: Cells = {}
    with open(file, newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            regime, task, variant, fold, seed = (row.pop(name, "") for name in KEYS)
            cells.setdefault((regime, task, variant), {})[fold, int(seed)] = {
                name: value if name in PROVENANCE else float(value)
                for name, value in row.items()
                if value
            }
    return cells


if __name__ == "__main__":
    main()
