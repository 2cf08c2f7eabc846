"""Two-stream video action recognition with attention consistency, in Keras 3."""

import importlib
from typing import TYPE_CHECKING

from keras_acl.clip import ClipSpec

if TYPE_CHECKING:
    from keras_acl import attention, callbacks, data, layers, models, profiling, recipes
    from keras_acl.inference import load_model, predict_videos

__version__ = "0.1.0"
__all__ = [
    "ClipSpec",
    "attention",
    "callbacks",
    "data",
    "layers",
    "load_model",
    "models",
    "predict_videos",
    "profiling",
    "recipes",
]


def __getattr__(name: str):
    # Loaded on first use: a process that only decodes videos does not pay for TensorFlow.
    if name in ("load_model", "predict_videos"):
        return getattr(importlib.import_module("keras_acl.inference"), name)
    if name in __all__:
        return importlib.import_module(f"keras_acl.{name}")
    raise AttributeError(f"module 'keras_acl' has no attribute {name!r}")
