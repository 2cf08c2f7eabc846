"""Cause every fault many times, and write the table of README.md from what came out.

python tests/soak/soak.py               all parts, each in a process of its own
python tests/soak/soak.py nan_loss      one of them; the others' results stay
python tests/soak/soak.py killed_commands.shrink    one row of a part
python tests/soak/soak.py --table       the table alone
"""

import argparse
import dataclasses
import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS, PAGE = HERE / "results", HERE / "README.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "data"), str(HERE)]
sys.path.append(str(HERE.parent / "pretrained"))

import keras_acl  # noqa: E402, F401  turns TensorFlow's fast convolutions on

# How often each part causes its faults, in order of the table.
TIMES = {
    "mutated_videos": 10_000,
    "killed_commands": 20,
    "disks_and_folders": 3,
    "hostile_inputs": 1,
    "flat_memory": 1_000,
    "nan_loss": 20,
}


def perform(part: str, times: int | None = None) -> bool:
    """Cause a part's faults and note what came out; whether all survived."""
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    part, _, only = part.partition(".")
    try:
        rows = importlib.import_module(part).run(
            times or TIMES[part], folder, *([only] if only else [])
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    file = RESULTS / f"{part}.json"
    content = {row.fault: dataclasses.asdict(row) for row in rows}
    if only:
        kept = {row["fault"]: row for row in json.loads(file.read_text(encoding="utf-8"))}
        content = kept | content
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(list(content.values()), indent=1) + "\n"
    file.write_text(text, encoding="utf-8")
    for row in rows:
        print(f"{row.fault}: {row.survived} of {row.times}. {row.note}", *row.lost, sep="\n  ")
    return not any(row.lost for row in rows)


def table() -> str:
    """The results of all parts, as Markdown."""
    lines = ["| fault | times | survived | lost | seconds | |", "|---|---|---|---|---|---|"]
    for part in TIMES:
        file = RESULTS / f"{part}.json"
        for row in json.loads(file.read_text(encoding="utf-8")) if file.exists() else ():
            numbers = (row["times"], row["survived"], len(row["lost"]), round(row["seconds"]))
            cells = [row["fault"], *(f"{number:,}" for number in numbers), row["note"]]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write_table() -> None:
    """Put the table into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{table()}{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(TIMES))
    parser.add_argument("--times", type=int, help="how often, for a single part")
    parser.add_argument("--table", action="store_true", help="write the table alone")
    options = parser.parse_args()
    parts = list(options.parts or TIMES)
    if unknown := {part.partition(".")[0] for part in parts} - set(TIMES):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    well = True
    if options.table:
        pass
    elif len(parts) == 1:
        well = perform(parts[0], options.times)
    else:
        for part in parts:
            print(f"--- {part}", flush=True)
            well &= subprocess.run([sys.executable, __file__, part]).returncode == 0
    write_table()
    sys.exit(not well)


if __name__ == "__main__":
    main()
