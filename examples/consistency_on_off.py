"""What the attention-consistency term does: trained with and without it, paired by seed.

Trains a small TwoStreamClassifier on moving figures drawn in memory, once with the term (λ = 1.5)
and once without, from the same weights on the same clips. Prints accuracy on new clips, how often
each stream's strongest place is on the actor (pointing game) and how much of its map lies there,
and draws the loss curves. About 15 minutes a seed on 2 CPU cores with the defaults; finished runs
are kept in OUTPUT and not repeated.

    python examples/consistency_on_off.py --seeds 0 1 2 --output runs/consistency
"""

import argparse
import dataclasses
import json
import os
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure

from keras_acl import ClipSpec, recipes
from keras_acl.attention import attention_maps, energy_inside, pointing_game
from keras_acl.attention.overlay import save_figure
from keras_acl.data import MovingFigures
from keras_acl.models import TwoStreamClassifier

MEASURES = (
    "accuracy",
    "pointing_spatial",
    "pointing_temporal",
    "inside_spatial",
    "inside_temporal",
)


@dataclasses.dataclass(frozen=True)
class Batches:
    """Arrays as a recipe wants its training data: by batch, with a length."""

    clips: np.ndarray
    batch_size: int

    def __len__(self) -> int:
        return -(-len(self.clips) // self.batch_size)

    def __getitem__(self, index: int):
        return (self.clips[index * self.batch_size : (index + 1) * self.batch_size],)


def main() -> None:
    options = read_options()
    options.output.mkdir(parents=True, exist_ok=True)
    results = {
        (seed, consistency): run(options, seed, consistency)
        for seed in options.seeds
        for consistency in (False, True)
    }
    print_table(results, options.seeds)
    draw_curves(results, options.output / "curves.png")
    print(f"Loss curves: {options.output / 'curves.png'}")


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/consistency"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--task", default="appearance_motion", help="or motion")
    parser.add_argument("--distractors", type=int, default=3)
    parser.add_argument("--clips", type=int, default=1600)
    parser.add_argument("--test-clips", type=int, default=480)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.4, help="for 64 clips a batch")
    return parser.parse_args()


def run(options, seed: int, consistency: bool) -> dict:
    """Train and measure once, or read what was measured before."""
    settings = {
        key: value for key, value in vars(options).items() if key not in ("output", "seeds")
    }
    record = {"seed": seed, "consistency": consistency, **settings}
    file = options.output / f"seed{seed}-{'on' if consistency else 'off'}.json"
    if file.exists():
        before = json.loads(file.read_text())
        if before["settings"] == record:
            return before
        raise SystemExit(f"{file} holds a run with other settings; give another --output.")
    print(f"seed {seed}, consistency {'on' if consistency else 'off'}")
    model, history = train(options, seed, consistency)
    result = {"settings": record, "history": history, **measure(options, seed, model)}
    beside = file.with_suffix(".part")
    beside.write_text(json.dumps(result, indent=1))
    os.replace(beside, file)
    return result


def train(options, seed: int, consistency: bool):
    figures = MovingFigures(options.task, options.distractors, 32, options.size)
    clips, labels, _ = figures.arrays(options.clips, seed=2 * seed)
    unseen, unseen_labels, _ = figures.arrays(64, seed=1000 + seed)
    clips, unseen = clips[:, ::2], unseen[:, ::2]  # 16 of 32 frames
    keras.utils.set_random_seed(seed)
    model = TwoStreamClassifier(
        len(figures.labels),
        clip=ClipSpec(frames=16, span=32, size=options.size),
        labels=figures.labels,
        depth=11,
        width=16,
        speed_ratio=4,
        channel_ratio=2,
        consistency_weight=1.5 if consistency else None,
    )
    recipe = recipes.finetune(
        epochs=options.epochs, learning_rate=options.learning_rate, warmup_epochs=1, seed=seed
    )
    callbacks = recipe.compile(model, Batches(clips, 8))
    order = np.random.default_rng(seed).permutation(len(clips))
    history = model.fit(
        clips[order],
        labels[order],
        batch_size=8,
        epochs=options.epochs,
        validation_data=(unseen, unseen_labels),  # each epoch, after precise batch statistics
        callbacks=callbacks,
        verbose=2,
    ).history
    return model, {key: [float(value) for value in values] for key, values in history.items()}


def measure(options, seed: int, model) -> dict:
    """Accuracy and attention on clips of another seed, for the labelled class."""
    figures = MovingFigures(options.task, options.distractors, 32, options.size)
    clips, labels, masks = figures.arrays(options.test_clips, seed=2 * seed + 1)
    clips, masks = clips[:, ::2], masks[:, ::2]
    swept = masks.any(axis=1)  # (B, H, W): where the actor is at any time
    maps = attention_maps(model, clips, labels, batch_size=16)
    temporal = maps.temporal.mean(axis=1)
    values = {
        "accuracy": (maps.scores.argmax(axis=1) == labels).mean(),
        "pointing_spatial": pointing_game(maps.spatial, swept).mean(),
        "pointing_temporal": pointing_game(temporal, swept).mean(),
        "inside_spatial": energy_inside(maps.spatial, swept).mean(),
        "inside_temporal": energy_inside(temporal, swept).mean(),
        "chance": swept.mean(),
    }
    return {key: float(value) for key, value in values.items()}


def print_table(results: dict, seeds) -> None:
    print(f"{'':22}" + "".join(f"{name:>19}" for name in MEASURES))
    for consistency in (False, True):
        rows = np.array([[results[seed, consistency][name] for name in MEASURES] for seed in seeds])
        for seed, row in zip(seeds, rows, strict=True):
            name = f"{'with' if consistency else 'without'}, seed {seed}"
            print(f"{name:22}" + "".join(f"{value:19.1%}" for value in row))
        name = f"{'with' if consistency else 'without'}, mean"
        print(f"{name:22}" + "".join(f"{value:19.1%}" for value in rows.mean(axis=0)))
    chance = np.mean([result["chance"] for result in results.values()])
    print(f"The actor covers {chance:.1%} of the picture (chance of the last four columns).")


def draw_curves(results: dict, file: Path) -> None:
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.subplots(1, 3)
    for (seed, consistency), result in results.items():
        colour = "tab:red" if consistency else "tab:blue"
        label = f"{'with' if consistency else 'without'} consistency"
        for axis, name in zip(axes, ("loss", "accuracy", "consistency"), strict=True):
            if name in result["history"]:
                values = result["history"][name]
                first = seed == min(s for s, _ in results)
                axis.plot(
                    range(1, len(values) + 1), values, color=colour, label=label if first else None
                )
            axis.set(title=f"training {name}", xlabel="epoch")
            axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    save_figure(figure, file)


if __name__ == "__main__":
    main()
