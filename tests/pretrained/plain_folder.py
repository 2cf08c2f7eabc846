"""A folder like those of `save_pretrained`, made without a network: for tests of the traffic."""

import random
from pathlib import Path

from keras_acl.clip import ClipSpec
from keras_acl.pretrained.card import Card, Metric, model_card
from keras_acl.pretrained.metadata import Metadata
from keras_acl.pretrained.model_folder import CONFIG, README, WEIGHTS, sha256_of

METRIC = Metric("moving figures", 71.5, "one centre clip", "this test")
CARD = Card("plain", "Random bytes.", "Apache-2.0", "a test", metrics=(METRIC,))


def plain_folder(folder: Path, card: Card = CARD, seed: int = 0, size: int = 300_000) -> Path:
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text('{"class": "SlowClassifier", "arguments": {}}')
    (folder / WEIGHTS).write_bytes(random.Random(seed).randbytes(size))
    counted = {"parameters": 3, "multiply_adds": 5}
    (folder / README).write_text(
        model_card(card, architecture="SlowClassifier", clip=ClipSpec(), labels=None, **counted)
    )
    digests = {name: sha256_of(folder / name) for name in (CONFIG, WEIGHTS)}
    Metadata(card=card, labels=None, clip=ClipSpec(), versions={}, sha256=digests, **counted).write(
        folder
    )
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}
