"""Numbers in pages, filled in from the runs, so that none is typed by hand.

A table stands between `<!-- NAME -->` and `<!-- end -->`, with a name of `tables.blocks`. A number
in a sentence stands right behind a comment that says what it is:

    <!-- value motion rule sup_ac -->83.3 ± 1.2              accuracy, mean ± standard deviation
    <!-- value motion rule sup_ac pointing_spatial -->45     another measure, rounded
    <!-- value motion rule sup_ac-fusion -->+3.5 ± 2.1       paired difference ± 95 % interval
    <!-- seeds motion rule sup_ac-fusion -->8 of 8           where the difference is above 0
    <!-- p motion rule sup_ac-fusion -->0.004               Holm's, over `CLAIMS` that have runs

A number is written as the one that it replaces: `0` is rounded, `0.0 ± 0.0` has its spread. Where
runs are on a data set's own split, `own` instead of the regime means these.
"""

import functools
import re
import statistics

import comparisons
import tables
from comparisons import CLAIMS, Cells, Comparison

START = re.compile(r"^<!-- (.+) -->$", re.MULTILINE)
BLOCK = re.compile(r"^<!-- (.+) -->\n(?:(?!<!-- ).*\n)*<!-- end -->$", re.MULTILINE)
WHAT = r"(\S+) (\S+) (\S+?)(?: (\S+))? -->)"  # task, regime, variant or variant-base, measure
VALUE = re.compile(rf"(<!-- value {WHAT}([+-]?\d+(?:\.\d+)?)( ± \d+\.\d+)?")
SEEDS = re.compile(rf"(<!-- seeds {WHAT}\d+ of \d+")
P = re.compile(rf"(<!-- p {WHAT}(?:< )?\d\.\d+")
MARKER = re.compile(r"<!-- (?:value|seeds|p) .*?-->")
UNMARKED = re.compile(r"[+-]?\d+\.\d+(?: ± \d+\.\d+)?|[+-]?\d+(?= (?:%|points|of \d))")


def filled(page: str, cells: Cells) -> str:
    """The page with every table and every marked number as the runs have them."""
    known = tables.blocks(cells)

    def block(found: re.Match) -> str:
        name = found[1]
        if name not in known:
            raise ValueError(f"No table is named {name!r}; there are: {', '.join(known)}.")
        return f"<!-- {name} -->\n\n{known[name]}\n\n<!-- end -->"

    page, closed = BLOCK.subn(block, page)
    if len(START.findall(page)) != 2 * closed:
        raise ValueError("A table's <!-- NAME --> or <!-- end --> is without the other one.")
    wrong = [m[0] for m in MARKER.finditer(page) if not _at_number(page, m.start())]
    if wrong:
        raise ValueError(f"No number of its form stands right behind {wrong[0]!r}.")
    page = VALUE.sub(functools.partial(_value, cells), page)
    page = SEEDS.sub(functools.partial(_seeds, cells), page)
    return P.sub(functools.partial(_p, cells), page)


def _at_number(page: str, start: int) -> bool:
    return any(form.match(page, start) for form in (VALUE, SEEDS, P))


def unmarked_numbers(page: str) -> list[str]:
    """Decimals and per cents of the sentences that no comment ties to the runs."""
    for known in (BLOCK, re.compile(r"```.*?```", re.DOTALL), VALUE, SEEDS, P, re.compile("`.*?`")):
        page = known.sub("", page)
    return UNMARKED.findall(page)


def _value(cells: Cells, found: re.Match) -> str:
    marker, task, regime, what, measure, old, spread = found.groups()
    values = _values(cells, task, regime, what, measure)
    digits = 1 if "." in old else 0
    sign = "+" if "-" in what else ""
    text = f"{statistics.mean(values):{sign}z.{digits}f}"
    if spread:
        half = comparisons.interval(values)[1] if "-" in what else statistics.stdev(values)
        text += f" ± {half:.1f}"
    return marker + text


def _seeds(cells: Cells, found: re.Match) -> str:
    values = _values(cells, *found.groups()[1:])
    return f"{found[1]}{sum(value > 0 for value in values)} of {len(values)}"


def _p(cells: Cells, found: re.Match) -> str:
    marker, task, regime, what, measure = found.groups()
    claim = (Comparison(task, regime, *what.split("-")), measure or "accuracy")
    if claim not in CLAIMS:
        raise ValueError(f"{claim} is not among the CLAIMS, whose p values are corrected.")
    folds = comparisons.on_folds(cells)
    return marker + tables.probability(comparisons.corrected(folds, CLAIMS)[claim])


def _values(cells: Cells, task: str, regime: str, what: str, measure: str | None) -> list[float]:
    """Levels of a variant, or differences of `variant-base`."""
    name = measure or "accuracy"
    chosen = comparisons.on_folds(cells)
    if regime == "own":
        chosen = comparisons.on_own_split(cells)
        regime = next((r for r, t, _ in chosen if t == task), regime)
    if "-" in what:
        values = comparisons.differences(chosen, Comparison(task, regime, *what.split("-")), name)
    else:
        values = comparisons.levels(chosen.get((regime, task, what), {}), name)
    if not values:
        raise ValueError(f"A page asks for {task} {regime} {what} {name}, of which no run says.")
    return values
