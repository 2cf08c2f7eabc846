"""Write `weights/<preset>/`: card, record and, where the weights can be loaded, golden outputs.

The cards say what the records in keras_acl/pretrained/presets.py say; a test holds them equal.
Golden outputs need the weights: `--golden NAME` loads a preset, which may download 130 to 380 MB,
and writes what it says of a fixed clip. Seconds without it.

    python examples/write_cards.py
    python examples/write_cards.py --golden slow_r50_4x16_k400
"""

import argparse
import dataclasses
import inspect
import json
import sys
from pathlib import Path

from keras_acl import ClipSpec, load_pretrained
from keras_acl.pretrained.card import model_card
from keras_acl.pretrained.golden import golden_outputs
from keras_acl.pretrained.labels import read_labels
from keras_acl.pretrained.presets import DEMO, PRESETS, Preset, find_preset
from keras_acl.system.atomic_write import written_whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("weights"))
    parser.add_argument("--golden", nargs="*", default=[], metavar="NAME")
    options = parser.parse_args()
    try:
        for preset in PRESETS:
            if preset is not DEMO:  # save_pretrained writes that one, with the weights
                write(options.output / preset.name / "README.md", card_text(preset))
                write(options.output / preset.name / "record.json", as_json(record(preset)))
        for name in options.golden:
            preset = find_preset(name)
            outputs = golden_outputs(load_pretrained(name))
            write(options.output / preset.name / "golden.json", as_json(outputs))
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")


def write(file: Path, text: str) -> None:
    with written_whole(file) as beside:
        beside.write_text(text, encoding="utf-8")
    print(file)


def as_json(values: dict) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def clip_of(preset: Preset) -> ClipSpec:
    """The clip of its arguments, or its class' own."""
    own = inspect.signature(preset.architecture).parameters["clip"].default
    return preset.arguments.get("clip", own)


def card_text(preset: Preset) -> str:
    return model_card(
        preset.card,
        architecture=preset.architecture.__name__,
        clip=clip_of(preset),
        labels=None if preset.labels is None else read_labels(preset.labels),
        parameters=preset.parameters,
        multiply_adds=preset.multiply_adds,
    )


def record(preset: Preset) -> dict:
    """The record as plain values: where the bytes are, and what the network is."""
    return {
        "card": preset.card.to_dict(),
        "architecture": preset.architecture.__name__,
        "arguments": {key: preset.arguments[key] for key in preset.arguments if key != "clip"},
        "clip": clip_of(preset).to_dict(),
        "labels": preset.labels,
        "parameters": preset.parameters,
        "multiply_adds": preset.multiply_adds,
        "hub": preset.hub,
        "revision": preset.revision,
        "checkpoints": [dataclasses.asdict(checkpoint) for checkpoint in preset.checkpoints],
        "command": preset.command,
    }


if __name__ == "__main__":
    main()
