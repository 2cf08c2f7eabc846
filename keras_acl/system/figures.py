"""Figures of matplotlib, written to files."""

from pathlib import Path
from typing import TYPE_CHECKING

from keras_acl.system.atomic_write import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


def save_figure(figure: "Figure", file: str | Path) -> None:
    """Write a figure; a picture that exists is whole.

    Args:
        figure: Figure to write.
        file: Picture to write; its ending chooses the format, PNG where there is none.
    """
    with written_whole(file) as beside:
        figure.savefig(beside, format=Path(file).suffix.lstrip(".") or "png", dpi=DPI)
