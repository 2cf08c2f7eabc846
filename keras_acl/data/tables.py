"""Comma-separated tables, and the classes that they name."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_acl.system.printable import is_utf8, shortened

SEPARATOR = "|"  # of several labels in a cell, as in pandas' `Series.str.get_dummies`
MOST_DIGITS = 10  # of a class index, one less; Python itself refuses numbers of some thousands


class Row(NamedTuple):
    """A row of a table and where it stands, "file.csv, line 7"."""

    where: str
    cells: dict[str, str]


def read_table(file: str | Path, columns: Iterable[str]) -> list[Row]:
    """Rows of a comma-separated file with a header line; empty lines are left out.

    Args:
        file: CSV in UTF-8. File names in the column path may be any bytes.
        columns: Columns that the table must have. Others are read as well.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing, a row has more or fewer cells than the header, a cell
            is too long or not UTF-8, or there is no row.
    """
    file = Path(file)
    rows = []
    # utf-8-sig: spreadsheets put a byte order mark in front of the header.
    text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
    with io.StringIO(text, newline="") as lines:
        reader = csv.reader(lines)
        header = [name.strip() for name in _next_row(reader, file) or []]
        lacking = [name for name in columns if name not in header]
        if lacking:
            raise ValueError(
                f"{file}, line 1: expected a header with the column(s) {', '.join(lacking)}. "
                f"Received: {shortened(','.join(header))!r}"
            )
        while (cells := _next_row(reader, file)) is not None:
            where = f"{file}, line {reader.line_num}"
            if cells and len(cells) != len(header):
                raise ValueError(
                    f"{where}: expected {len(header)} cells, as in the header. "
                    f"Received {len(cells)}: {shortened(','.join(cells))!r}"
                )
            if cells:
                row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
                _check_text(row, where)
                rows.append(Row(where, row))
    if not rows:
        raise ValueError(f"{file} has a header and no rows. Expected one row for each video.")
    return rows


def _next_row(reader, file: Path) -> list[str] | None:
    """The next row, or None."""
    try:
        return next(reader, None)
    except csv.Error as error:
        limit = f"a cell has more than {csv.field_size_limit():,} characters; is a quotation mark "
        reason = f"{limit}missing?" if "field larger" in str(error) else str(error)
        raise ValueError(f"{file}, line {reader.line_num}: {reason}") from error


def _check_text(row: Mapping[str, str], where: str) -> None:
    for name, cell in row.items():
        if name != "path" and not is_utf8(cell):
            raise ValueError(f"{where}: {name} is not UTF-8 text: {cell!r}. Save it as UTF-8.")


def class_index(value: str, indices: Mapping[str, int], where: str) -> int:
    """Index of a class that is given by its name or, in digits, by its index.

    Args:
        value: Name or index of a class, as it stands in a file.
        indices: Index of every class name.
        where: File and line, for the error.

    Raises:
        ValueError: If there is no such class.
    """
    if value in indices:
        return indices[value]
    if value.isdecimal() and len(value) < MOST_DIGITS and int(value) < len(indices):
        return int(value)
    names = [repr(name) for name in indices]
    known = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise ValueError(
        f"{where}: unknown class {shortened(value)!r}. "
        f"Expected an index below {len(names)} or one of {known}"
    )


def split_cell(cell: str, where: str) -> list[str]:
    """The labels of a cell that may hold several, such as "left|red"; none of an empty cell.

    Raises:
        ValueError: If a label is empty or stands there twice.
    """
    names = [name.strip() for name in cell.split(SEPARATOR)] if cell else []
    if "" in names:
        raise ValueError(
            f"{where}: a label is empty. Expected names between {SEPARATOR!r}, or an empty cell "
            f"for a video without any. Received: {shortened(cell)!r}"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{where}: a label stands there twice. Received: {shortened(cell)!r}")
    return names


def join_cell(classes: Iterable[int], labels: Sequence[str]) -> str:
    """A cell with the names of some classes, which `split_cell` reads."""
    return SEPARATOR.join(labels[index] for index in classes)
