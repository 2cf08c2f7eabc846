"""A run's `history.csv`, read and drawn."""

import csv
import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_acl.system.figures import save_figure


def read_history(file: Path) -> dict[str, list[float]]:
    """Columns of a `history.csv`; of an epoch that was run twice, the last line counts."""
    with open(file, newline="") as lines:
        # A killed run may have left half a line.
        whole = [row for row in csv.DictReader(lines) if None not in row.values()]
    rows = {row["epoch"]: row for row in whole}
    ordered = sorted(rows.values(), key=lambda row: int(row["epoch"]))
    return {
        key: [float(row[key]) if row[key] not in ("", "NA") else math.nan for row in ordered]
        for key in (ordered[0] if ordered else ())
    }


def plot_history(history: dict[str, list[float]], file: Path) -> None:
    """Draw loss, accuracy and consistency by epoch; validation dashed."""
    names = [name for name in ("loss", "accuracy", "consistency") if name in history]
    figure = Figure(figsize=(4 * len(names), 3.2), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    for axis, name in zip(axes, names, strict=True):
        epochs = np.add(history["epoch"], 1)
        axis.plot(epochs, history[name], "o-", markersize=3, label="training")
        if f"val_{name}" in history:
            axis.plot(epochs, history[f"val_{name}"], "o--", markersize=3, label="validation")
            axis.legend(fontsize=8)
        axis.set(title=name, xlabel="epoch", xlim=(epochs[0] - 0.5, epochs[-1] + 0.5))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axis.margins(y=0.1)
        axis.set_ylim(bottom=0, top=1.03 if name == "accuracy" else None)
        axis.grid(alpha=0.3)
    save_figure(figure, file)
