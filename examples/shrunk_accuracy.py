"""What `keras-acl shrink` costs in accuracy, measured.

Shrinks a folder of videos with each codec, trains a small two-stream network on the files as they
are and on each kind of copies, and tests every network on all of them, on people whom it has not
seen: file names begin with the speaker, `CLASS/SPEAKER_….mp4`. Finished runs are kept in OUTPUT and
not repeated; about four minutes each on two cores. Figures:
[results/shrunk_accuracy](results/shrunk_accuracy/README.md).

    python examples/shrunk_accuracy.py lips/words --held-out F05 F09 M02
"""

import argparse
import json
from pathlib import Path

from keras_acl import recipes
from keras_acl.data import read_directory
from keras_acl.system.atomic_write import written_whole
from keras_acl.video.encode import CODECS
from keras_acl.video.shrink import shrink_videos

import keras
import numpy as np

import few_videos

ORIGINALS = "as they are"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, help="a folder of class folders")
    parser.add_argument("--held-out", nargs="+", required=True, help="speakers of the test")
    parser.add_argument("--output", type=Path, default=Path("runs/shrunk_accuracy"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    sides = {name: read(options, name) for name in (ORIGINALS, *CODECS)}
    tests = {name: test for name, (_, test) in sides.items()}
    runs = [
        run(options, name, sides[name][0], tests, seed) for seed in options.seeds for name in sides
    ]
    with written_whole(options.output / "result.json") as beside:
        lines = ",\n".join(json.dumps(record) for record in runs)
        beside.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print_table(runs)


def read(options: argparse.Namespace, name: str) -> tuple[few_videos.Clips, few_videos.Clips]:
    """Clips for training and for the test, of the originals or of the copies of a codec."""
    folder = options.videos
    if name != ORIGINALS:
        folder = options.output / "copies" / name
        shrink_videos(options.videos, folder, codec=name)
    videos = read_directory(folder)
    clips = few_videos.read_once(videos, options.output / f"{name}.npy")
    train, test = few_videos.by_speaker(videos, options.held_out)
    return few_videos.Clips(train, clips, 16, seed=0), few_videos.Clips(test, clips, 50)


def run(
    options: argparse.Namespace,
    name: str,
    train: few_videos.Clips,
    tests: dict[str, few_videos.Clips],
    seed: int,
) -> dict:
    """Train on one kind of files and test on all, unless that is done."""
    file = options.output / "runs" / f"{name}-{seed}.json"
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))
    keras.utils.set_random_seed(seed)
    train.rng, train.order = np.random.default_rng(seed), np.arange(len(train.videos))
    train.on_epoch_end()
    model = few_videos.network(train.videos.labels)
    recipe = recipes.finetune(epochs=options.epochs, learning_rate=0.4, seed=seed)
    few_videos.fit(model, train, tests[name], recipe)
    found = {kind: model.predict(test, verbose=0).argmax(-1) for kind, test in tests.items()}
    record = {
        "trained on": name,
        "seed": seed,
        "accuracy": {
            kind: round(float(np.mean(found[kind] == test.targets)), 4)
            for kind, test in tests.items()
        },
        "predictions as on the originals": {
            kind: round(float(np.mean(found[kind] == found[ORIGINALS])), 4) for kind in tests
        },
    }
    with written_whole(file) as beside:
        beside.write_text(json.dumps(record), encoding="utf-8")
    print(record, flush=True)
    return record


def print_table(runs: list[dict]) -> None:
    """Mean accuracy, and each seed's, by what was trained and what was tested on."""
    kinds = list(runs[0]["accuracy"])
    print("| trained on | " + " | ".join(f"tested {kind}" for kind in kinds) + " |")
    print("|---" * (1 + len(kinds)) + "|")
    for name in dict.fromkeys(record["trained on"] for record in runs):
        own = [record for record in runs if record["trained on"] == name]
        cells = []
        for kind in kinds:
            values = [record["accuracy"][kind] for record in own]
            same = np.mean([record["predictions as on the originals"][kind] for record in own])
            each = ", ".join(f"{value:.1%}" for value in values)
            cells.append(f"{np.mean(values):.1%} ({each}); same predictions {same:.1%}")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
