"""How best to adapt pre-trained weights to a few videos, measured.

Pre-trains a small two-stream network on one folder of videos, then adapts it to the classes of
another with few clips of each, in several ways, and tests on people whom neither training has seen:
file names begin with the speaker, `CLASS/SPEAKER_….mp4`. Finished runs are kept in OUTPUT and not
repeated; about 35 CPU seconds each. Figures: [results/few_videos](results/few_videos/README.md).

    python examples/few_videos.py lips/words lips/phrases --held-out F05 F09 M02
"""

import argparse
import contextlib
import itertools
import json
import re
from pathlib import Path

from keras_acl import ClipSpec, load_pretrained, recipes, save_pretrained
from keras_acl.data import VideoDataset, VideoList, read_directory
from keras_acl.models import TwoStreamClassifier
from keras_acl.system.atomic_write import written_whole

import keras
import numpy as np

READ, CLIP = ClipSpec(frames=8, span=24, size=56), ClipSpec(frames=8, span=24, size=48)
NETWORK = {"depth": 11, "width": 8, "speed_ratio": 4, "channel_ratio": 2}
WAYS = {
    "all, one rate": {},
    "streams at a tenth": {"head_rate": 10.0},
    "streams frozen": {"freeze": "streams"},
    "all, moving average": {"ema": 0.98},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="videos to pre-train on")
    parser.add_argument("after", type=Path, help="videos to adapt to")
    parser.add_argument("--held-out", nargs="+", required=True, help="speakers of the test")
    parser.add_argument("--output", type=Path, default=Path("runs/few_videos"))
    parser.add_argument("--clips", type=int, nargs="+", default=[5, 20, 80], help="a class")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=20, help="of the pre-training")
    parser.add_argument("--steps", type=int, default=150, help="to adapt, of 8 clips, at least")
    parser.add_argument("--least-epochs", type=int, default=2, help="to adapt")
    options = parser.parse_args()
    weights = options.output / "pretrained"
    if not weights.exists():
        pretrain(options, weights)
    videos = read_directory(options.after)
    clips = read_once(videos, options.output / "after.npy")
    rest, held_out = by_speaker(videos, options.held_out)
    test = Clips(held_out, clips, 50)
    for seed, rate, count, way in itertools.product(
        options.seeds, options.rates, options.clips, WAYS
    ):
        train = Clips(few(rest, count, seed), clips, 8, seed)
        adapt(options, train, test, way, rate, seed)
    print_table(gather(options.output))


def network(labels) -> TwoStreamClassifier:
    # Without the consistency term, which takes as long again.
    return TwoStreamClassifier(
        len(labels), clip=CLIP, labels=labels, consistency_weight=None, **NETWORK
    )


class Clips(keras.utils.PyDataset):
    """Clips in memory; with a seed, shuffled and shifted at random.

    Args:
        videos: Videos with labels.
        clips: The clip of each path, a little larger than the network's.
        batch_size: Clips per batch.
        seed: `None` for validation.
    """

    def __init__(
        self,
        videos: VideoList,
        clips: dict[str, np.ndarray],
        batch_size: int,
        seed: int | None = None,
    ):
        super().__init__()
        self.videos, self.labels, self.batch_size = videos, videos.labels, batch_size
        self.clips = np.stack([clips[video.path] for video in videos])
        self.targets = np.array([video.label for video in videos])
        self.order = np.arange(len(videos))
        self.rng = None if seed is None else np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return np.stack([self._shifted(clip) for clip in self.clips[chosen]]), self.targets[chosen]

    def _shifted(self, clip: np.ndarray) -> np.ndarray:
        room = READ.size - CLIP.size
        y, x = (room // 2,) * 2 if self.rng is None else self.rng.integers(room, size=2)
        return clip[:, y : y + CLIP.size, x : x + CLIP.size]

    def on_epoch_end(self) -> None:
        """Shuffle for the next pass."""
        if self.rng is not None:
            self.rng.shuffle(self.order)


def read_once(videos: VideoList, file: Path) -> dict[str, np.ndarray]:
    """The middle of each video, by path."""
    if not file.exists():
        with contextlib.closing(VideoDataset(videos, READ, 32, training=False)) as data:
            clips = np.concatenate([batch[0] for batch in data])
        file.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as beside:
            np.save(beside, clips)
    paths = [video.path for video in videos]
    return dict(zip(paths, np.load(file), strict=True))


def by_speaker(videos: VideoList, held_out) -> tuple[VideoList, VideoList]:
    """Videos for training and for the test."""
    sides: tuple[list, list] = ([], [])
    for video in videos:
        sides[Path(video.path).stem.split("_")[0] in held_out].append(video)
    return VideoList(sides[0], videos.labels), VideoList(sides[1], videos.labels)


def few(videos: VideoList, count: int, seed: int) -> VideoList:
    """`count` videos of each class, at random."""
    rng = np.random.default_rng(seed)
    chosen = []
    for label in range(len(videos.labels)):
        own = [video for video in videos if video.label == label]
        chosen += [own[i] for i in rng.permutation(len(own))[:count]]
    return VideoList(chosen, videos.labels)


def fit(model, train: Clips, test: Clips, recipe) -> float:
    """Train as the recipe says; accuracy of one centre clip of each test video at the end."""
    history = model.fit(
        train,
        validation_data=test,
        validation_freq=recipe.epochs,
        epochs=recipe.epochs,
        callbacks=recipe.compile(model, train),
        verbose=0,
    )
    return history.history["val_accuracy"][-1]


def pretrain(options, folder: Path) -> None:
    videos = read_directory(options.before)
    clips = read_once(videos, options.output / "before.npy")
    train, test = by_speaker(videos, options.held_out)
    keras.utils.set_random_seed(0)
    model = network(train.labels)
    recipe = recipes.finetune(epochs=options.epochs, learning_rate=0.4)
    accuracy = fit(model, Clips(train, clips, 16, seed=0), Clips(test, clips, 50), recipe)
    print(f"Pre-trained on {len(train)} videos: {accuracy:.1%} of {len(test)}", flush=True)
    save_pretrained(model, folder)


def adapt(options, train: Clips, test: Clips, way: str, rate: float, seed: int) -> None:
    """One run, unless it is there."""
    count = len(train.videos) // len(train.labels)
    name = re.sub(r"\W+", "-", f"{way} {count}")
    file = options.output / "runs" / f"{name}-{rate}-{seed}.json"
    if file.exists():
        return
    keras.utils.set_random_seed(seed)
    epochs = max(options.least_epochs, -(-options.steps // len(train)))
    recipe = recipes.finetune(epochs=epochs, learning_rate=rate, seed=seed, **WAYS[way])
    model = load_pretrained(options.output / "pretrained", labels=train.labels)
    accuracy = fit(model, train, test, recipe)
    print(f"{file.stem}: {accuracy:.1%}", flush=True)
    record = {
        "way": way,
        "clips": count,
        "rate": rate,
        "seed": seed,
        "accuracy": round(accuracy, 4),
    }
    with written_whole(file) as beside:
        beside.write_text(json.dumps(record), encoding="utf-8")


def gather(folder: Path) -> list[dict]:
    """All runs, also written as one `result.json`."""
    runs = [json.loads(file.read_text()) for file in (folder / "runs").glob("*.json")]
    runs.sort(
        key=lambda run: (list(WAYS).index(run["way"]), run["rate"], run["clips"], run["seed"])
    )
    with written_whole(folder / "result.json") as beside:
        lines = ",\n".join(json.dumps(run) for run in runs)
        beside.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return runs


def print_table(runs: list[dict]) -> None:
    """Mean accuracy of each way and the range over seeds."""
    counts = sorted({run["clips"] for run in runs})
    columns = " | ".join(f"{count} clips a class" for count in counts)
    print(f"| way | rate | {columns} |")
    print("|---" * (2 + len(counts)) + "|")
    for way, rate in dict.fromkeys((run["way"], run["rate"]) for run in runs):
        cells = []
        for count in counts:
            found = [
                run["accuracy"]
                for run in runs
                if (run["way"], run["rate"], run["clips"]) == (way, rate, count)
            ]
            each = f" ({', '.join(f'{value:.1%}' for value in found)})" if len(found) > 1 else ""
            cells.append(f"{np.mean(found):.1%}{each}" if found else "")
        print(f"| {way} | {rate} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
