"""Two-stream video action recognition with attention consistency, in Keras 3."""

import importlib
import os
import platform
from typing import TYPE_CHECKING

from keras_acl.clip import ClipSpec

if TYPE_CHECKING:
    from keras_acl import (
        attention,
        callbacks,
        data,
        evaluation,
        layers,
        models,
        pretrained,
        profiling,
        recipes,
    )
    from keras_acl.attention import explain
    from keras_acl.evaluation import evaluate_views
    from keras_acl.extraction import features, save_features
    from keras_acl.inference import load_model, predict_videos
    from keras_acl.models import optimize
    from keras_acl.pretrained import list_presets, load_pretrained, save_pretrained
    from keras_acl.timeline import predict_timeline
    from keras_acl.timeline_plot import plot_timeline

# TensorFlow by itself turns its fast convolutions (oneDNN) on only where a processor has VNNI;
# without them ours take two to three times as long. It looks at this once, when it is imported.
if platform.machine().lower() in ("x86_64", "amd64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"
__all__ = [
    "ClipSpec",
    "attention",
    "callbacks",
    "data",
    "evaluate_views",
    "evaluation",
    "explain",
    "features",
    "layers",
    "list_presets",
    "load_model",
    "load_pretrained",
    "models",
    "optimize",
    "plot_timeline",
    "predict_timeline",
    "predict_videos",
    "pretrained",
    "profiling",
    "recipes",
    "save_features",
    "save_pretrained",
]
# Functions at the top, by the module that has them.
_FUNCTIONS = {
    "evaluate_views": "evaluation",
    "explain": "attention",
    "features": "extraction",
    "list_presets": "pretrained",
    "load_model": "inference",
    "load_pretrained": "pretrained",
    "optimize": "models",
    "plot_timeline": "timeline_plot",
    "predict_timeline": "timeline",
    "predict_videos": "inference",
    "save_features": "extraction",
    "save_pretrained": "pretrained",
}


def __getattr__(name: str):
    # Loaded on first use: a process that only decodes videos does not pay for TensorFlow.
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"keras_acl.{_FUNCTIONS[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"keras_acl.{name}")
    raise AttributeError(f"module 'keras_acl' has no attribute {name!r}")
