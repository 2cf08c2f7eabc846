"""What is done of an archive: a folder of parts, each of which is there as a whole or not at all.

`videos/part-00017-of-00512.parquet` has a row for each video of the part that was classified, and
is written last, so that it says that the part is done; `bad/` has the videos that cannot be read,
in files of the same names.
"""

import importlib
import importlib.util
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from keras_acl.inference.archive.manifest import MISSING, Item
from keras_acl.inference.archive.options import ArchiveOptions
from keras_acl.inference.archive.worker import Row
from keras_acl.system.atomic_write import written_whole

SETTINGS = "archive.json"
VIDEOS, BAD = "videos", "bad"
SMALLEST, LARGEST, WANTED = 16, 1024, 1000  # videos of a part, and parts of an archive
PREFIXES = ("", "spatial_", "temporal_")


class Part(NamedTuple):
    """Some of the videos, done together.

    Args:
        number: Its place among all parts.
        items: Its videos.
    """

    number: int
    items: tuple[Item, ...]


def parts_of(items: Sequence[Item], count: int | None = None) -> list[Part]:
    """Cut an archive into parts of (nearly) one size, in its order.

    Args:
        items: All videos.
        count: Number of parts, at most one for each video. None: about a thousand, of 16 to 1024
            videos.

    Raises:
        ValueError: If there is no part.
    """
    total = len(items)
    if count is None:
        count = -(-total // min(LARGEST, max(SMALLEST, -(-total // WANTED))))
    if count < 1:
        raise ValueError(f"An archive has at least one part. Received: shards={count}")
    count = min(count, total)
    edges = [total * number // count for number in range(count + 1)]
    return [
        Part(number, tuple(items[edges[number] : edges[number + 1]])) for number in range(count)
    ]


class ArchiveFolder:
    """The folder of an archive's results.

    Args:
        folder: It is made if missing.
        settings: What the results depend on.
        parts: Number of parts.
        options: What is kept of each video.

    Raises:
        ImportError: If pyarrow, which writes Parquet, is not installed.
        ValueError: If the folder holds the results of something else.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        parts: int,
        options: ArchiveOptions,
    ) -> None:
        if importlib.util.find_spec("pyarrow") is None:
            raise ImportError(MISSING)
        self.folder, self._parts = folder, parts
        self._good = schema(options)
        self._broken = schema(None)
        claim(folder, {**settings, "parts": parts})

    def file(self, kind: str, number: int) -> Path:
        """File of a part, of the videos that were classified or of the bad ones."""
        return self.folder / kind / f"part-{number:05d}-of-{self._parts:05d}.parquet"

    def done(self, number: int, again: bool = False) -> bool:
        """Whether a part is done; with `again` one with bad videos is not."""
        if again and self.file(BAD, number).exists():
            return False
        return self.file(VIDEOS, number).exists()

    def write(self, number: int, rows: Sequence[Row]) -> None:
        """Keep the rows of a part. Whatever ends this early leaves the part to be done."""
        self.file(VIDEOS, number).unlink(missing_ok=True)  # of an earlier try, and so is the other
        parquet = importlib.import_module("pyarrow.parquet")
        arrow = importlib.import_module("pyarrow")
        bad = [row for row in rows if "problem" in row]
        good = [row for row in rows if "problem" not in row]
        tables = [(VIDEOS, good, self._good)]
        if bad:
            tables.insert(0, (BAD, bad, self._broken))
        else:
            self.file(BAD, number).unlink(missing_ok=True)
        for kind, found, columns in tables:
            with written_whole(self.file(kind, number)) as beside:
                parquet.write_table(arrow.Table.from_pylist(found, columns), beside)

    def count(self, kind: str, numbers: Iterable[int]) -> int:
        """Number of rows of some parts."""
        parquet = importlib.import_module("pyarrow.parquet")
        files = [self.file(kind, number) for number in numbers]
        return sum(parquet.read_metadata(file).num_rows for file in files if file.exists())


def schema(options: ArchiveOptions | None):
    """Columns of what was classified, with such options; or of the bad videos."""
    arrow = importlib.import_module("pyarrow")
    text, number, times = arrow.string(), arrow.float32(), arrow.float64()
    columns = [("path", text), ("start", times), ("end", times)]
    if options is None:
        return arrow.schema([*columns, ("problem", text)])
    for prefix in PREFIXES if options.per_stream else PREFIXES[:1]:
        one = [("label", text), ("score", number)]
        one += [("labels", arrow.list_(text)), ("scores", arrow.list_(number))]
        columns += [(f"{prefix}{name}", kind) for name, kind in one]
    if options.features:
        columns.append(("features", arrow.list_(number)))
    return arrow.schema(columns)


def claim(folder: Path, settings: Mapping[str, Any]) -> None:
    """Note what the results in a folder depend on, or compare.

    Raises:
        ValueError: If the folder holds the results of something else.
    """
    file = folder / SETTINGS
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        changed = [
            f"{name} was {before.get(name)!r} and is {value!r}"
            for name, value in settings.items()
            if before.get(name) != value
        ]
    except FileNotFoundError:
        if any((folder / kind).exists() for kind in (VIDEOS, BAD)):
            raise ValueError(
                f"{folder} holds a folder called {VIDEOS} or {BAD}, and no {SETTINGS}: it is not "
                "an archive's. Give another output folder."
            ) from None
        with written_whole(file) as beside:
            beside.write_text(json.dumps(dict(settings), indent=2) + "\n", encoding="utf-8")
        return
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"{os.fspath(file)} cannot be read: {error}. Give another output folder, or remove "
            "this one."
        ) from error
    if changed:
        raise ValueError(
            f"{folder} holds the results of something else: {'; '.join(changed)}. Repeat that to "
            "go on. Otherwise give another output folder, or remove this one."
        )
