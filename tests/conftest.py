"""Quiet, headless and deterministic: what every test process needs before Keras is imported."""

import os
import signal

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

# Started in the background of a script, this process ignores Ctrl-C, and so would those it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
