"""What ships: cards that say what the records say, and weights that say what they said."""

import hashlib
import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from keras_acl import ClipSpec, load_pretrained
from keras_acl.pretrained.golden import golden_clip, golden_outputs
from keras_acl.pretrained.presets import DEMO, PRESETS

WEIGHTS = Path(__file__).parents[2] / "weights"
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_golden_clip_never_changes():
    clip = golden_clip(ClipSpec(frames=8, span=16))
    assert clip.shape == (1, 8, 64, 64, 3)
    assert clip[0, 0, 0, :2].tolist() == [[0, 80, 160], [3, 83, 163]]
    digest = hashlib.sha256(clip.tobytes()).hexdigest()
    assert digest.startswith("8c7380a1d9dc89c9")


def test_cards_say_what_the_records_say():
    example = runpy.run_path(str(EXAMPLES / "write_cards.py"))
    for preset in PRESETS:
        folder = WEIGHTS / preset.name
        if preset is DEMO:
            continue
        text = (folder / "README.md").read_text(encoding="utf-8")
        assert text == example["card_text"](preset), "run examples/write_cards.py"
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        assert record == json.loads(example["as_json"](example["record"](preset)))
    folders = {path.name for path in WEIGHTS.iterdir() if path.is_dir()}
    assert folders == {preset.name for preset in PRESETS}


@pytest.mark.backends
def test_demo_says_what_it_said_when_it_was_trained():
    expected = json.loads((WEIGHTS / "demo" / "golden.json").read_text(encoding="utf-8"))
    outputs = golden_outputs(load_pretrained("demo"))
    assert outputs["clip"] == expected["clip"]
    pairs = list(zip(outputs["top_logits"], expected["top_logits"], strict=True))
    assert [ours["label"] for ours, _ in pairs] == [theirs["label"] for _, theirs in pairs]
    ours, theirs = ([pair[i]["logit"] for pair in pairs] for i in (0, 1))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_demo_is_small_and_as_its_record_says():
    model = load_pretrained("demo")
    assert sum(file.stat().st_size for file in (WEIGHTS / "demo").iterdir()) < 4e6
    assert type(model) is DEMO.architecture
    for name, value in DEMO.arguments.items():
        assert getattr(model, name) == value
    assert model.card.metrics[0].protocol
    assert "--seed" in model.card.source
