"""Pre-trained weights, a short training, and pictures of where it looks; `make demo` runs it.

Without --videos it writes 480 small videos of moving figures (16 classes: what the actor is and
what it does, among three figures that do something else) and fine-tunes the preset `demo`, which
knows the actors but none of these motions; a few minutes on 2 CPU cores. With --videos it trains a
small network from scratch on a folder of class folders of your own.

    python examples/demo.py --output demo
    python examples/demo.py --output demo --videos path/to/folder
"""

import argparse
import sys
import warnings
from pathlib import Path

from keras_acl import load_model, recipes
from keras_acl.data import MovingFigures, split
from keras_acl.inference.predict import predict_videos
from keras_acl.training import runs

import numpy as np

from train_demo import measure_pointing

# The heads that `demo` has learned, doing the four motions that it has not.
FIGURES = MovingFigures(task="appearance_other_motion", distractors=3, frames=32, size=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo"))
    parser.add_argument("--videos", type=Path, help="a folder of class folders")
    parser.add_argument("--count", type=int, default=30, help="videos a class to synthesize")
    parser.add_argument("--epochs", type=int)
    options = parser.parse_args()
    warnings.showwarning = lambda message, *_: print(f"Warning: {message}")
    try:
        demo(options)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"Error: {error}")


def demo(options) -> None:
    synthetic = options.videos is None
    videos = options.videos or options.output / "videos"
    run_folder = options.output / ("run" if synthetic else f"run-{videos.resolve().name}")
    if synthetic:
        print(f"Writing {options.count * len(FIGURES.labels)} videos into {videos}")
        FIGURES.write(videos, options.count, seed=0)
    weights = "demo" if synthetic else None
    settings = runs.RunSettings(
        source=str(videos),
        network="small",
        clip=runs.clip_of(weights) if weights else runs.clip_for("small"),
        recipe=recipes.finetune(
            epochs=options.epochs or (6 if synthetic else 10),
            learning_rate=runs.LEARNING_RATES["small"],
        ),
        flip=not synthetic,  # directions are classes
        weights=weights,
    )
    start = f"pre-trained weights ({weights})" if weights else "random weights"
    print(f"Training a two-stream network with attention consistency, from {start}: {run_folder}")
    report = runs.train_folder(settings, run_folder, verbose=1 if sys.stdout.isatty() else 2)
    model = load_model(run_folder)
    _, test = split(runs.read_videos(videos), settings.validation_split, settings.seed)

    print("\nFour validation videos:")
    for video in [test[int(place)] for place in np.linspace(0, len(test) - 1, 4)]:
        [prediction] = predict_videos(model, [video.path], clips=1)
        guesses = ", ".join(f"{model.labels[k]} {score:.0%}" for k, score in prediction.top(3))
        print(f"  {Path(video.path).parent.name:24} -> {prediction.problem or guesses}")

    print(
        f"\nValidation accuracy {report.accuracy:.1%} on {report.videos[1]} videos "
        f"(the most frequent class: {report.chance:.1%})"
    )
    if synthetic:
        print_pointing(model, test)
    for name in ("curves.png", "predictions.csv", "attention.png", "model.keras"):
        print(f"  {run_folder / name}")


def print_pointing(model, videos) -> None:
    """How often each stream's strongest place is on the actor, whose masks are known here."""
    shares = measure_pointing(model, videos)
    for name in ("spatial", "temporal"):
        print(
            f"  the {name} stream's strongest place is on the actor in {shares[name]:.0f}% of them"
        )
    print(f"  (the actor covers {shares['chance']:.0f}% of the picture)")


if __name__ == "__main__":
    main()
