"""What train_kinetics400.py and finetune_ucf101.py share: options, and stages skipped once done.

A stage leaves a record, NAME.json, with the settings it depends on and its result. Run again, a
finished stage is skipped and a killed one goes on: training after its last epoch, testing after the
last video that was saved.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from keras_acl import load_model
from keras_acl.data import VideoDataset, VideoList
from keras_acl.evaluation import NOT_FOUND, Scores, ViewGrid, evaluate_views, summary
from keras_acl.pretrained import Card, publish, save_pretrained
from keras_acl.system import distribution
from keras_acl.system.atomic_write import written_whole
from keras_acl.training.precise_batch_norm import PreciseBatchNorm
from keras_acl.training.recipe import Recipe
from keras_acl.training.runs import finished_epochs

import keras

GRID = ViewGrid(clips=10, crops=3)  # the 30 views of the literature
REHEARSED = "A rehearsal: a tiny network, hardly trained. Of no use but to test the run."


def read_options(
    parser: argparse.ArgumentParser, name: str, needed: Sequence[str], epochs: int, batch_size: int
) -> argparse.Namespace:
    """Parse the command line, with the options that both runs have.

    Args:
        parser: Parser with the options of the data set.
        name: Folder below runs/ that is the default of --output.
        needed: Names of paths that are given together, or not at all with --rehearse.
        epochs: Default of --epochs.
        batch_size: Default of --batch-size.
    """
    parser.add_argument("--output", type=Path)
    parser.add_argument("--epochs", type=int, default=epochs)
    batch_help = "the learning rate is scaled to it"
    parser.add_argument("--batch-size", type=int, default=batch_size, help=batch_help)
    devices_help = "all, or how many train together: see train_kinetics400/README.md"
    parser.add_argument("--devices", help=devices_help)
    parser.add_argument("--publish", metavar="USER/REPO", help="Hub repository to upload to")
    parser.add_argument("--rehearse", action="store_true", help="all stages on generated clips")
    parser.add_argument("--no-measure", action="store_true", help="rehearse without timing R50")
    options = parser.parse_args()
    given = [getattr(options, option.strip("-").replace("-", "_")) for option in needed]
    if None in given and (any(given) or not options.rehearse):
        parser.error(f"{', '.join(needed)} are needed together; or try --rehearse")
    folder = Path("runs") / f"{name}{'-rehearsal' * options.rehearse}"
    options.output = options.output or folder
    return options


def as_rehearsal(card: Card) -> Card:
    """A card that nobody takes for that of the real run."""
    return dataclasses.replace(card, name="rehearsal", description=REHEARSED, datasets=())


@contextlib.contextmanager
def plain_messages() -> Iterator[None]:
    """Say mistakes in one line, not in a stack trace, and how to go on after Ctrl-C."""
    warnings.showwarning = lambda message, *_: print(f"Warning: {message}")
    try:
        yield
    except KeyboardInterrupt:
        print(
            "\nInterrupted. The same command goes on after the last finished part.", file=sys.stderr
        )
        sys.exit(130)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"Error: {error}")


def stage(record: Path, settings: dict, work: Callable[[], dict], keep: bool = False) -> dict:
    """Do a stage and keep its result in `record`, or return the result that it has.

    Of several processes the first alone keeps the record and tells of it.

    Args:
        record: NAME.json in the stage's folder.
        settings: Plain values that the result depends on. With others the stage is done again.
        work: Function that does the stage and returns plain values.
        keep: Whether to refuse to begin again with other settings, as days would be lost.
    """
    settings = json.loads(json.dumps(settings))
    name = f"{record.parent.name}, {record.stem}"
    before = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    known = before.get("settings", {})
    changed = [f"{k} was {known.get(k)}" for k in settings if known.get(k) != settings[k]]
    if keep and changed:
        raise ValueError(
            f"{record.parent} holds a run with other settings: {', '.join(changed)}. Repeat them "
            "to go on with it. Otherwise give another --output, or remove that folder."
        )
    done = distribution.from_first("result" in before and not changed)
    if not distribution.is_first():
        return {} if done else work()
    if done:
        print(f"{name}: done before, see {record}")
        return before["result"]
    print(f"{name}: {'goes on' if known and not changed else 'begins'}", flush=True)
    begin = time.monotonic()
    _write_json(record, {"settings": settings})
    result = work()
    seconds = round(time.monotonic() - begin, 1)
    _write_json(record, {"settings": settings, "seconds": seconds, "result": result})
    print(f"{name}: done in {seconds} s", flush=True)
    return result


def train(
    folder: Path,
    start: str,
    build: Callable[[], keras.Model],
    recipe: Recipe,
    data: VideoDataset,
    test: VideoDataset,
) -> None:
    """Train what `build` returns, which `start` names, into `folder`/trained.keras.

    Each epoch is validated on `test`, one centre clip a video; nothing is chosen by it.
    """
    settings = {
        "start": start,
        "videos": _list_digest(data.videos),
        "batch_size": data.batch_size,
        **{f"clip.{key}": value for key, value in data.clip.to_dict().items()},
        **{f"recipe.{key}": value for key, value in dataclasses.asdict(recipe).items()},
    }

    def work() -> dict:
        if not finished_epochs(folder) and distribution.is_first():
            (folder / "history.csv").unlink(missing_ok=True)
        keras.utils.set_random_seed(recipe.seed)
        model = build()
        callbacks = recipe.compile(model, data, folder)
        with contextlib.closing(data), contextlib.closing(test):
            _fit(model, data, test, recipe.epochs, callbacks)
        epochs = finished_epochs(folder)
        if epochs < recipe.epochs:
            raise ValueError(f"The loss became NaN or infinite in epoch {epochs + 1} of {folder}.")
        if distribution.is_first():
            with written_whole(folder / "trained.keras") as beside, distribution.undistributed():
                model.save(beside)
        return {"epochs": epochs, "unreadable": sorted(data.bad_files)}

    stage(folder / "train.json", settings, work, keep=finished_epochs(folder) > 0)


def precise_batch_norm(folder: Path, recipe: Recipe, data: VideoDataset) -> None:
    """Estimate the running statistics of trained.keras anew, into `folder`/precise.keras."""
    settings = {
        "model": _file_digest(folder / "trained.keras"),
        "batches": recipe.precise_batches,
    }

    def work() -> dict:
        model = load_model(folder / "trained.keras")
        recipe.compile(model, data)  # clips that share statistics are not saved with the model
        estimate = PreciseBatchNorm(data, recipe.precise_batches)
        estimate.set_model(model)
        with contextlib.closing(data):
            estimate.on_test_begin()
        with written_whole(folder / "precise.keras") as beside:
            model.save(beside)
        return {}

    stage(folder / "precise_batch_norm.json", settings, work)


def test(folder: Path, videos: VideoList, dataset: str) -> None:
    """Write what precise.keras says of every video, with 30 views, into `folder`/scores.npz."""
    settings = {
        "model": _file_digest(folder / "precise.keras"),
        "videos": _list_digest(videos),
        "dataset": dataset,
        "views": [GRID.clips, GRID.crops],
    }
    parts = folder / f"scores-{_digest(json.dumps(settings).encode())}"

    def work() -> dict:
        model = load_model(folder / "precise.keras")
        total = len(videos) * len(GRID)
        bar = keras.utils.Progbar(total, verbose=1 if sys.stdout.isatty() else 2, unit_name="view")
        scores = evaluate_views(
            model,
            videos,
            GRID.clips,
            GRID.crops,
            output=parts,
            dataset=dataset,
            progress=lambda done, _: bar.update(done),
        )
        for name in ("metrics.json", "scores.npz"):
            os.replace(parts / name, folder / name)
        shutil.rmtree(parts)
        print(f"  {summary(scores)}")
        return {"scores": "scores.npz"}

    stage(folder / "test.json", settings, work)


def left_out(results: list[Scores]) -> str:
    """Which test videos are not in the mean, for the card and the screen."""
    missing = [problem == NOT_FOUND for scores in results for problem in scores.problems]
    names = [
        Path(path).name
        for scores in results
        for path, problem in zip(scores.paths, scores.problems, strict=True)
        if problem not in (None, NOT_FOUND)
    ]
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    unreadable = f"{len(names)} test videos could not be read{': ' * bool(names)}{shown}"
    return f"Not in the mean: {unreadable}; {sum(missing)} were not on disk."


def save(output: Path, model: Path, card: Card) -> None:
    """Write the model with its card into `output`/pretrained."""
    settings = {"model": _file_digest(model), "card": card.to_dict()}

    def work() -> dict:
        save_pretrained(load_model(model), output / "pretrained", card=card)
        return {"folder": "pretrained"}

    stage(output / "save_pretrained.json", settings, work)
    for metric in card.metrics:
        top5 = "" if metric.top5 is None else f", top-5 {metric.top5:.2f}"
        print(f"  {metric.dataset}: top-1 {metric.top1:.2f}{top5} on {metric.videos} videos")


def upload(output: Path, repository: str | None, rehearsal: bool) -> None:
    """Publish `output`/pretrained on the Hub, if asked to; a rehearsal only says so."""
    folder = output / "pretrained"
    if rehearsal:
        print(f"publish: a rehearsal uploads nothing; {folder} would go to {repository or 'REPO'}")
    elif repository is None:
        print(f"publish: not asked for; the same command with --publish USER/REPO uploads {folder}")
    else:
        settings = {"repository": repository, "metadata": _file_digest(folder / "metadata.json")}
        result = stage(
            output / "publish.json", settings, lambda: {"url": publish(str(folder), repository)}
        )
        print(f"  {result['url']}")


def _fit(model, data: VideoDataset, test: VideoDataset, epochs: int, callbacks: list) -> None:
    verbose = (1 if sys.stdout.isatty() else 2) if distribution.is_first() else 0
    try:
        model.fit(data, validation_data=test, epochs=epochs, callbacks=callbacks, verbose=verbose)
    except Exception:
        for source in (data, test):  # TensorFlow wraps what they raise in an error of its own
            if source.error is not None:
                raise source.error from None
        raise


def _list_digest(videos: VideoList) -> str:
    listed = "\n".join(f"{Path(video.path).name}\t{video.label}" for video in videos)
    return f"{len(videos)}, list sha256 {_digest(listed.encode())}"


def _file_digest(file: Path) -> str:
    with open(file, "rb") as content:
        return f"sha256 {hashlib.file_digest(content, 'sha256').hexdigest()[:12]}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _write_json(file: Path, value: dict) -> None:
    with written_whole(file) as beside:
        beside.write_text(json.dumps(value, indent=2), encoding="utf-8")
