"""Two-stream video action recognition with attention consistency, in Keras 3.

From videos to batches

- `ClipSpec`: what a model eats: frames, the span of time they cover, size
- `data`: folders, CSVs, UCF101, Kinetics and drawn figures -> batches for `fit`

Networks and training

- `models`: the two-stream network of the paper, SlowFast and Slow
- `layers`: what they are made of: attention consistency, class activation maps, lateral fusion
- `recipes`: all that `compile` and `fit` need, for fine-tuning and for Kinetics-400
- `callbacks`: the weight of the consistency term, precise batch statistics, resumable runs
- `distribute`: training on several devices, or on several hosts
- `optimize`: a model in the fastest form that the machine has, for inference
- `export`: a model as a file for OpenVINO, ONNX Runtime, LiteRT, TensorFlow or torch
- `quantize`: the same in int8, compared with float32
- `profiling`: parameters and multiply-adds, counted

Weights

- `load_pretrained`: a model from a preset, a saved folder or the Hugging Face Hub
- `save_pretrained`: a model as a folder, with its card
- `load_model`: a model from a `.keras` file, or from one that was exported
- `list_presets`: the weights there are, with accuracy, protocol and cost
- `pretrained`: checkpoints of other projects, warm starts, cards, publishing

What a model says of videos

- `predict_videos`: the classes of files
- `predict_timeline`: what happens when in a long recording
- `plot_timeline`: a picture of that
- `features`: what the dense layer sees
- `save_features`: features as a file

Where it looks, and how good it is

- `explain`: a video and a contact sheet of where both streams look
- `attention`: maps, overlays, measures against masks and boxes
- `evaluate_views`: raw scores from many views of each video
- `evaluation`: every metric from them, comparisons, reports
"""

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
        export,
        features,
        load_model,
        optimize,
        plot_timeline,
        predict_timeline,
        predict_videos,
        quantize,
        save_features,
    )
    from keras_acl.pretrained import list_presets, load_pretrained, save_pretrained
    from keras_acl.system.distribution import distribute

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
    "distribute",
    "evaluate_views",
    "evaluation",
    "explain",
    "export",
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
    "quantize",
    "recipes",
    "save_features",
    "save_pretrained",
]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "distribute": "keras_acl.system.distribution",
        "evaluate_views": "keras_acl.evaluation",
        "explain": "keras_acl.attention",
        "export": "keras_acl.inference",
        "features": "keras_acl.inference",
        "list_presets": "keras_acl.pretrained",
        "load_model": "keras_acl.inference",
        "load_pretrained": "keras_acl.pretrained",
        "optimize": "keras_acl.inference",
        "plot_timeline": "keras_acl.inference",
        "predict_timeline": "keras_acl.inference",
        "predict_videos": "keras_acl.inference",
        "quantize": "keras_acl.inference",
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
