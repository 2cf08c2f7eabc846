"""Train the paper's network on Kinetics-400 from scratch and publish it.

Reproduces Table 3 of Xu et al., TOMM 2022: 75.7 % top-1, 92.3 % top-5 on the validation set, with
30 views (10 clips x 3 crops of 256). That is the paper's figure; this project has not run it yet.

    python examples/train_kinetics400.py --rehearse
    python examples/train_kinetics400.py --videos k400 --train-csv train.csv --val-csv val.csv \
        --publish USER/REPO

Expected: 46 million training clips, days on one GPU and years on a CPU. That is no measurement: the
first command makes one. It does every stage on generated clips in Kinetics' layout, in minutes,
then times the real network and the loader and says what the second would cost on this machine in
hours and disk.

The second trains (196 epochs of PySlowFast's recipe with λ = 1.5), estimates precise batch
statistics, tests, writes the model with its card and uploads it. Stages that are done are skipped:
after a crash or Ctrl-C the same command goes on. --devices all trains on all GPUs of the machine,
and with KERAS_BACKEND=jax on those of many: see train_kinetics400/README.md. The videos are
<videos>/<label>/<id>_<start>_<end>.mp4, resized to a short side of 256 if reading is to be fast,
the CSVs those that come with Kinetics. With KERAS_BACKEND=jax batch statistics are over 8 clips, as
published; with TensorFlow on one device over the whole batch.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from keras_acl import ClipSpec, recipes
from keras_acl.data import Augmentation, LoadingOptions, VideoDataset, VideoList, read_kinetics
from keras_acl.evaluation import Scores, card_metric
from keras_acl.models import TwoStreamClassifier
from keras_acl.pretrained import Card
from keras_acl.system import distribution

import rehearsal
import stages

R50_CLIP = ClipSpec()
COMMAND = "python examples/train_kinetics400.py"
COPY = "Facebook's copy, see video-nonlocal-net's DATASET.md"
SIZE = rehearsal.Size(234643, 19761, 132, COPY, classes=400)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The run, or its rehearsal."""

    videos: Path
    train_csv: Path
    val_csv: Path
    output: Path
    recipe: recipes.Recipe
    batch_size: int = 64
    clip: ClipSpec = R50_CLIP
    network: dict[str, Any] = dataclasses.field(default_factory=dict)  # R50 4x16
    flip: float = 0.5
    rehearsal: bool = False


def main() -> None:
    options = read_options()
    with stages.plain_messages(), distribution.peers():
        distribution.join(options.devices)
        with distribution.together():
            plan = plan_of(options)
        first = run(plan, options.publish, options.devices)
        if first and options.rehearse and not options.no_measure:
            tell_costs(options)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, help="folder of Kinetics videos")
    parser.add_argument("--train-csv", type=Path, help="its public CSV, training side")
    parser.add_argument("--val-csv", type=Path, help="its public CSV, validation side")
    needed = ("--videos", "--train-csv", "--val-csv")
    return stages.read_options(parser, "kinetics400", needed, epochs=196, batch_size=64)


def plan_of(options) -> Plan:
    if not options.rehearse:
        return real(options)
    if distribution.process()[1] > 1:
        raise ValueError("A rehearsal is for one process: leave the launcher's variables out.")
    return rehearse(options)


def real(options) -> Plan:
    return Plan(
        options.videos,
        options.train_csv,
        options.val_csv,
        options.output,
        recipes.kinetics400(epochs=options.epochs),
        options.batch_size,
    )


def run(plan: Plan, repository: str | None, devices: str | None = None) -> bool:
    """All stages, those that are done before excepted; what follows training is one device's.

    Returns:
        Whether this process is the first, whose work that is.
    """
    videos = read_kinetics(plan.videos, plan.train_csv)
    held_out = read_kinetics(plan.videos, plan.val_csv, labels=videos.labels)
    size = rehearsal.gigabytes(videos) + rehearsal.gigabytes(held_out)
    if first := distribution.is_first():
        print(f"{len(videos)} training and {len(held_out)} validation videos, {size:.3g} GB")
    folder = plan.output / "model"

    def build():
        return TwoStreamClassifier(
            len(videos.labels),
            clip=plan.clip,
            labels=videos.labels,
            dtype=recipes.mixed_precision_policy(),
            **plan.network,
        )

    with distribution.distribute(devices):
        data, test = datasets(plan, videos, held_out, folder)
        stages.train(folder, f"from scratch {plan.network}", build, plan.recipe, data, test)
    distribution.leave()
    if not first:
        return False
    data, _ = datasets(plan, videos, held_out, folder)
    stages.precise_batch_norm(folder, plan.recipe, data)
    dataset = "generated clips" if plan.rehearsal else "Kinetics-400 validation"
    stages.test(folder, held_out, dataset)
    card = make_card(plan, Scores.load(folder))
    stages.save(plan.output, folder / "precise.keras", card)
    stages.upload(plan.output, repository, plan.rehearsal)
    return True


def datasets(plan: Plan, videos: VideoList, held_out: VideoList, folder: Path):
    """Training and validation batches; XLA compiles for one batch size only."""
    return tuple(
        VideoDataset(
            listed,
            plan.clip,
            plan.batch_size,
            training=training,
            augmentation=Augmentation(flip=plan.flip),
            loading=LoadingOptions(bad_files=folder / "bad_videos.txt", drop_remainder=training),
        )
        for listed, training in ((videos, True), (held_out, False))
    )


def make_card(plan: Plan, scores: Scores) -> Card:
    card = Card(
        name="acl_r50_4x16_k400",
        description=(
            "The two-stream network with attention consistency (Xu et al., TOMM 2022), R50 4x16, "
            f"trained on Kinetics-400 from scratch for {plan.recipe.epochs} epochs."
        ),
        licence="Apache-2.0",
        source=COMMAND,
        datasets=("kinetics-400",),
        metrics=(card_metric(scores, COMMAND + " --rehearse" * plan.rehearsal),),
        notes=stages.left_out([scores]),
    )
    return stages.as_rehearsal(card) if plan.rehearsal else card


def rehearse(options) -> Plan:
    """Write clips in Kinetics' layout: one missing, one broken, as in every copy."""
    output = options.output
    videos = output / "videos"
    for side, split, count in (("train", "train", 3), ("val", "validate", 2)):
        rows = ["label,youtube_id,time_start,time_end,split"]
        for label, motion in enumerate(rehearsal.MOTIONS):
            for number in range(count):
                clip = f"{side:_<5}{label:03d}{number:03d}"  # 11 characters, as on YouTube
                file = videos / f"{motion} figure" / f"{clip}_{number:06d}_{number + 10:06d}.mp4"
                rehearsal.write_figure(file, label, seed=2 * number + (side == "val"))
                rows.append(f"{motion} figure,{clip},{number},{number + 10},{split}")
        rows.append(f"{motion} figure,not-on-disk,0,10,{split}")
        (output / f"{side}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    file.write_bytes(file.read_bytes()[:100])
    recipe = recipes.kinetics400(epochs=2, precise_batches=2)
    return Plan(
        *(videos, output / "train.csv", output / "val.csv", output, recipe),
        batch_size=4,
        clip=rehearsal.CLIP,
        network=rehearsal.NETWORK,
        flip=0.0,  # left and right are classes
        rehearsal=True,
    )


def tell_costs(options) -> None:
    sides = None
    if options.videos:
        listed = read_kinetics(options.videos, options.train_csv)
        sides = listed, read_kinetics(options.videos, options.val_csv, labels=listed.labels)
    recipe = recipes.kinetics400(epochs=options.epochs)
    rehearsal.tell_costs(options, sides, SIZE, recipe, runs=1)


if __name__ == "__main__":
    main()
