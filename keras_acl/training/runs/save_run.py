"""A run as `save_pretrained` would write it, with a card from the run's own evaluation."""

import json
from pathlib import Path

from keras_acl.data.split_folders import SPLIT_NAMES
from keras_acl.evaluation import Scores, card_metric
from keras_acl.evaluation.held_out import held_out_videos, run_folder
from keras_acl.evaluation.scores import facts
from keras_acl.models.fingerprint import fingerprint
from keras_acl.pretrained import Card, Metric, load_any, save_pretrained


def save_run(run: Path, folder: Path) -> Path:
    """Save a run's model with its card, ready to be published.

    The metric is that of `keras-acl evaluate RUN`: videos that the run held out, many views.

    Args:
        run: Folder of a run.
        folder: A new folder.

    Returns:
        The new folder.

    Raises:
        FileNotFoundError: If the run was not evaluated; the command is named.
        ValueError: If the evaluation is unfinished, or of another state of the model.
    """
    model = load_any(run)
    metric = _metric(run, model)
    settings = _settings(run)
    began = settings.get("weights")
    start = f" fine-tuned from {Path(began).name}" if began else ""
    source = Path(settings.get("source", run.resolve().name))
    if source.name.casefold() in SPLIT_NAMES["train"]:  # the data set is the folder around it
        source = Path(source.parent.name or source)
    data = source.stem
    name = run.resolve().name
    card = Card(
        name=name,
        description=f"A {type(model).__name__} with {model.num_classes} classes{start}.",
        licence="unknown",
        source=f"keras-acl train {data}" + (f" --weights {Path(began).name}" if began else ""),
        datasets=(data,),
        metrics=(metric,),
        notes="The metric is of videos that the training held out.",
    )
    return save_pretrained(model, folder, card)


def _metric(run: Path, model) -> Metric:
    command = f"keras-acl evaluate {run}"
    if run_folder(str(run)) is None:
        raise FileNotFoundError(
            f"{run} has no split.csv, so nobody knows what it held out: the same keras-acl train "
            f"again writes it, then {command} measures it."
        )
    if not (run / "scores.npz").is_file():
        raise FileNotFoundError(f"{run} has not been evaluated: {command}, then publish it.")
    scores = Scores.load(run)
    videos, _ = held_out_videos(run, model.labels, model.multi_label)
    known = [facts(video) for video in videos]
    if scores.fingerprint != fingerprint(model, str(scores.protocol), known):
        raise ValueError(
            f"The scores in {run} are of another state of the model, or of other videos: move "
            f"scores.npz away, then {command}."
        )
    return card_metric(scores, f"keras-acl evaluate {run.resolve().name}")


def _settings(run: Path) -> dict:
    file = run / "settings.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
