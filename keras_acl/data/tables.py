"""Comma-separated tables, and the classes that they name."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """A row of a table and where it stands, "file.csv, line 7"."""

    where: str
    cells: dict[str, str]


def read_table(file: str | Path, columns: Iterable[str]) -> list[Row]:
    """Rows of a comma-separated file with a header line; empty lines are left out.

    Args:
        file: CSV in UTF-8.
        columns: Columns that the table must have. Others are read as well.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing, a row has more or fewer cells than the header, or
            there is no row.
    """
    file = Path(file)
    rows = []
    # utf-8-sig: spreadsheets put a byte order mark in front of the header.
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text: {error.reason}. Save it as UTF-8.") from error
    with io.StringIO(text, newline="") as lines:
        reader = csv.reader(lines)
        header = [name.strip() for name in next(reader, [])]
        lacking = [name for name in columns if name not in header]
        if lacking:
            raise ValueError(
                f"{file}, line 1: expected a header with the column(s) {', '.join(lacking)}. "
                f"Received: {','.join(header)!r}"
            )
        for cells in reader:
            where = f"{file}, line {reader.line_num}"
            if cells and len(cells) != len(header):
                raise ValueError(
                    f"{where}: expected {len(header)} cells, as in the header. "
                    f"Received {len(cells)}: {','.join(cells)!r}"
                )
            if cells:
                row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
                rows.append(Row(where, row))
    if not rows:
        raise ValueError(f"{file} has a header and no rows. Expected one row for each video.")
    return rows


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
    if value.isdecimal() and int(value) < len(indices):
        return int(value)
    names = [repr(name) for name in indices]
    known = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise ValueError(
        f"{where}: unknown class {value!r}. Expected an index below {len(names)} or one of {known}"
    )
