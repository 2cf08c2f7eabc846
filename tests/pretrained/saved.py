"""A small model with weights that matter, and its folder: what the tests of loading share."""

import json
from pathlib import Path

import numpy as np
from harness import to_numpy
from tiny_network import CLIP, LABELS, NETWORK, random_clips, two_stream

from keras_acl.models import SlowClassifier, SlowFastClassifier, TwoStreamClassifier
from keras_acl.pretrained.card import Card, Metric
from keras_acl.pretrained.model_folder import sha256_of

METRIC = Metric("moving figures", 71.5, "one centre clip", "this test", videos=40)
CARD = Card("tiny", "A tiny network.", "Apache-2.0", "a test", ("figures",), (METRIC,))


def randomized(model, seed: int = 0):
    """Give every weight a value that shows when it is lost."""
    rng = np.random.default_rng(seed)
    for v in model.weights:
        if v.name in ("gamma", "moving_variance"):
            v.assign(rng.uniform(0.5, 1.5, v.shape))
        elif v.name != "consistency_weight":
            v.assign(rng.normal(size=v.shape) * 0.2)
    return model


def make_two_stream(**options) -> TwoStreamClassifier:
    return randomized(two_stream(**{"labels": LABELS, **options}))


def make_slowfast() -> SlowFastClassifier:
    return randomized(SlowFastClassifier(3, clip=CLIP, fusion_kernel=3, **NETWORK))


def make_slow() -> SlowClassifier:
    options = {name: value for name, value in NETWORK.items() if name != "channel_ratio"}
    return randomized(SlowClassifier(3, clip=CLIP, mean=(0.4, 0.5, 0.6), **options))


def logits(model) -> np.ndarray:
    return to_numpy(model(random_clips(2), training=False))


def edit(folder: Path, name: str, change, vouch: bool = True) -> None:
    """Change a JSON file of a saved folder; `vouch` corrects its digest, as its author could."""
    file = folder / name
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))
    if vouch and name != "metadata.json":
        digest = sha256_of(file)
        edit(folder, "metadata.json", lambda metadata: metadata["sha256"].update({name: digest}))
