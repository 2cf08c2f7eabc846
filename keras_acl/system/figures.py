"""Figures of matplotlib, written to files."""

from pathlib import Path
from typing import TYPE_CHECKING

from keras_acl.system.atomic_write import written_whole
from keras_acl.system.printable import escaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


def save_figure(figure: "Figure", file: str | Path) -> None:
    """Write a figure; a picture that exists is whole.

    Args:
        figure: Figure to write.
        file: Picture to write; its ending chooses the format, PNG where there is none.
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):  # names of files, which fonts cannot draw as they are
        lines = text.get_text().split("\n")
        if any(escaped(line) != line for line in lines):
            text.set_text("\n".join(map(escaped, lines)))
    with written_whole(file) as beside:
        figure.savefig(beside, format=Path(file).suffix.lstrip(".") or "png", dpi=DPI)
