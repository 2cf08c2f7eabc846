"""Two-stream video action recognition with attention consistency, in Keras 3."""

import os
import platform
from typing import TYPE_CHECKING

from keras_acl.clip import ClipSpec
from keras_acl.system.lazy_names import lazy_names

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
    from keras_acl.inference import (
        features,
        load_model,
        plot_timeline,
        predict_timeline,
        predict_videos,
        save_features,
    )
    from keras_acl.models import optimize
    from keras_acl.pretrained import list_presets, load_pretrained, save_pretrained

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
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "evaluate_views": "keras_acl.evaluation",
        "explain": "keras_acl.attention",
        "features": "keras_acl.inference",
        "list_presets": "keras_acl.pretrained",
        "load_model": "keras_acl.inference",
        "load_pretrained": "keras_acl.pretrained",
        "optimize": "keras_acl.models",
        "plot_timeline": "keras_acl.inference",
        "predict_timeline": "keras_acl.inference",
        "predict_videos": "keras_acl.inference",
        "save_features": "keras_acl.inference",
        "save_pretrained": "keras_acl.pretrained",
    },
    modules=[
        "attention",
        "callbacks",
        "data",
        "evaluation",
        "layers",
        "models",
        "pretrained",
        "profiling",
        "recipes",
    ],
)
