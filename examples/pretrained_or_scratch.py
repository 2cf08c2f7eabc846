"""How much faster a network learns from pre-trained weights than from scratch, paired by seed.

Fine-tunes the preset `demo` on motions it has never seen, and trains the same network on the same
videos from random weights, both with the consistency term and the same learning rate. Prints and
draws the validation accuracy (192 videos, one centre clip) after each epoch. About 10 CPU minutes a
seed; finished runs are kept in OUTPUT and not repeated.

    python examples/pretrained_or_scratch.py --seeds 0 1 2 --output runs/pretrained
"""

import argparse
import dataclasses
import json
from pathlib import Path

from keras_acl import recipes
from keras_acl.data import MovingFigures
from keras_acl.system.atomic_write import written_whole
from keras_acl.system.figures import save_figure
from keras_acl.training.history import read_history
from keras_acl.training.runs import LEARNING_RATES, RunSettings, clip_of, train_folder

import numpy as np
from matplotlib.figure import Figure

FIGURES = MovingFigures(task="appearance_other_motion", distractors=3, frames=32, size=80)
STARTS = {"from demo": "demo", "from scratch": None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/pretrained"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--count", type=int, default=36, help="videos a class")
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    accuracies = {
        name: [run(options, seed, name, weights) for seed in options.seeds]
        for name, weights in STARTS.items()
    }
    print_table(accuracies)
    draw(accuracies, options.output / "accuracy.png")
    record = {
        "task": dataclasses.asdict(FIGURES),
        "videos_a_class": options.count,
        "seeds": options.seeds,
        "validation_accuracy_by_epoch": accuracies,
    }
    with written_whole(options.output / "result.json") as beside:
        beside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"Written: {options.output / 'result.json'} and accuracy.png")


def run(options, seed: int, name: str, weights: str | None) -> list[float]:
    """Validation accuracy after each epoch of one run."""
    print(f"Seed {seed}, {name}", flush=True)
    videos = options.output / f"videos-{seed}"
    FIGURES.write(videos, options.count, seed=seed)
    settings = RunSettings(
        source=str(videos),
        network="small",
        clip=clip_of("demo"),
        recipe=recipes.finetune(
            epochs=options.epochs, learning_rate=LEARNING_RATES["small"], seed=seed
        ),
        validation_split=1 / 3,
        flip=False,  # directions are classes
        seed=seed,
        weights=weights,
    )
    folder = options.output / f"seed{seed}-{name.replace(' ', '-')}"
    train_folder(settings, folder, verbose=0)
    return [round(value, 4) for value in read_history(folder / "history.csv")["val_accuracy"]]


def print_table(accuracies: dict[str, list[list[float]]]) -> None:
    epochs = len(next(iter(accuracies.values()))[0])
    print("validation accuracy after epoch  " + "".join(f"{e:>7}" for e in range(1, epochs + 1)))
    for name, runs in accuracies.items():
        for label, row in [
            *((name, row) for row in runs),
            (f"{name}, mean", np.mean(runs, axis=0)),
        ]:
            print(f"{label:33}" + "".join(f"{value:7.1%}" for value in row))


def draw(accuracies: dict[str, list[list[float]]], file: Path) -> None:
    figure = Figure(figsize=(5.5, 3.4), layout="constrained")
    axis = figure.subplots()
    for (name, runs), colour in zip(accuracies.items(), ("tab:red", "tab:blue"), strict=True):
        epochs = range(1, len(runs[0]) + 1)
        for row in runs:
            axis.plot(epochs, row, color=colour, alpha=0.3)
        axis.plot(epochs, np.mean(runs, axis=0), "o-", color=colour, label=name)
    axis.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1))
    axis.grid(alpha=0.3)
    axis.legend()
    save_figure(figure, file)


if __name__ == "__main__":
    main()
