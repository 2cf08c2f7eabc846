"""A run's `history.csv`, read and drawn."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_acl.system.atomic_write import written_whole
from keras_acl.system.figures import save_figure

# Quantities from 0 to 1: of both streams together, then of each alone.
SHARES = tuple(
    stream + name
    for name in ("accuracy", "mean_average_precision")
    for stream in ("", "spatial_", "temporal_")
)


class HistoryFile(keras.callbacks.Callback):
    """Write the logs of every epoch to a CSV that is always whole; else as `CSVLogger`.

    A resumed run adds its epochs, also to the file of an older version that had fewer columns. An
    epoch that is run again takes the place of its line.

    Args:
        file: The CSV.
    """

    def __init__(self, file: str | Path):
        super().__init__()
        self.file = Path(file)

    def on_epoch_end(self, epoch, logs=None):
        """Write all epochs so far."""
        rows = _read_rows(self.file) if self.file.exists() else {}
        rows[epoch] = {name: float(value) for name, value in (logs or {}).items()}
        names = sorted({name for row in rows.values() for name in row})
        with written_whole(self.file) as beside, open(beside, "w", newline="") as lines:
            writer = csv.DictWriter(lines, ["epoch", *names])
            writer.writeheader()
            writer.writerows({"epoch": number, **rows[number]} for number in sorted(rows))


def read_history(file: Path) -> dict[str, list[float]]:
    """Columns of a `history.csv`, none if it is not there; NaN where an epoch has no value.

    A damaged file is read as far as it goes; of an epoch that is there twice, the last line counts.

    Raises:
        ValueError: If it has lines, and none is of an epoch.
    """
    if not file.exists():
        return {}
    rows = _read_rows(file)
    if not rows:
        if len(file.read_bytes().splitlines()) > 1:
            raise ValueError(f"{file} has no line of an epoch.")
        return {}
    names = dict.fromkeys(name for row in rows.values() for name in row)
    columns = {name: [row.get(name, math.nan) for _, row in sorted(rows.items())] for name in names}
    return {"epoch": sorted(rows), **columns}


def _read_rows(file: Path) -> dict[int, dict[str, float]]:
    """Values by name of every epoch; lines that make no sense are left out."""
    rows = {}
    with open(file, newline="", encoding="utf-8", errors="replace") as lines:
        for row in csv.DictReader(line.replace("\0", "") for line in lines):
            values = {name: value for name, value in row.items() if value not in ("", "NA")}
            try:
                epoch = int(values.pop("epoch"))
                rows[epoch] = {str(name): float(value) for name, value in values.items()}
            except (KeyError, TypeError, ValueError):
                continue  # half a line of a killed run, or a second header
    return rows


def drawn(history: Mapping[str, Sequence[float]]) -> list[str]:
    """The columns that are drawn: cross-entropy, shares of both and each stream, consistency.

    In training, `loss` holds the consistency term as well, in validation it does not: the two are
    not of one kind. It is drawn for runs of an older version that did not note the cross-entropy.
    """
    first = "crossentropy" if "crossentropy" in history else "loss"
    return [name for name in (first, *SHARES, "consistency") if name in history]


def highest(history: Mapping[str, Sequence[float]], name: str) -> float | None:
    """Where the axis of a quantity ends: above its largest value; `None` if it has none."""
    if name in SHARES:
        return 1.03
    values = [value for key in (name, f"val_{name}") for value in history.get(key, ())]
    return 1.1 * max((value for value in values if math.isfinite(value)), default=0) or None


def plot_history(history: Mapping[str, Sequence[float]], file: Path) -> None:
    """Draw the quantities of `drawn` by epoch, if there are any; validation dashed."""
    names = drawn(history)
    if not names:
        return
    figure = Figure(figsize=(4 * len(names), 3.2), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    for axis, name in zip(axes, names, strict=True):
        epochs = np.add(history["epoch"], 1)
        axis.plot(epochs, history[name], "o-", markersize=3, label="training")
        if f"val_{name}" in history:
            axis.plot(epochs, history[f"val_{name}"], "o--", markersize=3, label="validation")
            axis.legend(fontsize=8)
        axis.set(
            title=name.replace("_", " "), xlabel="epoch", xlim=(epochs[0] - 0.5, epochs[-1] + 0.5)
        )
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axis.set_ylim(0, highest(history, name))
        axis.grid(alpha=0.3)
    save_figure(figure, file)
