"""Videos whose bytes were changed, through the loader's worker processes.

Mutant n comes from the seed n: `mutant(n, base)` makes it again.
"""

import multiprocessing
import os
import warnings
from pathlib import Path
from unittest.mock import patch

import numpy as np
from faults import Row, peak_memory, timed
from faulty_decoders import CLIP, decode_clip
from video_files import write_video

from keras_acl.clip import ClipSpec
from keras_acl.data import BadVideoWarning, LoadingOptions, VideoDataset
from keras_acl.video.video import Video

SECONDS = 10.0  # most that a file may take
MEGABYTES = 1024  # most that a worker process may have
SEEN = ClipSpec(frames=4, span=8, size=32)
BASES = (
    *(("mp4", "libx264"), ("mp4", "mpeg4"), ("mp4", "libx265"), ("mp4", "libsvtav1")),
    *(("mov", "mpeg4"), ("mkv", "libx264"), ("mkv", "ffv1"), ("webm", "libvpx-vp9")),
    *(("avi", "mpeg4"), ("avi", "msmpeg4"), ("mpg", "mpeg2video"), ("ts", "libx264")),
    *(("flv", "flv1"), ("wmv", "wmv2")),
)
QUIET = {"libx265": {"x265-params": "log-level=none"}, "libsvtav1": {"svtav1-params": "lp=1"}}
# Where containers keep sizes, rates, durations and tables.
FIELDS = (
    *(b"mvhd", b"tkhd", b"mdhd", b"stsd", b"avc1", b"mp4v", b"avcC", b"esds", b"elst"),
    *(b"stts", b"stsc", b"stsz", b"stco", b"stss", b"ctts"),  # mp4 and mov
    *(b"RIFF", b"avih", b"strh", b"strf", b"idx1", b"movi", b"vprp"),  # avi
    *(b"\x44\x89", b"\xb0\x81", b"\xba\x81", b"\x2a\xd7\xb1", b"\x23\xe3\x83"),  # mkv, webm
    *(b"\x1a\x45\xdf\xa3", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75"),
    *(
        b"\x00\x00\x01\xb3",
        b"\x00\x00\x01\xba",
        b"FLV",
        b"onMetaData",
        b"\x30\x26\xb2\x75",
        b"\x47\x40",
    ),
)
EXTREMES = (
    *(b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"),
    *(b"\x00\x00\x00\x01", b"\x01\x00\x00\x00", b"\x40\x00\x40\x00", b"\x00\x40\x00\x40"),
    *(b"\x80\x00\x00\x00", b"\x00\x00\x00\x80", b"\x3f\xff\xff\xff", b"\x7f\xef\xff\xff"),
)


def write_bases(folder: Path) -> list[bytes]:
    """Small videos, one of each container and codec."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (24, 6, 8, 3), np.uint8)  # some detail, and motion
    frames = blocks.repeat(8, axis=1).repeat(8, axis=2)
    files = []
    for number, (container, codec) in enumerate(BASES):
        file = folder / f"base{number}.{container}"
        write_video(file, frames, 25, codec=codec, options=QUIET.get(codec, {}))
        files.append(file.read_bytes())
    return files


def mutant(number: int, bases: list[bytes]) -> bytes:
    """The mutant of a number, of base `number % len(bases)`."""
    rng = np.random.default_rng(number)
    data = bytearray(bases[number % len(bases)])
    change = (flipped, cut, spliced, absurd, absurd, overwritten)[rng.integers(6)]
    return bytes(change(data, bases, rng))


def flipped(data: bytearray, bases: list[bytes], rng) -> bytearray:
    """Single bits, in the whole file or in its beginning."""
    end = len(data) if rng.random() < 0.5 else min(len(data), 800)
    for place in rng.integers(0, end, 2 ** rng.integers(0, 8)):
        data[place] ^= 1 << rng.integers(8)
    return data


def cut(data: bytearray, bases: list[bytes], rng) -> bytearray:
    """An end, or a part in the middle."""
    first, last = np.sort(rng.integers(0, len(data), 2))
    return data[:last] if rng.random() < 0.5 else data[:first] + data[last:]


def spliced(data: bytearray, bases: list[bytes], rng) -> bytearray:
    """The beginning of one file, and the end of another."""
    other = bases[rng.integers(len(bases))]
    return data[: rng.integers(16, len(data))] + other[rng.integers(0, len(other)) :]


def absurd(data: bytearray, bases: list[bytes], rng) -> bytearray:
    """Sizes, rates, durations and tables of the headers."""
    there = [data.index(field) + len(field) for field in FIELDS if field in data]
    for _ in range(rng.integers(1, 5)):
        place = there[rng.integers(len(there))] + int(rng.integers(0, 48))
        data[place : place + 4] = EXTREMES[rng.integers(len(EXTREMES))]
    return data


def overwritten(data: bytearray, bases: list[bytes], rng) -> bytearray:
    """A block of zeros, ones or noise; or one twice."""
    place, length = rng.integers(0, len(data)), 2 ** rng.integers(0, 12)
    blocks = (bytes(length), b"\xff" * length, rng.bytes(length), data[place : place + length])
    block = blocks[rng.integers(4)]
    return data[:place] + block + data[place + (length if rng.random() < 0.5 else 0) :]


def run(times: int, folder: Path) -> list[Row]:
    """Read `times` mutants, then good files with a decoder that crashes and hangs."""
    bases = write_bases(folder)
    return [mutated(times, folder, bases), lost_decoders(max(4, times // 250), folder, bases[0])]


def mutated(times: int, folder: Path, bases: list[bytes]) -> Row:
    """One pass over the mutants: each is read, or refused with one warning."""
    paths = []
    for number in range(times):
        container = BASES[number % len(BASES)][0]
        path = folder / f"{number:05d}.{container}"
        path.write_bytes(mutant(number, bases))
        paths.append(str(path))
    row = Row("a video's bytes are changed")
    with timed(row):
        warned, bad, memory = one_pass([Video(path) for path in paths], 2, SEEN)
    for path in paths:
        reason = bad.get(path, "")
        wrong = "its decoder" in reason or warned.count(path) != (path in bad)
        row.add(f"{os.path.basename(path)}: {reason}" if wrong else None)
    if memory > MEGABYTES:
        row.lost.append(f"{memory:.0f} MB, more than {MEGABYTES}")
    row.note = (
        f"{len(bad):,} refused with one warning each, {times - len(bad):,} read; at most "
        f"{SECONDS:.0f} s a file; a worker's memory {memory:.0f} MB, bound {MEGABYTES}"
    )
    return row


def one_pass(videos: list[Video], processes: int, clip: ClipSpec, timeout: float = SECONDS):
    """Paths that were warned of, reasons by path, and the most memory of a worker."""
    loading = LoadingOptions(processes=processes, timeout=timeout, max_bad_fraction=1.0)
    data = VideoDataset(videos, clip, 8, loading=loading)
    memory, clips = 0.0, 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for (batch,) in data:
            clips += len(batch)
            for worker in multiprocessing.active_children():
                if worker.is_alive():
                    memory = max(memory, peak_memory(worker.pid or "self"))
    data.close()
    if clips != len(videos):
        raise RuntimeError(f"{len(videos)} videos gave {clips} clips.")
    texts = [str(each.message) for each in caught if each.category is BadVideoWarning]
    return [text.split(" cannot be read")[0] for text in texts], data.bad_files, memory


def lost_decoders(times: int, folder: Path, content: bytes) -> Row:
    """Processes that crash and hang: each costs its file."""
    expected = {
        "fault": "(SIGSEGV)",
        "crash": "(SIGABRT)",
        "killed": "(SIGKILL)",
        "hang": "did not end within 1 s",
    }
    paths = {}
    for number in range(times):
        name = [*expected][number % 4]
        paths[str(folder / f"{name}-{number}.mp4")] = expected[name]
    good = [str(folder / f"good-{number}.mp4") for number in range(times)]
    for path in (*paths, *good):
        Path(path).write_bytes(content)
    row = Row("a decoder crashes or hangs in its process")
    mixed = [path for pair in zip(paths, good, strict=True) for path in pair]
    with timed(row), patch("keras_acl.data.stream.ClipReader", lambda *_: decode_clip):
        warned, bad, _ = one_pass([Video(path) for path in mixed], 2, CLIP, timeout=1.0)
    for path, reason in paths.items():
        well = reason in bad.get(path, "") and warned.count(path) == 1
        row.add(None if well else f"{path}: {bad.get(path, 'read')}")
    if set(bad) != set(paths):
        row.lost.append(f"other files than these were bad: {sorted(bad)}")
    row.note = "one warning and one new process each; the pass goes on"
    return row
