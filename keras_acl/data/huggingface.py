"""A Dataset of Hugging Face with a column of videos -> VideoList.

Rows are read as Arrow has them, so that the videos are decoded here, as all others are, and not by
torchcodec. `datasets` itself is not needed: who has such a Dataset has it.
"""

import dataclasses
import secrets
from collections.abc import Sequence
from typing import Any

from keras_acl.data.sources import labels_of
from keras_acl.data.tables import class_index
from keras_acl.data.video_list import VideoList, checked_labels
from keras_acl.video.address import is_address
from keras_acl.video.stored_bytes import StoredBytes
from keras_acl.video.video import Video

ROWS = 256  # looked at together


@dataclasses.dataclass(frozen=True, slots=True)
class CellBytes:
    """The bytes in a cell of a Dataset, for `Video(content=)`.

    Args:
        list_id: Drawn for each list of videos; tells it from those of other Datasets.
        column: Name of the column.
        row: Number of the row.
        dataset: The Dataset, in Arrow's format.
    """

    list_id: str
    column: str
    row: int
    dataset: Any = dataclasses.field(compare=False, repr=False)

    def __call__(self) -> bytes:
        """Read them."""
        [cell] = self.dataset[self.row : self.row + 1][self.column].to_pylist()
        return cell["bytes"]


def read_huggingface(
    dataset: Any,
    labels: Sequence[str] | None = None,
    video: str = "video",
    label: str | None = "label",
) -> VideoList:
    """Read a `datasets.Dataset` with a column of videos and one of labels.

    Args:
        dataset: One split, such as `load_dataset("user/repo", split="train")`; its videos may be
            decoded or not (`Video(decode=False)`), that plays no part.
        labels: Class names in the wanted order, such as `model.labels`. By default those of the
            column's `ClassLabel`, or the sorted names.
        video: Name of the column of videos.
        label: Name of the column of labels: `ClassLabel`, numbers or text. None: there is none.

    Returns:
        The videos in the order of the rows. Those with bytes are read out of the Dataset's file;
        those with a path from there.

    Raises:
        TypeError: If it is no such Dataset, but several splits or a stream.
        ValueError: If there is no such column or no row, a cell is empty, or a label is no class.
    """
    if not all(hasattr(dataset, name) for name in ("select_columns", "features", "__len__")):
        raise TypeError(
            "Expected a datasets.Dataset: one split, and streaming=False, as videos are read in "
            f"any order. Received: {type(dataset).__name__}"
        )
    columns = [video, *([] if label is None else [label])]
    if lacking := [name for name in columns if name not in dataset.features]:
        raise ValueError(
            f"The Dataset has no column {', '.join(lacking)}, but {', '.join(dataset.features)}: "
            "see `video` and `label`."
        )
    if not len(dataset):
        raise ValueError("The Dataset has no row.")
    rows = dataset.with_format("arrow")
    videos = _videos(rows, video)
    if label is None:
        return VideoList(videos, labels or ())
    own, texts = getattr(dataset.features[label], "names", None), _labels(rows, label)
    if own is not None:  # indices of a ClassLabel
        texts = [own[int(text)] for text in texts]
    names = checked_labels(labels or own or labels_of([text] for text in texts))
    indices = {name: index for index, name in enumerate(names)}
    return VideoList(
        (
            dataclasses.replace(each, label=class_index(text, indices, f"row {row}"))
            for row, (each, text) in enumerate(zip(videos, texts, strict=True))
        ),
        names,
    )


def _videos(rows: Any, column: str) -> list[Video]:
    cells, found, list_id = rows.select_columns([column]), [], secrets.token_hex(8)
    for first in range(0, len(cells), ROWS):
        table = cells[first : first + ROWS][column].combine_chunks()
        try:
            held = table.field("bytes").is_valid().to_pylist()
            paths = table.field("path").to_pylist()
        except (AttributeError, KeyError) as error:
            raise ValueError(f"The column {column} holds no videos, but {table.type}") from error
        for row, (has_bytes, path) in enumerate(zip(held, paths, strict=True), first):
            held_bytes = CellBytes(list_id, column, row, cells) if has_bytes else None
            found.append(_video(path, row, column, held_bytes))
    return found


def _video(path: str | None, row: int, column: str, content: CellBytes | None) -> Video:
    name = f"row {row}{f' ({path})' if path else ''}"
    if content is not None:
        return Video(name, content=content)
    if not path:
        raise ValueError(f"Row {row} has neither bytes nor a path in the column {column}.")
    return Video(name, content=StoredBytes(path)) if is_address(path) else Video(path)


def _labels(rows: Any, column: str) -> list[str]:
    found = rows.select_columns([column])[:][column].to_pylist()
    if None in found:
        raise ValueError(f"Row {found.index(None)} has no label in the column {column}.")
    return [str(each) for each in found]
