"""The table of presets: what there is to load by name."""

import dataclasses
import re

from keras_acl.pretrained.find_folder import shipped_folder
from keras_acl.pretrained.metadata import read_metadata
from keras_acl.pretrained.presets import ALIASES, PRESETS, Preset

COLUMNS = ("name", "top-1 %", "top-5 %", "GMACs", "parameters", "licence", "source")


@dataclasses.dataclass(frozen=True)
class PresetRow:
    """A preset in a line.

    Args:
        name: Name for `load_pretrained`.
        alias: Short name, or `None`.
        task: The data set whose classes it knows, such as "kinetics-400".
        top1: Top-1 accuracy in per cent; `None` if nobody measured it.
        top5: Top-5 accuracy in per cent, or `None`.
        protocol: How the accuracy was measured.
        measured_by: Who measured it.
        multiply_adds: Multiply-adds of one view at the clip's test size.
        parameters: Trainable parameters.
        licence: Licence of the weights.
        source: Where the weights come from when they are loaded.
    """

    name: str
    alias: str | None
    task: str
    top1: float | None
    top5: float | None
    protocol: str | None
    measured_by: str | None
    multiply_adds: int
    parameters: int
    licence: str
    source: str

    def cells(self) -> tuple[str, ...]:
        """Texts under `COLUMNS`."""
        return (
            f"{self.alias} = {self.name}" if self.alias else self.name,
            *("–" if share is None else f"{share:.2f}" for share in (self.top1, self.top5)),
            f"{self.multiply_adds / 1e9:.2f}",
            f"{self.parameters / 1e6:.2f} M",
            self.licence,
            self.source,
        )


class PresetTable(list[PresetRow]):
    """A list of presets that shows itself as a table."""

    def __repr__(self) -> str:
        table = [COLUMNS, *(row.cells() for row in self)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            for cells in table
        )
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        from keras_acl.system import html

        return html.table(COLUMNS, [row.cells() for row in self])


def list_presets(task: str | None = None, min_top1: float | None = None) -> PresetTable:
    """Presets, with accuracy, protocol, cost, licence and source.

    Args:
        task: Data set whose classes they know, such as `"Kinetics-400"` or `"kinetics400"`; `None`
            for all.
        min_top1: Least top-1 accuracy in per cent. Each is that of its own protocol; presets that
            nobody measured are left out.

    Raises:
        ValueError: If no preset knows the classes of `task`.

    Example:
        >>> list_presets("kinetics400", min_top1=75)
    """
    rows = PresetTable(_row(preset) for preset in PRESETS)
    if task is not None:
        tasks = dict.fromkeys(row.task for row in rows)
        rows = PresetTable(row for row in rows if _plain(row.task) == _plain(task))
        if not rows:
            raise ValueError(f"Expected a task of {', '.join(tasks)}. Received: task={task!r}")
    if min_top1 is not None:
        rows = PresetTable(row for row in rows if row.top1 is not None and row.top1 >= min_top1)
    return rows


def _plain(task: str) -> str:
    return re.sub(r"[^a-z0-9]", "", task.lower())


def _row(preset: Preset) -> PresetRow:
    shipped = shipped_folder(preset)
    card = preset.card if shipped is None else read_metadata(shipped).card
    metric = card.metrics[0] if card.metrics else None
    return PresetRow(
        name=preset.name,
        alias=next((alias for alias, name in ALIASES.items() if name == preset.name), None),
        task=card.datasets[-1].split(",")[0] if card.datasets else "",
        top1=None if metric is None else metric.top1,
        top5=None if metric is None else metric.top5,
        protocol=None if metric is None else metric.protocol,
        measured_by=None if metric is None else metric.measured_by,
        multiply_adds=preset.multiply_adds,
        parameters=preset.parameters,
        licence=card.licence,
        source=_source(preset) if shipped is None else "ships with the package",
    )


def _source(preset: Preset) -> str:
    if preset.revision is not None:
        return f"hf://{preset.hub}@{preset.revision}"
    if preset.checkpoints:
        return " and ".join(checkpoint.url for checkpoint in preset.checkpoints)
    return f"not published: {preset.command}"
