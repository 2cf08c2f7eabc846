"""The tables of the ablation, as Markdown, each under the name that a page asks for it by."""

import math
import statistics

import comparisons
from comparisons import BASES, CLAIMS, LONGER, Cell, Cells, Comparison
from lips import FLOOR, REGIME
from plan import LIPS, REGIMES, VARIANTS

MEASURES = {
    "accuracy": "accuracy",
    "accuracy_shifted": "other crowd",
    "accuracy_spatial": "spatial alone",
    "accuracy_temporal": "temporal alone",
    "probe_spatial": "spatial probe",
    "probe_temporal": "temporal probe",
    "pointing_spatial": "S on actor",
    "pointing_temporal": "T on actor",
    "inside_spatial": "S inside",
    "inside_temporal": "T inside",
    "correlation": "S with T",
}
CHANGES = (
    "accuracy",
    "accuracy_spatial",
    "accuracy_temporal",
    "pointing_spatial",
    "pointing_temporal",
)
# Circumstances of committed runs that are no longer in the plan.
OF_BEFORE = {
    "spatial_first": "spatial stream trained alone first",
    "folder": "other recordings, as many steps",
}
VARIED = "_varied"  # ending of the variants that the trial trained on varied clips
TASK_NAMES = {
    "motion": "motion",
    "appearance_motion": "appearance × motion",
    "appearance_other_motion": "appearance × other motions",
    "words": "lips, words",
    "phrases": "lips, phrases",
    "fights": "fights",
}
METHODS = {  # of the summary
    "fusion": "Lateral fusion",
    "fusion_sup": "Lateral fusion, supervised",
    "no_fusion": "No fusion",
    "ac": "AC",
    "sup": "Supervised",
    "sup_ac": "Supervised + AC",
}
PANELS = (
    ("motion", "rule"),
    ("motion", "long"),
    ("words", REGIME),
    ("appearance_motion", "rule"),
    ("appearance_motion", "long"),
    ("phrases", REGIME),
)
LEGEND = (
    "Per cent, mean ± standard deviation over the seeds (their number in brackets); over the folds "
    "where there are any, each the mean of its seeds, as these share their test clips. *Other "
    "crowd*: accuracy without distractors for networks trained among them, and the other way "
    "round. *Alone*: accuracy of one stream's logits; *probe*: of a linear classifier trained on "
    "its frozen features. *On actor*: how often the strongest place of a stream's map (S spatial, "
    "T temporal) of the labelled class is where the actor passes; *inside*: the share of the map "
    "there. *S with T*: correlation of both streams' maps, times 100. λ is 1.5, ramped over the "
    "first third of the training, where nothing else is said."
)
PAIRED = (
    "Differences of runs with the same seed, in points, with 95 % intervals (Student's t, for "
    "each figure alone) and in how many of the seeds, or folds, they are above 0. *p* is of the "
    "two-sided paired t test of accuracy, *Holm* after Holm's correction over the differences of "
    "accuracy in all such tables. Bold is what stays below 0.05 after the correction over all "
    "differences of its measure; in the table of claims, over that table's rows."
)


def report(cells: Cells) -> str:
    """Every table."""
    parts = ["# Results of `examples/ablation/run.py`", LEGEND, PAIRED]
    parts += [f"## {name}\n\n{text}" for name, text in blocks(cells).items()]
    return "\n\n".join(parts) + "\n"


def blocks(cells: Cells) -> dict[str, str]:
    """Every table by name, where there are runs for it."""
    tables = {"runs": runs_table(cells)}
    own, cells = comparisons.on_own_split(cells), comparisons.on_folds(cells)
    compared = comparisons.comparisons(cells)
    told = {
        measure: comparisons.corrected(cells, [(row, measure) for row in compared])
        for measure in CHANGES
    }
    holm = {key: p for by_row in told.values() for key, p in by_row.items()}
    tables["summary"] = summary_table(cells)
    for task, regime in comparisons.parts(cells):
        name, rows = f"{regime} {task}", comparisons.comparisons_of(cells, task, regime)
        tables[f"table {name}"] = variant_table(cells, task, regime)
        for base in BASES:
            against = [row for row in rows if row.base == base]
            tables[f"against {base} {name}"] = difference_table(cells, against, holm)
        pairs = [row for row in rows if row.base not in BASES]
        tables[f"pairs {name}"] = difference_table(cells, pairs, holm)
    for task, regime in comparisons.parts(own):
        tables[f"split {task}"] = variant_table(own, task, regime)
    for longer in LONGER:
        rows = [row for row in compared if row.regime == longer and row.earlier]
        tables[longer] = difference_table(cells, rows, holm, by_part=True)
    for pair in dict.fromkeys(row[2:4] for row in compared):
        rows = [row for row in compared if row[2:] == (*pair, "")]
        tables[f"regimes {' '.join(pair)}"] = difference_table(cells, rows, holm, by_part=True)
    tables["claims"] = claims_table(cells, holm)
    return {name: text for name, text in tables.items() if text}


def markdown(heads: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def part_name(task: str, regime: str) -> str:
    meaning = REGIMES[regime].meaning if regime in REGIMES else OF_BEFORE.get(regime, "")
    if regime == "rule" and task in LIPS:
        meaning = "at the rule's learning rate"
    return TASK_NAMES.get(task, task) + (f": {meaning}" if meaning else "")


def variant_name(variant: str) -> str:
    if variant.startswith(FLOOR):
        return f"No network: {variant.removeprefix(FLOOR).replace('_', ' ')}"
    name = VARIANTS.get(variant.removesuffix(VARIED), variant)
    return f"{name}, varied clips" if variant.endswith(VARIED) else name


def variant_table(cells: Cells, task: str, regime: str) -> str:
    """What was measured of every variant."""
    trained = {v: cells[regime, task, v] for v in comparisons.variants(cells, task, regime)}
    found = {name for cell in trained.values() for row in cell.values() for name in row}
    names = [name for name in MEASURES if name in found]
    rows = [
        [f"{variant_name(variant)} ({count(cell)})"]
        + [mean_and_spread(comparisons.levels(cell, name)) for name in names]
        for variant, cell in trained.items()
    ]
    table = markdown(["", *(MEASURES[name] for name in names)], rows)
    chances = [v for cell in trained.values() for v in comparisons.levels(cell, "chance")]
    if not chances:
        return table
    return f"{table}\n\nThe actor passes over {statistics.mean(chances):.1f} % of the picture."


def count(cell: Cell) -> str:
    folds = {fold for fold, _ in cell if fold}
    return f"{len(folds)} folds, {len(cell)} runs" if folds else str(len(cell))


def mean_and_spread(values: list[float]) -> str:
    if not values:
        return "–"
    mean = f"{statistics.mean(values):.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def difference_table(
    cells: Cells, rows: list[Comparison], holm: dict, by_part: bool = False
) -> str:
    """Paired differences; a row is named by what is compared, or by where."""
    measured = [
        name for name in CHANGES if any(comparisons.differences(cells, row, name) for row in rows)
    ]
    lines = []
    for row in rows:
        changes = [comparisons.differences(cells, row, name) for name in measured]
        corrected = [holm.get((row, name), math.nan) for name in measured]
        shown = [describe(*both) for both in zip(changes, corrected, strict=True)]
        p_values = [probability(comparisons.p_value(changes[0])), probability(corrected[0])]
        shared = cells[row.regime, row.task, row.variant]
        base = {run: v for run, v in comparisons.base_of(cells, row).items() if run in shared}
        title = part_name(row.task, row.regime) if by_part else pair_name(row)
        if row.earlier:
            title = f"{TASK_NAMES.get(row.task, row.task)}: {pair_name(row)}"
        alone = mean_and_spread(comparisons.levels(base, "accuracy"))
        lines.append([title, alone, shown[0], *p_values, *shown[1:]])
    heads = [MEASURES[name] for name in measured]
    return (
        markdown(["", "base: accuracy", heads[0], "p", "Holm", *heads[1:]], lines) if rows else ""
    )


def pair_name(row: Comparison) -> str:
    return f"{variant_name(row.variant)} minus {variant_name(row.base)}"


def describe(values: list[float], corrected: float) -> str:
    """A mean with its interval, bold if it stays significant, and how many are above 0."""
    if not values:
        return "–"
    mean, half = comparisons.interval(values)
    above = sum(value > 0 for value in values)
    shown = f"{mean:+z.1f}" if math.isnan(half) else f"{mean:+z.1f} ± {half:.1f}"
    shown = f"**{shown}**" if corrected < 1 - comparisons.CONFIDENCE else shown
    return f"{shown} ({above} of {len(values)})"


def probability(p: float) -> str:
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def claims_table(cells: Cells, holm: dict) -> str:
    """The rows that the text rests on, corrected among themselves and among all."""
    claims = [claim for claim in CLAIMS if comparisons.differences(cells, *claim)]
    among_claims = comparisons.corrected(cells, claims)
    rows = []
    for claim in claims:
        row, measure = claim
        values, corrected = comparisons.differences(cells, *claim), among_claims[claim]
        p_values = (comparisons.p_value(values), corrected, holm.get(claim, math.nan))
        names = [part_name(row.task, row.regime), pair_name(row), MEASURES[measure]]
        rows.append([*names, describe(values, corrected), *map(probability, p_values)])
    heads = ["", "", "measure", "difference", "p", "Holm, these rows", "Holm, all rows"]
    return f"{markdown(heads, rows)}\n\n{_families(among_claims, holm)}" if rows else ""


def _families(among_claims: dict, holm: dict) -> str:
    """Over how many tests each p value of the claims is corrected."""
    tested = [key for key, p in among_claims.items() if not math.isnan(p)]
    over = {
        measure: sum(name == measure and not math.isnan(p) for (_, name), p in holm.items())
        for measure in dict.fromkeys(measure for _, measure in tested)
    }
    counts = ", ".join(f"{count} of {MEASURES[name]}" for name, count in over.items())
    missing = len(CLAIMS) - len(tested)
    later = (
        f" {missing} of the {len(CLAIMS)} planned rows have no such runs yet; each that comes "
        "may raise the *p* of the others."
        if missing
        else ""
    )
    return (
        f"*Holm, these rows* is over the {len(tested)} rows of this table that have paired runs "
        "of two seeds or folds, whatever their measure, and bold goes by it. *Holm, all rows* is "
        f"over every difference of the same measure in all tables: {counts}.{later}"
    )


def summary_table(cells: Cells) -> str:
    """Accuracy of the methods with the 95 % interval of its mean, for each panel of the figure."""
    panels = [p for p in PANELS if p in comparisons.parts(cells)]
    rows = []
    for variant, title in METHODS.items():
        found = [comparisons.levels(cells.get((r, t, variant), {}), "accuracy") for t, r in panels]
        if any(found):
            rows.append([title, *map(mean_and_interval, found)])
    return markdown(["", *(part_name(*panel) for panel in panels)], rows) if rows else ""


def mean_and_interval(values: list[float]) -> str:
    if not values:
        return "–"
    mean, half = comparisons.interval(values)
    return f"{mean:.1f}" if math.isnan(half) else f"{mean:.1f} ± {half:.1f}"


def runs_table(cells: Cells) -> str:
    """What the runs were made with, and how long they took."""
    groups: dict[tuple[str, ...], list[float]] = {}
    names = ("commit", "machine", "backend", "versions")
    for (_, _, variant), cell in cells.items():
        for row in () if variant.startswith(FLOOR) else cell.values():
            made_by = tuple(row.get(name, "–") for name in names)
            groups.setdefault(made_by, []).append(row.get("seconds", 0.0))
    rows = [
        [*made_by, str(len(seconds)), f"{sum(seconds) / 3600:.1f}"]
        for made_by, seconds in sorted(groups.items())
    ]
    return markdown([*names, "runs", "hours"], rows)
