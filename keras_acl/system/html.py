"""Pieces of HTML with which results show themselves in a notebook (`_repr_html_`)."""

import base64
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 50  # rows shown of a table: more would hide the rest of a notebook
BAR = 120  # pixels of a share of 1


def table(
    columns: Sequence[object], rows: Sequence[Sequence[object]], total: int | None = None
) -> Markup:
    """A table. Text is escaped; what these functions return is taken as it is.

    Args:
        columns: Names of the columns.
        rows: Cells of each row.
        total: Number of rows that there are, if not all of them are shown.
    """
    head = _joined("<th style='text-align:left'>{}</th>", columns)
    lines = (_joined("<td style='text-align:left'>{}</td>", row) for row in rows)
    shown = Markup("<table><tr>{}</tr>{}</table>").format(head, _joined("<tr>{}</tr>", lines))
    if total is not None and total > len(rows):
        shown += Markup("<div>and {} more</div>").format(total - len(rows))
    return shown


def lines(texts: Iterable[object]) -> Markup:
    """Several lines in one cell."""
    return _joined("<div>{}</div>", texts)


def bar(share: float, text: str) -> Markup:
    """A bar as long as a share from 0 to 1, and a text behind it."""
    return Markup(
        '<span style="display:inline-block;background:#4c78a8;height:0.7em;width:{}px"></span> {}'
    ).format(round(BAR * share), text)


def image(data: bytes, kind: str) -> Markup:
    """A picture inside the page.

    Args:
        data: The picture's file.
        kind: Its format: "png", "jpeg", "gif".
    """
    text = base64.b64encode(data).decode("ascii")
    return Markup('<img src="data:image/{};base64,{}">').format(kind, text)


def video(data: bytes, kind: str) -> Markup:
    """A film inside the page, which starts when somebody wants it.

    Args:
        data: The film's file.
        kind: Its format: "mp4".
    """
    text = base64.b64encode(data).decode("ascii")
    return Markup('<video controls loop src="data:video/{};base64,{}"></video>').format(kind, text)


def page(document: str) -> Markup:
    """A whole HTML document inside the page, whose styles stay inside it."""
    form = '<iframe sandbox srcdoc="{}" style="width:100%;height:600px;border:0"></iframe>'
    return Markup(form).format(document)


def picture(pixels: np.ndarray) -> Markup:
    """A frame inside the page, uint8 (H, W, 3)."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "jpeg", quality=80)
    return image(file.getvalue(), "jpeg")


def figure(drawn: "Figure") -> Markup:
    """A figure of matplotlib inside the page."""
    file = io.BytesIO()
    drawn.savefig(file, format="png", dpi=80)
    return image(file.getvalue(), "png")


def _joined(form: str, parts: Iterable[object]) -> Markup:
    return Markup("").join(Markup(form).format(part) for part in parts)
