"""What mouth crops say without a network: the accuracy that a network has to beat.

    python examples/ablation/floors.py FOLDER --cache FOLDER --output OUTPUT

FOLDER holds the mouth crops and their clips.csv, see `lips.py`. With --output the floors are kept
in OUTPUT/runs as if they were runs, so that they stand in the tables beside the networks.
"""

import argparse
import json
from pathlib import Path

from keras_acl.system.atomic_write import written_whole

import numpy as np
from lips import FLOOR, FOLDS, PARTS, README, REGIME, Lips, lips

POOLED = 3  # pixels a side whose mean is one value
DAMPING = 0.1  # of the ridge regression; from 0.001 to 3 it changes little


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="keeps the clips packed")
    parser.add_argument("--output", type=Path, help="keeps the floors among the runs")
    options = parser.parse_args(arguments)
    print("| part | split | " + " | ".join(FLOORS) + " |")
    print("|---" * (len(FLOORS) + 2) + "|")
    for part in PARTS:
        data = lips(options.folder, part, options.cache)
        by_split = {fold: floors(data, fold) for fold in (README, *range(FOLDS))}
        if options.output:
            keep(by_split, part, options.output / "runs")
        folds = [by_split[fold] for fold in range(FOLDS)]
        by_split["mean of folds"] = {
            name: float(np.mean([fold[name] for fold in folds])) for name in FLOORS
        }
        for split, found in by_split.items():
            cells = " | ".join(f"{found[name]:.3f}" for name in FLOORS)
            print(f"| {part} | {split} | {cells} |")


def floors(data: Lips, fold: int | str) -> dict[str, float]:
    """Accuracy of each of `FLOORS` on the test speakers of a fold."""
    test = data.tested(fold)
    pictures = pooled(data.clips)
    found = {}
    for name, (features, classify) in FLOORS.items():
        values = features(pictures)
        predicted = classify(values[~test], data.labels[~test], values[test])
        found[name] = float((predicted == data.labels[test]).mean())
    return found


def keep(by_split: dict, part: str, folder: Path) -> None:
    """Write each floor as the record of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    for fold, found in by_split.items():
        for name, accuracy in found.items():
            variant = FLOOR + name.replace(",", "").replace(" ", "_")
            run = {"regime": REGIME, "task": part, "variant": variant, "fold": fold, "seed": 0}
            record = {"run": run, "measured": {"accuracy": accuracy}, "seconds": 0.0}
            with written_whole(folder / f"{REGIME}-{part}-{variant}-{fold}.json") as beside:
                beside.write_text(json.dumps(record))


def pooled(clips: np.ndarray) -> np.ndarray:
    """Means of small squares, (N, T, H, W) to float32 (N, T, H / 3, W / 3)."""
    count, frames, height, width = clips.shape
    shape = (count, frames, height // POOLED, POOLED, width // POOLED, POOLED)
    return clips.reshape(shape).mean(axis=(3, 5), dtype=np.float32)


def mean_frames(pictures: np.ndarray) -> np.ndarray:
    """The mean picture of each clip, without its brightness, (N, H * W)."""
    means = pictures.mean(axis=1).reshape(len(pictures), -1)
    return means - means.mean(axis=1, keepdims=True)


def differences(pictures: np.ndarray) -> np.ndarray:
    """Differences of neighbouring frames, of length 1 for each clip, (N, (T - 1) * H * W)."""
    moved = np.diff(pictures, axis=1).reshape(len(pictures), -1)
    return moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-6)


def nearest(known: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The class of the nearest neighbour."""
    distances = (known**2).sum(axis=1) - 2 * asked @ known.T  # less |asked|², alike for all
    return labels[distances.argmin(axis=1)]


def ridge(known: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The class that ridge regression with the cubic kernel (1 + x y)³ gives."""
    targets = 2.0 * np.eye(labels.max() + 1)[labels] - 1
    kernel = (1.0 + known @ known.T).astype("float64") ** 3
    weights = np.linalg.solve(kernel + DAMPING * np.eye(len(kernel)), targets)
    return ((1.0 + asked @ known.T) ** 3 @ weights).argmax(axis=1)


FLOORS = {
    "mean frame, nearest neighbour": (mean_frames, nearest),
    "differences, nearest neighbour": (differences, nearest),
    "differences, ridge": (differences, ridge),
}

if __name__ == "__main__":
    main()
