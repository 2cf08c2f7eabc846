"""Shards of a WebDataset, tar files of videos beside their labels -> VideoList.

The headers are read once; a video is then read from its place, in any order, so that shuffling,
sharding and resuming are those of every other source. Python's own tarfile suffices for that.
"""

import contextlib
import functools
import glob
import itertools
import json
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fsspec.core import url_to_fs

from keras_acl.data.sources import labels_of
from keras_acl.data.tables import class_index
from keras_acl.data.video_list import VideoList, checked_labels
from keras_acl.system.printable import escaped, shortened
from keras_acl.video.address import is_address, store_errors
from keras_acl.video.files import VIDEO_SUFFIXES
from keras_acl.video.stored_bytes import StoredBytes
from keras_acl.video.video import Video

LABELS = ("cls", "txt", "json")  # endings that are looked for, in this order
FIELD = "label"  # of a JSON
BRACES = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}")
LARGEST_LABEL = 2**20  # bytes of a label's file


class Sample(NamedTuple):
    """A video of a shard.

    Args:
        name: Shard and key: what errors call it.
        video: Where it is.
        label: Its label's text; None where it has none.
    """

    name: str
    video: StoredBytes
    label: str | None


def read_webdataset(
    shards: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    labels: Sequence[str] | None = None,
    label: str | None = None,
) -> VideoList:
    """Read tar files in which files of one name are a video and its label: a.mp4, a.cls.

    Args:
        shards: Tar files, not compressed: one, a list, a folder of them, a pattern such as
            `train-{000..127}.tar` or `train-*.tar`; also addresses (`s3://bucket/train-*.tar`).
        labels: Class names in the wanted order, such as `model.labels`. By default the sorted names
            or, where all labels are indices, "0", "1", ..., as `read_csv` has it.
        label: Ending of the files that hold the class, as a name or an index: `"cls"`, `"txt"`, or
            `"json:field"`. None: cls, txt or the field label of json, whichever there is.

    Returns:
        The videos in the order of shards and files. Without any label they have none.

    Raises:
        FileNotFoundError: If there is no such shard.
        ValueError: If a shard is no tar file or a compressed one, there is no video, only some have
            labels, or a label is no class.
    """
    ending, _, field = (label or "").partition(":")
    wanted = (ending,) if ending else LABELS
    read = functools.partial(_samples, wanted=wanted, field=field or FIELD)
    samples = list(itertools.chain.from_iterable(map(read, find_shards(shards))))
    if not samples:
        raise ValueError(f"There is no video in {shards}")
    without = [sample.name for sample in samples if sample.label is None]
    if without and (label is not None or len(without) < len(samples)):
        raise ValueError(
            f"{len(without)} of {len(samples)} videos have no label ({', '.join(wanted)}), such as "
            f"{without[0]}. Expected one for each video."
        )
    if without:
        return VideoList([Video(name, content=video) for name, video, _ in samples], labels or ())
    texts = [str(sample.label) for sample in samples]
    names = labels_of([text] for text in texts) if labels is None else checked_labels(labels)
    indices = {name: index for index, name in enumerate(names)}
    videos = [
        Video(name, class_index(text, indices, name), content=video)
        for (name, video, _), text in zip(samples, texts, strict=True)
    ]
    return VideoList(videos, names)


def find_shards(
    shards: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
) -> list[str]:
    """Paths and addresses of shards; see `read_webdataset`.

    Raises:
        FileNotFoundError: If nothing is found.
    """
    listed = [shards] if isinstance(shards, str | os.PathLike) else list(shards)
    found = []
    for each in listed:
        if not isinstance(each, str):
            each = os.fspath(each)
        here = [shard for text in expanded(each) for shard in _matching(text)]
        if not here:
            raise FileNotFoundError(2, "There is no such shard", each)
        found += here
    return found


def expanded(pattern: str) -> Iterator[str]:
    """The texts that braces stand for: `{08..11}` with leading zeros, and `{a,b}`."""
    match = BRACES.search(pattern)
    if match is None:
        yield pattern
        return
    first, last, names = match.groups()
    if names is None:
        middles = (f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1))
    else:
        middles = iter(names.split(","))
    for middle in middles:
        yield from expanded(pattern[: match.start()] + middle + pattern[match.end() :])


def _matching(text: str) -> list[str]:
    if is_address(text):
        if not glob.has_magic(text):
            return [text]
        with store_errors(text):
            files, path = url_to_fs(text)
            return sorted(str(files.unstrip_protocol(each)) for each in files.glob(path))
    if os.path.isdir(text):
        return sorted(map(str, Path(text).glob("*.tar")))
    if os.path.isfile(text):
        return [text]
    return sorted(glob.glob(text))


@contextlib.contextmanager
def _opened(shard: str) -> Iterator[tarfile.TarFile]:
    with contextlib.ExitStack() as stack:
        if is_address(shard):
            with store_errors(shard):
                files, path = url_to_fs(shard)
                # Headers are a few bytes here and there.
                file = files.open(path, "rb", block_size=2**16)
        else:
            file = open(shard, "rb")  # noqa: SIM115  the stack closes it
        stack.enter_context(file)
        try:
            yield stack.enter_context(tarfile.open(fileobj=file, mode="r:"))
        except tarfile.TarError as error:
            raise ValueError(
                f"{shard} cannot be read as a tar file: {error}. A compressed one has to be "
                "unpacked first (gunzip): videos are read from their place in it."
            ) from error


def _samples(shard: str, wanted: Sequence[str], field: str) -> Iterator[Sample]:
    """The videos of a shard, in its order."""
    with _opened(shard) as tar:
        members = (member for member in tar if member.isfile() and not member.issparse())
        for key, group in itertools.groupby(members, lambda member: _split(member.name)[0]):
            by_ending = {_split(member.name)[1]: member for member in group}
            labels = (ending for ending in wanted if ending in by_ending)
            text = None
            if (ending := next(labels, None)) is not None:
                text = _label(tar, by_ending[ending], ending, field, f"{shard}/{key}")
            for ending, member in by_ending.items():
                if os.path.splitext(f"a.{ending}")[1] in VIDEO_SUFFIXES:
                    place = StoredBytes(_absolute(shard), member.offset_data, member.size)
                    yield Sample(f"{shard}/{escaped(member.name)}", place, text)


def _absolute(shard: str) -> str:
    return shard if is_address(shard) else os.path.abspath(shard)


def _split(name: str) -> tuple[str, str]:
    """Key and ending: as WebDataset has it, at the first dot of the file's name."""
    folder, slash, file = name.rpartition("/")
    stem, _, ending = file.partition(".")
    return folder + slash + stem, ending.lower()


def _label(
    tar: tarfile.TarFile, member: tarfile.TarInfo, ending: str, field: str, where: str
) -> str:
    content = tar.extractfile(member)
    if content is None or member.size > LARGEST_LABEL:
        raise ValueError(f"{where}.{ending} is no label: it has {member.size:,} bytes.")
    try:
        text = content.read().decode("utf-8").strip()
        if ending == "json":
            text = str(json.loads(text)[field])
    except KeyError:
        raise ValueError(f"{where}.{ending} has no field {field!r}: label='json:name'") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{where}.{ending} is no label: {shortened(str(error))}") from error
    return text
