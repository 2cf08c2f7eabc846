"""Train and save the checkpoint behind `load_pretrained("demo")`: no download, two CPU cores.

Writes 3200 small videos of moving figures (16 classes: the colour of the actor's head and its
motion, among three figures that move otherwise), trains the small two-stream network with the
paper's loss (λ = 1.5), tests it on 480 new videos, and saves network, card, metadata and golden
outputs. About 1.5 CPU hours; the same command again goes on after the last finished epoch.

    python examples/train_demo.py --output runs/demo --save weights/demo
"""

import argparse
import dataclasses
import json
import os
import sys
import warnings
from pathlib import Path

from keras_acl import ClipSpec, load_model, recipes
from keras_acl.attention import attention_maps, pointing_game
from keras_acl.data import MovingFigures, VideoList, read_directory, read_mask, read_test_clip
from keras_acl.evaluation import Scores, card_metric, evaluate_views, summary
from keras_acl.pretrained import Card, save_pretrained
from keras_acl.pretrained.golden import golden_outputs
from keras_acl.system.atomic_write import written_whole
from keras_acl.training import runs

import numpy as np

FIGURES = MovingFigures(task="appearance_motion", distractors=3, frames=32, size=80)
CLIP = ClipSpec(frames=16, span=32, size=70)
TEST_SEED = 1000  # added to the seed of the training videos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/demo"))
    parser.add_argument("--save", type=Path, default=Path("weights/demo"))
    parser.add_argument("--count", type=int, default=200, help="training videos a class")
    parser.add_argument("--test-count", type=int, default=30, help="test videos a class")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.showwarning = lambda message, *_: print(f"Warning: {message}")
    try:
        make(options)
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The same command goes on after the last finished epoch.")
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"Error: {error}")


def make(options) -> None:
    run = options.output / "run"
    train(options, run)
    model = load_model(run)
    videos = options.output / "test"
    FIGURES.write(videos, options.test_count, seed=options.seed + TEST_SEED)
    # The videos are as long as a clip and as large as a test crop: one view is all of them.
    listed = read_directory(videos, model.labels)
    name = "moving figures, new ones with three distractors"
    scores = evaluate_views(model, listed, 1, 1, output=options.output / "scores", dataset=name)
    print(summary(scores))
    pointing = measure_pointing(model, listed)
    print(json.dumps(pointing, indent=1))
    save_pretrained(model, options.save, card(options, scores, pointing, hours_of(run)))
    # From which the metric of the card can be computed again, on any machine.
    paths = tuple(Path(path).relative_to(videos).as_posix() for path in scores.paths)
    dataclasses.replace(scores, paths=paths, model="demo").save(options.save / "scores.npz")
    with written_whole(options.save / "golden.json") as beside:
        beside.write_text(json.dumps(golden_outputs(model), indent=1) + "\n", encoding="utf-8")
    print(f"Saved: {options.save}")


def train(options, run: Path) -> None:
    videos = options.output / "videos"
    FIGURES.write(videos, options.count, seed=options.seed)
    settings = runs.RunSettings(
        source=str(videos),
        network="small",
        clip=CLIP,
        recipe=recipes.finetune(
            epochs=options.epochs,
            learning_rate=runs.LEARNING_RATES["small"],
            seed=options.seed,
        ),
        validation_split=0.1,
        flip=False,  # left and right are classes
        seed=options.seed,
    )
    runs.train_folder(settings, run, verbose=2)


def measure_pointing(model, videos: VideoList) -> dict:
    """How often each stream's strongest place is on the actor; its mask is known."""
    clips = np.stack([read_test_clip(video, model.clip) for video in videos])
    margin = (model.clip.test_size - model.clip.size) // 2
    # Drawn at the test size, so that masks need no resizing.
    masks = np.stack([read_mask(video.path).any(axis=0) for video in videos])
    masks = masks[:, margin : margin + model.clip.size, margin : margin + model.clip.size]
    maps = attention_maps(model, clips, batch_size=16)
    return {
        "spatial": per_cent(pointing_game(maps.spatial, masks)),
        "temporal": per_cent(pointing_game(maps.temporal.mean(axis=1), masks)),
        "chance": per_cent(masks),
    }


def per_cent(hits) -> float:
    return round(100 * float(np.mean(hits)), 2)


def hours_of(run: Path) -> float:
    """From the beginning of the run to its last epoch."""
    begin, end = ((run / name).stat().st_mtime for name in ("settings.json", "history.csv"))
    return (end - begin) / 3600


def card(options, scores: Scores, pointing: dict, hours: float) -> Card:
    command = (
        f"python examples/train_demo.py --count {options.count} --test-count {options.test_count} "
        f"--epochs {options.epochs} --seed {options.seed}"
    )
    videos = options.count * len(FIGURES.labels)
    return Card(
        name="demo",
        description=(
            "A small two-stream network trained with attention consistency on videos of moving "
            "figures, 16 classes: the colour of the actor's head and its motion. It ships with "
            "keras-acl, for trying things out without a download; it knows nothing of real videos."
        ),
        licence="Apache-2.0",
        source=command,
        datasets=(f"moving figures, {videos} videos, a tenth of them for validation",),
        metrics=(card_metric(scores, command),),
        notes=(
            f"Seed {options.seed}; {hours:.1f} hours of wall time on {os.cpu_count()} CPU cores. "
            "On the test videos the strongest place of the predicted class's map lies where the "
            f"actor passes in {pointing['spatial']:.0f} % (spatial stream) and "
            f"{pointing['temporal']:.0f} % (temporal stream); by chance it would in "
            f"{pointing['chance']:.0f} %."
        ),
    )


if __name__ == "__main__":
    main()
