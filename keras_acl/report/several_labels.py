"""What a report says of a run whose videos may have several labels, as data for its template."""

from collections.abc import Sequence
from typing import Any

from keras_acl.evaluation.multi_label import (
    THRESHOLD,
    LabelRow,
    label_table,
    multi_label_summary,
)
from keras_acl.report.one_run import common_context, with_ends
from keras_acl.report.run import Run


def labels_context(run: Run, salt: str) -> dict[str, Any]:
    """Everything that is said of such a run.

    Args:
        run: What is reported.
        salt: Tells the ids of this run's charts from others in the page.

    Raises:
        ValueError: If no labelled video has scores.
    """
    return {
        **common_context(run, salt),
        "summary": multi_label_summary(run.scores),
        "threshold": THRESHOLD,
        "table": _label_tables(label_table(run.scores)),
    }


def _label_tables(rows: Sequence[LabelRow]) -> dict[str, Any]:
    """Rows of the labels that some video has, worst first: all, and both ends of very many."""
    seen = sorted((row for row in rows if row.videos), key=lambda row: row.average_precision)
    return with_ends(seen, [row.label for row in rows if not row.videos])
