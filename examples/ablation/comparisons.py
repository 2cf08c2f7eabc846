"""What is compared with what: differences of paired runs, their intervals and p values."""

import functools
import math
import statistics
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

from lips import FLOOR, PARTS, README, REGIME
from plan import REGIMES, VARIANTS, only_weight_differs

CONFIDENCE = 0.95
WITHOUT_TERM = ("fusion", "fusion_sup", "no_fusion", "slow", "slow_scam", "sup")

OWN_SPLIT = README  # the fold of runs on a data set's own split; the others are numbers

Run = tuple[str, int]  # fold, "" where there is none; seed
Cell = dict[Run, dict[str, Any]]  # what was measured, by what
Cells = dict[tuple[str, str, str], Cell]  # by regime, task and variant


class Comparison(NamedTuple):
    """A variant minus a base in one regime; with `earlier`, minus their difference in that one."""

    task: str
    regime: str
    variant: str
    base: str
    earlier: str = ""


PAIRS = (
    ("ac", "placebo"),
    ("sup_ac", "sup"),
    ("sup_ac", "sup_placebo"),
    ("sup", "fusion_sup"),
    ("sup_ac", "fusion_sup"),
    ("sup_ac_scam", "sup_ac"),
    ("sup_distill", "sup"),
)
BASES = ("no_fusion", "fusion")  # with which every variant is compared
LONGER = {"long": "rule", "long_alone": "alone"}
GAINS = (("ac", "no_fusion"), ("sup", "no_fusion"), ("sup_ac", "no_fusion"), ("sup_ac", "fusion"))
GAINS += PAIRS

# The rows that a sentence of the text rests on: Holm's correction is over those of
# them that have runs.
_PAIRS = (
    ("ac", "no_fusion"),
    ("sup", "no_fusion"),
    ("sup_ac", "sup"),
    ("sup_ac", "fusion"),
    ("sup_ac", "fusion_sup"),
)
_PLACEBO = (("ac", "placebo"), ("sup_ac", "sup_placebo"))
CLAIMS: list[tuple[Comparison, str]] = [
    *(
        (Comparison(task, regime, *pair), "accuracy")
        for task in ("motion", "appearance_motion")
        for regime in ("rule", "long")
        for pair in (*_PAIRS, *_PLACEBO)
    ),
    *(
        (Comparison("motion", "rule", *pair), "pointing_spatial")
        for pair in (("ac", "no_fusion"), *_PLACEBO)
    ),
    *((Comparison(task, REGIME, *pair), "accuracy") for task in PARTS for pair in _PAIRS),
]


def on_folds(cells: Cells) -> Cells:
    """Without the runs on a data set's own split, which are no fold of those that are averaged."""
    return _chosen(cells, lambda fold: not fold or fold.isdigit())


def on_own_split(cells: Cells) -> Cells:
    """The runs on a data set's own split alone; their seeds are what is averaged."""
    chosen = _chosen(cells, lambda fold: fold == OWN_SPLIT)
    return {key: {("", run[1]): row for run, row in cell.items()} for key, cell in chosen.items()}


def _chosen(cells: Cells, wanted: Callable[[str], bool]) -> Cells:
    kept = {
        key: {run: row for run, row in cell.items() if wanted(run[0])}
        for key, cell in cells.items()
    }
    return {key: cell for key, cell in kept.items() if cell}


def per_unit(values: dict[Run, float]) -> dict[Hashable, float]:
    """Means of what is independent: of a fold's seeds, as they share test clips, else each seed."""
    groups: dict[Hashable, list[float]] = {}
    for (fold, seed), value in values.items():
        groups.setdefault(fold or seed, []).append(value)
    return {unit: statistics.mean(group) for unit, group in groups.items()}


def levels(cell: Cell, measure: str) -> list[float]:
    """Per cent of a variant, one value a unit."""
    found = {run: 100 * row[measure] for run, row in cell.items() if measure in row}
    return list(per_unit(found).values())


def differences(cells: Cells, row: Comparison, measure: str) -> list[float]:
    """Differences of paired runs in points, one a unit; none where one side was not measured."""
    changes = _differences(cells, row, measure)
    if not row.earlier:
        return list(changes.values())
    before = _differences(cells, row._replace(regime=row.earlier), measure)
    return [changes[unit] - before[unit] for unit in changes if unit in before]


def _differences(cells: Cells, row: Comparison, measure: str) -> dict[Hashable, float]:
    base, term = base_of(cells, row), cells.get((row.regime, row.task, row.variant), {})
    shared = [run for run in term if measure in term[run] and measure in base.get(run, {})]
    return per_unit(
        {run: 100 * (term[run][measure] - base[run][measure]) for run in sorted(shared)}
    )


def base_of(cells: Cells, row: Comparison) -> Cell:
    """The runs compared with: those of the rule, if only λ differs and the base has no term."""
    regime = row.regime
    if row.base in WITHOUT_TERM and regime in REGIMES and only_weight_differs(REGIMES[regime]):
        regime = "rule"
    return cells.get((regime, row.task, row.base), {})


def parts(cells: Cells) -> list[tuple[str, str]]:
    """Tasks and regimes of which there are runs, in the order of the plan."""
    order = [*REGIMES, *sorted({regime for regime, *_ in cells} - set(REGIMES))]
    found = {(task, regime) for regime, task, _ in cells}
    return sorted(found, key=lambda part: (order.index(part[1]), part[0]))


def variants(cells: Cells, task: str, regime: str) -> list[str]:
    """Of which there are runs, in the order of the plan."""
    found = {name for r, t, name in cells if (t, r) == (task, regime)}
    return [*(name for name in VARIANTS if name in found), *sorted(found - set(VARIANTS))]


def comparisons(cells: Cells) -> list[Comparison]:
    """Every comparison of which there are paired runs, each once."""
    rows = [row for part in parts(cells) for row in comparisons_of(cells, *part)]
    for task, regime in parts(cells):
        if regime in LONGER:
            rows += [Comparison(task, regime, *pair, LONGER[regime]) for pair in GAINS]
    return [row for row in rows if differences(cells, row, "accuracy")]


def comparisons_of(cells: Cells, task: str, regime: str) -> list[Comparison]:
    """Those of a task in a regime."""
    trained = [v for v in variants(cells, task, regime) if not v.startswith(FLOOR)]
    pairs = [(variant, base) for base in BASES for variant in trained if variant != base]
    pairs = [pair for pair in pairs if pair != ("no_fusion", "fusion")]  # the other way round
    pairs += PAIRS
    rows = [Comparison(task, regime, *pair) for pair in pairs]
    return [row for row in rows if differences(cells, row, "accuracy")]


def corrected(
    cells: Cells, rows: Iterable[tuple[Comparison, str]]
) -> dict[tuple[Comparison, str], float]:
    """P values after Holm's correction over these rows and measures."""
    return holm({row: p_value(differences(cells, *row)) for row in rows})


def holm(p_values: dict) -> dict:
    """Holm's step-down correction; what has no p value stays without and does not count."""
    told = sorted((k for k, p in p_values.items() if not math.isnan(p)), key=p_values.__getitem__)
    result, largest = dict.fromkeys(p_values, math.nan), 0.0
    for place, key in enumerate(told):
        largest = max(largest, min(1.0, (len(told) - place) * p_values[key]))
        result[key] = largest
    return result


def interval(values: list[float]) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval; NaN for a single value."""
    mean, count = statistics.mean(values), len(values)
    if count < 2:
        return mean, math.nan
    return mean, t_quantile(count - 1) * statistics.stdev(values) / math.sqrt(count)


def p_value(values: list[float]) -> float:
    """Of the two-sided t test that their mean is 0; NaN for less than two."""
    if len(values) < 2:
        return math.nan
    error = statistics.stdev(values) / math.sqrt(len(values))
    if error < 1e-9:  # all the same
        return float(abs(statistics.mean(values)) < 1e-9)
    return _beyond(statistics.mean(values) / error, len(values) - 1)


@functools.cache
def t_quantile(freedom: int) -> float:
    """Bound that Student's t of so many degrees of freedom keeps within, with 95 % probability."""
    low, high = 0.0, 16.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if _beyond(middle, freedom) > 1 - CONFIDENCE else (low, middle)
    return high


@functools.cache
def _beyond(t: float, freedom: int) -> float:
    """How probably Student's t is farther from 0 than this."""
    arguments = (freedom / 2, 0.5, freedom / (freedom + t**2))
    return float(_incomplete_beta()(arguments))


@functools.cache
def _incomplete_beta() -> Callable:
    import tensorflow as tf  # SciPy is no dependency of this package

    return lambda arguments: tf.math.betainc(*(tf.constant(x, tf.float64) for x in arguments))
