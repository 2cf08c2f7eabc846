"""Functions that stand in for a decoder, in worker processes; light, as each imports them."""

import os
import signal
import sys
import time

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.data.records import ClipReader
from keras_acl.video.video import DecodingError

CLIP = ClipSpec(frames=2, span=4, size=16)


def decode(video, rng):
    """What the first word of a file's name says; else the process and a number that was drawn."""
    fail(video)
    return np.array([os.getpid(), rng.integers(100)])


def decode_clip(video, rng):
    """What the first word of a file's name says; else its clip."""
    fail(video)
    return ClipReader(CLIP, None)(video, rng)


def fail(video) -> None:
    """Crash, hang, ..., if the first word of the file's name is one of these."""
    word = os.path.basename(video.path).split(".")[0].split("-")[0]
    if word == "crash":
        os.abort()
    if word == "fault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "hang":
        time.sleep(1000)
    if word == "broken":
        raise DecodingError(video.path, "no frame of it can be decoded")
    if word == "defect":
        raise KeyError(video.path)
    if word == "stop":
        sys.exit(3)


def what_a_process_knows(video, rng):
    """What was asked for, and the modules that are imported here."""
    return video.path, rng.random(), frozenset(sys.modules)
